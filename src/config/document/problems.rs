//! Everything that is wrong with a pipeline file, collected so that it can be said at once.

use std::cell::RefCell;

use crate::error::Error;

/// What is wrong, and where.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The place that the message names, such as `./resources[0]/endpoint`.
    place: String,
    /// The key in the mapping there that it is about.
    key: Option<String>,
    what: String,
}

/// A list of problems, each with its place. Shared by the readers of all parts of a document.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: RefCell<Vec<Problem>>,
    /// The places whose values are only known when the pipeline runs, and what stands there.
    unknown: RefCell<Vec<(String, String)>>,
    /// What was put in for a `${…}`, which may be a secret, and its name.
    inserted: RefCell<Vec<(String, String)>>,
}

/// Bytes from which on a value that was put in is left out of messages: shorter ones are no
/// secrets, and other words have them within.
const MASKED_BYTES_MIN: usize = 4;

impl Problems {
    /// Notes a problem of meaning at a place such as `./resources[0]/endpoint`. Nothing is wrong
    /// with a value that is not known yet.
    pub(crate) fn add(&self, place: &str, what: impl AsRef<str>) {
        if !self.is_unknown(place) {
            self.add_form(place, None, what);
        }
    }

    /// Notes an error at a place, with its hints.
    pub(crate) fn add_error(&self, place: &str, error: &Error) {
        let said: Vec<String> = std::iter::once(error.to_string()).chain(error.hints().iter().cloned()).collect();
        self.add(place, said.join("; "));
    }

    /// Notes a problem of form at a place, or with a key of the mapping there. It holds whatever an
    /// unknown value turns out to be.
    pub(crate) fn add_form(&self, place: &str, key: Option<&str>, what: impl AsRef<str>) {
        let (place, key) = (place.to_owned(), key.map(str::to_owned));
        let what = self.masked(what.as_ref());
        self.found.borrow_mut().push(Problem { place, key, what });
    }

    /// Notes what stands for the `${…}` of that name: it is in no message, since it may be a
    /// secret.
    pub(crate) fn note_inserted(&self, name: &str, value: &str) {
        if value.len() >= MASKED_BYTES_MIN {
            let mut inserted = self.inserted.borrow_mut();
            inserted.push((value.to_owned(), format!("${{{name}}}")));
            // One may be a part of another.
            inserted.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        }
    }

    /// Returns the text with each value that was put in for a `${…}` as the file has it.
    pub(crate) fn masked(&self, text: &str) -> String {
        let inserted = self.inserted.borrow();
        inserted.iter().fold(text.to_owned(), |text, (value, name)| text.replace(value, name))
    }

    /// Notes that the value at a place is only known when the pipeline runs.
    pub(crate) fn leave_open(&self, place: &str, name: &str) {
        self.unknown.borrow_mut().push((place.to_owned(), name.to_owned()));
    }

    /// Returns the names of what is only known when the pipeline runs, each once.
    pub(crate) fn open_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.unknown.borrow().iter().map(|(_, name)| name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Returns whether the value at a place, or an element of the list there, is only known when
    /// the pipeline runs; or the string that stands for the mapping around it. What a resource does
    /// not say stands in the defaults.
    fn is_unknown(&self, place: &str) -> bool {
        let default = place.strip_prefix("./resources[").and_then(|rest| rest.split_once(']'));
        let default = default.map(|(_, rest)| format!("./resource_defaults{rest}"));
        let is_at = |unknown: &str, place: &str| {
            let element = unknown.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('['));
            element || place.strip_prefix(unknown).is_some_and(|rest| rest.starts_with('/'))
        };
        let is_here =
            |unknown: &str| is_at(unknown, place) || default.as_deref().is_some_and(|default| is_at(unknown, default));
        self.unknown.borrow().iter().any(|(unknown, _)| is_here(unknown))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// Returns how many there are.
    pub(crate) fn count(&self) -> usize {
        self.found.borrow().len()
    }

    /// Returns all problems as one error, in the order of the file. `origin` is the file,
    /// `point_of` the line and column of a place, or of a key of the mapping there.
    pub(crate) fn into_error(self, origin: &str, point_of: impl Fn(&str, Option<&str>) -> Option<(u64, u64)>) -> Error {
        let located = |problem: Problem| (point_of(&problem.place, problem.key.as_deref()), problem);
        let mut found: Vec<_> = self.found.into_inner().into_iter().map(located).collect();
        found.sort_by_key(|(point, _)| *point);
        // What is wrong with a default is wrong in every resource.
        found.dedup_by(|(point, problem), (before, first)| {
            point.is_some() && point == before && problem.what == first.what
        });
        let text = |(point, Problem { place, what, .. }): (Option<(u64, u64)>, Problem)| match point {
            Some((line, column)) => format!("{origin}:{line}:{column}: {place}: {what}"),
            None => format!("{place}: {what}"),
        };
        let found: Vec<String> = found.into_iter().map(text).collect();
        let count = match found.len() {
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        Error::config(format!("{origin} has {count}:\n  {}", found.join("\n  ")))
    }
}

/// Returns a text in the place of a `${…}` that nothing is there for: a URL is good for most
/// purposes.
pub(crate) fn stand_in(name: &str) -> String {
    let (_, name) = name.split_once(':').unwrap_or(("", name));
    let host: String = name.chars().filter(|sign| sign.is_ascii_alphanumeric() || *sign == '_').collect();
    format!("{STAND_IN}{}.invalid", host.to_lowercase())
}

/// Returns whether something in the text is not known yet.
pub(crate) fn has_stand_in(text: &str) -> bool {
    text.contains(STAND_IN)
}

const STAND_IN: &str = "https://unset.";

/// Returns the best of `candidates` for a misspelt word, when one is near enough to be meant.
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

/// Returns `"x" (accepted: a, b; did you mean a?)`
pub(crate) fn accepted(word: &str, candidates: &[&str]) -> String {
    let meant =
        nearest(word, candidates.iter().copied()).map(|meant| format!("; did you mean '{meant}'?")).unwrap_or_default();
    format!("(accepted: {}{meant})", candidates.join(", "))
}
