//! What the body of a page hints at about paging, when nobody says how the API pages: the keys that
//! dlt looks for.

use crate::paginate::{PagingHints, Scalar};
use lakefeed_model::spec::JsonPath;
use lakefeed_model::spec::json_path::Segment;

use crate::decode::error::PageResult;
use crate::decode::json::scanner::{Kind, Scanner};

const PAGES_KEYS: [&str; 5] = ["total_pages", "totalpages", "pages", "page_count", "pagecount"];
const PAGE_KEYS: [&str; 5] = ["page", "current_page", "currentpage", "page_number", "pagenumber"];
const TOTAL_KEYS: [&str; 11] = [
    "total",
    "totalcount",
    "total_count",
    "totalelements",
    "total_elements",
    "totalitems",
    "total_items",
    "totalresults",
    "total_results",
    "totalrecords",
    "count",
];
/// What is true where there is another page.
const MORE_KEYS: [&str; 7] = ["more", "has_more", "hasmore", "has_next", "hasnext", "has_next_page", "hasnextpage"];
/// What is false where there is another page.
const LAST_KEYS: [&str; 5] = ["last", "is_last", "islast", "is_last_page", "islastpage"];
/// Returns the hints of the page at `scanner`, whose records are at `selector`. Arrays are passed
/// over, since they hold records; and where one object is the record, what it says of a total is
/// its own.
///
/// # Errors
/// When the page is not valid JSON.
pub(crate) fn hints(mut scanner: Scanner<'_>, selector: &JsonPath) -> PageResult<PagingHints> {
    let mut reader = Reader { selector, path: Vec::new(), hints: PagingHints::default() };
    if scanner.kind()? == Kind::Object {
        reader.collect(&mut scanner)?;
    }
    Ok(reader.hints)
}

struct Reader<'s> {
    selector: &'s JsonPath,
    /// Where the cursor is.
    path: Vec<Segment>,
    hints: PagingHints,
}

impl Reader<'_> {
    fn collect(&mut self, scanner: &mut Scanner<'_>) -> PageResult<()> {
        let mut more = scanner.enter_object()?;
        while more {
            let key = scanner.key()?;
            let key = key.decoded().unwrap_or_else(|_| key.raw.into()).into_owned();
            self.path.push(Segment::Key(key.clone()));
            match scanner.kind()? {
                Kind::Object => {
                    let start = scanner.bookmark();
                    if key.to_lowercase().starts_with("next") && self.hints.next.is_none() {
                        self.hints.next = self.link_of(scanner)?;
                        scanner.return_to(start);
                    }
                    self.collect(scanner)?;
                }
                Kind::Array => scanner.skip_value()?,
                Kind::Null | Kind::Boolean | Kind::Number | Kind::Text => self.note(scanner, &key)?,
            }
            self.path.pop();
            more = scanner.next_member()?;
        }
        Ok(())
    }

    /// Returns `{"next": {"href": "…"}}` and `{"next": {"url": "…"}}`
    fn link_of(&self, scanner: &mut Scanner<'_>) -> PageResult<Option<(JsonPath, Scalar)>> {
        let mut found = None;
        let mut more = scanner.enter_object()?;
        while more {
            let key = scanner.key()?;
            let name = key.decoded().unwrap_or_else(|_| key.raw.into()).into_owned();
            if matches!(name.as_str(), "href" | "url") && scanner.kind()? == Kind::Text {
                let value = scalar(scanner)?;
                let path = self.path.iter().cloned().chain([Segment::Key(name)]);
                found = Some((JsonPath::of(path), value));
            } else {
                scanner.skip_value()?;
            }
            more = scanner.next_member()?;
        }
        Ok(found)
    }

    fn note(&mut self, scanner: &mut Scanner<'_>, key: &str) -> PageResult<()> {
        let value = scalar(scanner)?;
        let plain = key.to_lowercase();
        let place = JsonPath::of(self.path.iter().cloned());
        let is_of_listing = !self.is_in_record();
        let hints = &mut self.hints;
        let says_more = match &value {
            Scalar::Bool(true) => MORE_KEYS.contains(&plain.as_str()),
            Scalar::Bool(false) => LAST_KEYS.contains(&plain.as_str()),
            Scalar::Null | Scalar::Number(_) | Scalar::Text(_) | Scalar::Container => false,
        };
        if says_more && is_of_listing {
            hints.more.get_or_insert(place);
        } else if value.is_nothing() {
        } else if plain.starts_with("next") {
            // A boolean says that there is more, not how to get it.
            if hints.next.is_none() && !matches!(value, Scalar::Bool(_)) {
                hints.next = Some((place, value));
            }
        } else if PAGES_KEYS.contains(&plain.as_str()) {
            hints.pages.get_or_insert((place, value));
        } else if PAGE_KEYS.contains(&plain.as_str()) {
            hints.page.get_or_insert(value);
        } else if TOTAL_KEYS.contains(&plain.as_str()) && is_of_listing {
            hints.total.get_or_insert((place, value));
        }
        Ok(())
    }

    /// Returns whether the cursor is within what the selector names.
    fn is_in_record(&self) -> bool {
        let selected = self.selector.segments();
        let leads_there = |(wanted, at): (&Segment, &Segment)| *wanted == Segment::Wildcard || wanted == at;
        selected.len() < self.path.len() && selected.iter().zip(&self.path).all(leads_there)
    }
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
        hints_beside(page, "data")
    }

    fn hints_beside(page: &str, selector: &str) -> PagingHints {
        hints(Scanner::new(page.as_bytes(), 64).unwrap(), &JsonPath::parse(selector).unwrap()).unwrap()
    }

    #[test]
    fn what_a_record_says_of_itself_says_nothing_of_the_listing() {
        let page = r#"{"data":{"total":7,"more":true},"next":"/2"}"#;
        for (selector, total) in [("data", false), ("$", false), ("data.items", true), ("*", false)] {
            let hints = hints_beside(page, selector);
            assert_eq!((hints.total.is_some(), hints.more.is_some(), hints.next.is_some()), (total, total, true));
        }
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
        for (page, more) in [
            (r#"{"has_more":true}"#, Some("has_more")),
            (r#"{"page":{"hasNextPage":true}}"#, Some("page.hasNextPage")),
            (r#"{"last":false}"#, Some("last")),
            (r#"{"has_more":false,"last":true,"more":"true"}"#, None),
        ] {
            assert_eq!(hints_of(page).more.map(|path| path.to_string()).as_deref(), more, "{page}");
        }
        let hints = hints_of(r#"{"meta":{"page":1,"total_pages":"3","total":250}}"#);
        assert_eq!(hints.pages.unwrap().1, text("3"));
        assert_eq!((hints.page, hints.total.map(|(_, total)| total)), (Some(number(1)), Some(number(250))));
    }
}
