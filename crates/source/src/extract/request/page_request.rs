//! The request of a page: that of its slice, with the page's values in their places.

use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use crate::client::{ApiRequest, RequestBody};
use crate::paginate::{PageRequest, Scalar};
use crate::spec::Placement;
use lakefeed_model::spec::json_path::{SETTABLE_INDEX_MAX, Segment};

/// Returns the request of a page. A link replaces the URL and the parameters; it may be relative to
/// `last`, the URL that was asked before.
///
/// # Errors
/// When the link is no URL.
pub(crate) fn page_request(
    slice: &ApiRequest,
    page: &PageRequest,
    last: Option<&Url>,
) -> Result<ApiRequest, url::ParseError> {
    let mut request = slice.clone();
    if let Some(link) = &page.link {
        request.url = last.unwrap_or(&slice.url).join(link)?;
        request.query.clear();
    }
    for (place, value) in &page.values {
        match place {
            Placement::Query(name) => {
                drop_from_url(&mut request.url, name);
                set_query(&mut request.query, name, value.as_text().unwrap_or_default());
            }
            Placement::Body(path) => set_body(&mut request.body, path.segments(), value),
        }
    }
    Ok(request)
}

/// Takes a parameter out of the URL's own query, which a path may have brought along, and leaves
/// the rest as it is written.
fn drop_from_url(url: &mut Url, name: &str) {
    let Some(query) = url.query() else { return };
    if !url.query_pairs().any(|(known, _)| known == name) {
        return;
    }
    let is_other = |pair: &&str| form_urlencoded::parse(pair.as_bytes()).all(|(known, _)| known != name);
    let others = query.split('&').filter(is_other).collect::<Vec<_>>().join("&");
    url.set_query(Some(others.as_str()).filter(|others| !others.is_empty()));
}

/// Puts a paging value where the user's parameter of that name was, or at the end.
fn set_query(query: &mut Vec<(String, String)>, name: &str, value: String) {
    let first = query.iter().position(|(known, _)| known == name);
    query.retain({
        let mut position = 0;
        move |(known, _)| {
            position += 1;
            known != name || first == Some(position - 1)
        }
    });
    match first.and_then(|first| query.get_mut(first)) {
        Some((_, old)) => *old = value,
        None => query.push((name.to_owned(), value)),
    }
}

/// Sets the value at a path of the body: of a form by its name, of JSON where the path leads.
fn set_body(body: &mut RequestBody, path: &[Segment], value: &Scalar) {
    match (body, path) {
        (RequestBody::Form(fields), [Segment::Key(name)]) => {
            set_query(fields, name, value.as_text().unwrap_or_default());
        }
        (RequestBody::Json(json), _) => set_json(json, path, value),
        (body, _) => {
            let mut json = Value::Object(Map::new());
            set_json(&mut json, path, value);
            *body = RequestBody::Json(json);
        }
    }
}

/// Sets a value; objects that are missing on the way are made, what stands in the way is replaced.
fn set_json(body: &mut Value, path: &[Segment], value: &Scalar) {
    let mut place = body;
    for segment in path {
        place = match segment {
            Segment::Key(key) => {
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                &mut place[key.as_str()]
            }
            Segment::Index(index) => {
                if !place.is_array() {
                    *place = Value::Array(Vec::new());
                }
                // A paging value has one place, and a near one; validation refuses others.
                let Some(length) = index.checked_add(1).filter(|_| *index <= SETTABLE_INDEX_MAX) else { return };
                let Value::Array(elements) = place else { return };
                if elements.len() < length {
                    elements.resize(length, Value::Null);
                }
                let Some(element) = elements.get_mut(*index) else { return };
                element
            }
            Segment::FromEnd(_) | Segment::Wildcard => return,
        };
    }
    *place = match value {
        Scalar::Null | Scalar::Container => Value::Null,
        Scalar::Bool(value) => Value::Bool(*value),
        Scalar::Number(text) => text.parse().map_or_else(|_| Value::String(text.clone()), Value::Number),
        Scalar::Text(text) => Value::String(text.clone()),
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use lakefeed_model::spec::JsonPath;

    #[test]
    fn a_paging_value_takes_the_place_of_the_users_parameter() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut query = vec![pair("offset", "7"), pair("q", "x"), pair("offset", "8")];
        set_query(&mut query, "offset", "100".to_owned());
        assert_eq!(query, [pair("offset", "100"), pair("q", "x")]);
        set_query(&mut query, "limit", "5".to_owned());
        assert_eq!(query.last(), Some(&pair("limit", "5")));
    }

    #[test]
    fn a_paging_value_finds_its_place_in_the_body() {
        for (body, path, expected) in [
            (json!({}), "page.offset", json!({"page": {"offset": 3}})),
            (json!({"page": {"size": 9}}), "page.offset", json!({"page": {"size": 9, "offset": 3}})),
            (json!({"page": "x"}), "page.offset", json!({"page": {"offset": 3}})),
            (json!(null), "a[1]", json!({"a": [null, 3]})),
            (json!({}), "a[18446744073709551615]", json!({"a": []})),
            (json!({}), "a[90000000000]", json!({"a": []})),
        ] {
            let mut changed = body.clone();
            set_json(&mut changed, JsonPath::parse(path).unwrap().segments(), &Scalar::whole(3));
            assert_eq!(changed, expected, "{body} {path}");
        }
    }

    #[test]
    fn a_form_takes_a_value_by_its_name_and_no_body_becomes_json() {
        let path = JsonPath::keys(["page"]);
        let mut form = RequestBody::Form(vec![("page".to_owned(), "1".to_owned())]);
        set_body(&mut form, path.segments(), &Scalar::whole(2));
        assert!(form == RequestBody::Form(vec![("page".to_owned(), "2".to_owned())]));
        let mut none = RequestBody::None;
        set_body(&mut none, path.segments(), &Scalar::Text("x".to_owned()));
        assert!(none == RequestBody::Json(json!({"page": "x"})));
    }
}
