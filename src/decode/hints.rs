//! What the body of a page hints at about paging, when nobody says how the API pages: the keys that dlt looks for.

use crate::paginate::{PagingHints, Scalar};
use crate::spec::JsonPath;
use crate::spec::json_path::Segment;

use super::error::PageResult;
use super::scanner::{Kind, Scanner};

const PAGES_KEYS: [&str; 5] = ["total_pages", "totalpages", "pages", "page_count", "pagecount"];
const PAGE_KEYS: [&str; 5] = ["page", "current_page", "currentpage", "page_number", "pagenumber"];
const TOTAL_KEYS: [&str; 7] =
    ["total", "total_count", "totalcount", "total_results", "totalresults", "total_items", "count"];
/// The hints of the page at `scanner`. Arrays are passed over: they hold records.
///
/// # Errors
/// When the page is not valid JSON.
pub(super) fn hints(mut scanner: Scanner<'_>) -> PageResult<PagingHints> {
    let mut hints = PagingHints::default();
    if scanner.kind()? == Kind::Object {
        collect(&mut scanner, &mut Vec::new(), &mut hints)?;
    }
    Ok(hints)
}

fn collect(scanner: &mut Scanner<'_>, path: &mut Vec<Segment>, hints: &mut PagingHints) -> PageResult<()> {
    let mut more = scanner.enter_object()?;
    while more {
        let key = scanner.key()?;
        let key = key.decoded().unwrap_or_else(|_| key.raw.into()).into_owned();
        path.push(Segment::Key(key.clone()));
        match scanner.kind()? {
            Kind::Object => {
                let start = scanner.bookmark();
                if key.to_lowercase().starts_with("next") && hints.next.is_none() {
                    hints.next = link_of(scanner, path)?;
                    scanner.return_to(start);
                }
                collect(scanner, path, hints)?;
            }
            Kind::Array => scanner.skip_value()?,
            Kind::Null | Kind::Boolean | Kind::Number | Kind::Text => note(scanner, &key, path, hints)?,
        }
        path.pop();
        more = scanner.next_member()?;
    }
    Ok(())
}

/// `{"next": {"href": "…"}}` and `{"next": {"url": "…"}}`
fn link_of(scanner: &mut Scanner<'_>, path: &[Segment]) -> PageResult<Option<(JsonPath, Scalar)>> {
    let mut found = None;
    let mut more = scanner.enter_object()?;
    while more {
        let key = scanner.key()?;
        let name = key.decoded().unwrap_or_else(|_| key.raw.into()).into_owned();
        if matches!(name.as_str(), "href" | "url") && scanner.kind()? == Kind::Text {
            let value = scalar(scanner)?;
            found = Some((JsonPath::of(path.iter().cloned().chain([Segment::Key(name)])), value));
        } else {
            scanner.skip_value()?;
        }
        more = scanner.next_member()?;
    }
    Ok(found)
}

fn note(scanner: &mut Scanner<'_>, key: &str, path: &[Segment], hints: &mut PagingHints) -> PageResult<()> {
    let value = scalar(scanner)?;
    if value.is_nothing() {
        return Ok(());
    }
    let plain = key.to_lowercase();
    let place = || JsonPath::of(path.iter().cloned());
    if plain.starts_with("next") {
        // A truth value says that there is more, not how to get it.
        if hints.next.is_none() && !matches!(value, Scalar::Bool(_)) {
            hints.next = Some((place(), value));
        }
    } else if PAGES_KEYS.contains(&plain.as_str()) {
        hints.pages.get_or_insert_with(|| (place(), value));
    } else if PAGE_KEYS.contains(&plain.as_str()) {
        hints.page.get_or_insert(value);
    } else if TOTAL_KEYS.contains(&plain.as_str()) {
        hints.total.get_or_insert(value);
    }
    Ok(())
}

fn scalar(scanner: &mut Scanner<'_>) -> PageResult<Scalar> {
    Ok(match scanner.kind()? {
        Kind::Number => Scalar::Number(scanner.number()?.text.to_owned()),
        Kind::Text => {
            let text = scanner.string()?;
            text.decoded().map_or(Scalar::Null, |text| Scalar::Text(text.into_owned()))
        }
        Kind::Boolean => Scalar::Bool(scanner.value_text()? == "true"),
        Kind::Null | Kind::Object | Kind::Array => {
            scanner.skip_value()?;
            Scalar::Null
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints_of(page: &str) -> PagingHints {
        hints(Scanner::new(page.as_bytes(), 64).unwrap()).unwrap()
    }

    #[test]
    fn telling_keys_are_found_and_records_are_not_looked_at() {
        let text = |text: &str| Scalar::Text(text.to_owned());
        let number = |value: u64| Scalar::Number(value.to_string());
        for (page, next) in [
            (r#"{"next":"https://a/2","data":[]}"#, Some(("next", text("https://a/2")))),
            (r#"{"paging":{"next_cursor":"abc"}}"#, Some(("paging.next_cursor", text("abc")))),
            (r#"{"links":{"next":{"href":"/p/2"}}}"#, Some(("links.next.href", text("/p/2")))),
            (r#"{"a":{"b":{"c":{"d":{"next":"/p/2"}}}}}"#, Some(("a.b.c.d.next", text("/p/2")))),
            (r#"{"next":null,"nextToken":"t"}"#, Some(("nextToken", text("t")))),
            (r#"{"data":[{"next":"x"}]}"#, None),
            (r#"{"next_page":2}"#, Some(("next_page", number(2)))),
            (r#"{"next":true}"#, None),
            ("[1]", None),
        ] {
            let expected = next.map(|(path, value)| (JsonPath::parse(path).unwrap(), value));
            assert_eq!(hints_of(page).next, expected, "{page}");
        }
        let hints = hints_of(r#"{"meta":{"page":1,"total_pages":"3","total":250}}"#);
        assert_eq!(hints.pages.unwrap().1, text("3"));
        assert_eq!((hints.page, hints.total), (Some(number(1)), Some(number(250))));
    }
}
