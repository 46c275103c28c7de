//! Where the records of a page probably are, when nobody says: the rule of dlt.
//!
//! The first list under a telling key, in the order of the page, at most three keys deep; else the
//! shallowest list; else the whole body is one record. A telling key that holds `null` counts as a
//! list without elements, but only when there is no list: an empty page may look like that, and
//! must not become a record.

use lakefeed_model::spec::JsonPath;

use crate::decode::error::PageResult;
use crate::decode::json::scanner::{Kind, Scanner};

const TELLING_KEYS: [&str; 11] =
    ["data", "items", "results", "entries", "records", "rows", "entities", "payload", "content", "objects", "values"];
const DEPTH_MAX: usize = 3;
/// Candidates that are kept; a page with more lists than that has no telling shape.
const CANDIDATES_MAX: usize = 1_000;

/// Returns the selector for a page.
///
/// # Errors
/// When the page is not valid JSON.
pub(crate) fn detect(mut scanner: Scanner<'_>) -> PageResult<JsonPath> {
    if scanner.kind()? != Kind::Object {
        return Ok(JsonPath::root());
    }
    let mut candidates = Candidates::default();
    candidates.collect(&mut scanner, &mut Vec::new())?;
    Ok(candidates.best())
}

#[derive(Default)]
struct Candidates {
    lists: Vec<Vec<String>>,
    nulls: Vec<Vec<String>>,
}

impl Candidates {
    fn collect(&mut self, scanner: &mut Scanner<'_>, path: &mut Vec<String>) -> PageResult<()> {
        let mut more = scanner.enter_object()?;
        while more {
            let key = scanner.key()?;
            path.push(key.decoded().unwrap_or_else(|_| key.raw.into()).into_owned());
            match scanner.kind()? {
                Kind::Object if path.len() < DEPTH_MAX => self.collect(scanner, path)?,
                Kind::Array => {
                    keep(&mut self.lists, path);
                    scanner.skip_value()?;
                }
                Kind::Null => {
                    keep(&mut self.nulls, path);
                    scanner.skip_value()?;
                }
                Kind::Object | Kind::Boolean | Kind::Number | Kind::Text => scanner.skip_value()?,
            }
            path.pop();
            more = scanner.next_member()?;
        }
        Ok(())
    }

    fn best(mut self) -> JsonPath {
        self.nulls.sort_by_key(Vec::len);
        let is_telling = |path: &&Vec<String>| path.last().is_some_and(|key| TELLING_KEYS.contains(&key.as_str()));
        let shallowest = || self.lists.iter().min_by_key(|path| path.len());
        let best = self.lists.iter().find(is_telling).or_else(shallowest).or(self.nulls.iter().find(is_telling));
        best.map_or_else(JsonPath::root, |path| JsonPath::keys(path.iter().cloned()))
    }
}

fn keep(candidates: &mut Vec<Vec<String>>, path: &[String]) {
    if candidates.len() < CANDIDATES_MAX {
        candidates.push(path.to_vec());
    }
}
