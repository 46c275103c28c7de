//! Everything that is wrong with a pipeline file, collected so that it can be said at once.

use std::cell::RefCell;

use crate::error::Error;

/// A list of problems, each with its place. Shared by the readers of all parts of a document.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: RefCell<Vec<String>>,
}

impl Problems {
    /// Notes a problem at a place such as `./resources[0]/endpoint`.
    pub(crate) fn add(&self, place: &str, what: impl AsRef<str>) {
        self.found.borrow_mut().push(format!("{place}: {}", what.as_ref()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.found.borrow().len()
    }

    /// All problems as one error; `origin` is the file.
    pub(crate) fn into_error(self, origin: &str) -> Error {
        let found = self.found.into_inner();
        let count = match found.len() {
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        Error::config(format!("{origin} has {count}:\n  {}", found.join("\n  ")))
    }
}

/// The best of `candidates` for a misspelt word, when one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| {
            (strsim::normalized_damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()), candidate)
        })
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// `"x" (accepted: a, b; did you mean a?)`
pub(crate) fn accepted(word: &str, candidates: &[&str]) -> String {
    let meant =
        nearest(word, candidates.iter().copied()).map(|meant| format!("; did you mean '{meant}'?")).unwrap_or_default();
    format!("(accepted: {}{meant})", candidates.join(", "))
}
