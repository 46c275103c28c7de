//! Why one record does not fit its schema, and where in it.

use lakefeed_model::reject::RejectCode;
use lakefeed_model::schema::member_path;

use crate::decode::error::DecodeError;
use crate::decode::json::scanner::Scanner;
use crate::decode::value::number::NumberFault;
use crate::decode::value::timestamp::TimeFault;

/// What stops the reading of a record.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The whole page is lost.
    Page(Box<DecodeError>),
    /// This record is refused.
    Record(Box<Refusal>),
}

impl From<Box<DecodeError>> for Stop {
    fn from(error: Box<DecodeError>) -> Self {
        Self::Page(error)
    }
}

/// Why a record is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// From the value outwards.
    pub(crate) steps: Vec<Step>,
    pub(crate) code: RejectCode,
    pub(crate) reason: String,
    /// Whether it fails the run.
    pub(crate) is_fatal: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// Characters of a value that a reason shows.
const SHOWN_CHARACTERS_MAX: usize = 60;

impl Refusal {
    pub(crate) fn new(code: RejectCode, reason: String) -> Self {
        Self { steps: Vec::new(), code, reason, is_fatal: false }
    }

    /// Says that the value is below `step`.
    pub(crate) fn below(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Returns the keys that lead to the refused value, from the record's root; the elements of a
    /// list are at its own place.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().rev().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
    }

    /// Returns the path of the refused value, from the record's root.
    pub(crate) fn path(&self) -> String {
        let mut path = "$".to_owned();
        for step in self.steps.iter().rev() {
            match step {
                Step::Key(key) => path = member_path(&path, key),
                Step::Index(index) => {
                    path.push('[');
                    path.push_str(&index.to_string());
                    path.push(']');
                }
            }
        }
        path
    }
}

impl Stop {
    pub(crate) fn record(code: RejectCode, reason: impl Into<String>) -> Self {
        Self::Record(Box::new(Refusal::new(code, reason.into())))
    }

    /// Says that it fails the run.
    #[cold]
    pub(crate) fn fatal(mut self) -> Self {
        if let Self::Record(refusal) = &mut self {
            refusal.is_fatal = true;
        }
        self
    }

    /// Says that the value is below `key`.
    #[cold]
    pub(crate) fn below_key(self, key: &str) -> Self {
        self.below(Step::Key(key.to_owned()))
    }

    /// Says that the value is below the array element `index`.
    #[cold]
    pub(crate) fn below_index(self, index: usize) -> Self {
        self.below(Step::Index(index))
    }

    fn below(mut self, step: Step) -> Self {
        if let Self::Record(refusal) = &mut self {
            refusal.below(step);
        }
        self
    }
}

/// Refuses the value at the cursor because it is of another JSON type.
#[cold]
pub(crate) fn wrong_type(scanner: &mut Scanner<'_>, expected: &str) -> Stop {
    match scanner.value_text() {
        Ok(value) => Stop::record(RejectCode::WrongType, format!("expected {expected}, found {}", describe(value))),
        Err(error) => Stop::Page(error),
    }
}

/// Refuses a number.
#[cold]
pub(crate) fn bad_number(fault: NumberFault, expected: &str, value: &str) -> Stop {
    let detail = match fault {
        NumberFault::OutOfRange => "it is out of range",
        NumberFault::Inexact => "digits would be lost",
    };
    let found = describe(value);
    Stop::record(RejectCode::OutOfRange, format!("expected {expected}, found {found}: {detail}"))
}

/// Refuses a date or time; `value` is the text as it is written, with its quotes.
#[cold]
pub(crate) fn bad_time(fault: TimeFault, expected: &str, value: &str) -> Stop {
    let (code, detail) = match fault {
        TimeFault::Form => (RejectCode::BadFormat, ""),
        TimeFault::NoSuchTime => (RejectCode::BadFormat, ": there is no such date or time"),
        TimeFault::OffsetMissing => (RejectCode::BadFormat, ": it has no offset from UTC"),
        TimeFault::OffsetUnwanted => (RejectCode::BadFormat, ": it has an offset from UTC"),
        TimeFault::TooFine => (RejectCode::OutOfRange, ": it is finer than the column"),
        TimeFault::LeapSecond => (RejectCode::OutOfRange, ": a leap second cannot be kept"),
        TimeFault::BeyondUnit => (RejectCode::OutOfRange, ": a 64-bit count of the column's unit does not reach it"),
        TimeFault::Inexact => (RejectCode::OutOfRange, ": digits would be lost"),
        TimeFault::YearOutOfRange => (RejectCode::OutOfRange, ": it is not within the years 0001 to 9999 of UTC"),
    };
    Stop::record(code, format!("expected {expected}, found {}{detail}", describe(value)))
}

/// Refuses a string that holds half of a surrogate pair; `value` is the text as it is written, with
/// its quotes.
#[cold]
pub(crate) fn lone_surrogate(value: &str) -> Stop {
    let found = describe(value);
    Stop::record(
        RejectCode::BadFormat,
        format!("expected Unicode text, found {found}: a surrogate escape stands alone"),
    )
}

/// Returns a JSON value in words, from its own text, cut to a bearable length.
pub(crate) fn describe(value: &str) -> String {
    let shown = || {
        let mut shown: String = value.chars().take(SHOWN_CHARACTERS_MAX).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        shown
    };
    match value.as_bytes().first() {
        Some(b'"') => format!("the text {}", shown()),
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "an array".to_owned(),
        Some(b'-' | b'0'..=b'9') => format!("the number {}", shown()),
        _ => shown(),
    }
}
