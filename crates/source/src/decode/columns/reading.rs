//! How a record is read, and what was put up with in it.

use lakefeed_model::reject::RejectCode;

use crate::decode::options::UnknownFields;
use crate::decode::value::refusal::{Refusal, Step};

/// Notes of one record that is read once more; of more, it is not said.
const NOTES_MAX: usize = 1_000;

/// How records are read, and what was put up with in the one at hand.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) unknown: UnknownFields,
    /// Lists and objects that hold nothing say no more of a field than null does.
    pub(crate) passes_hollow: bool,
    /// Whether some field takes null in place of what does not fit it, or fails the run.
    pub(crate) has_rules: bool,
    /// The values of the record at hand that null stands for.
    pub(crate) nulled: Vec<Refusal>,
    /// Whether null stands for a value that does not fit, where its column may be null: such a one
    /// is not noted.
    pub(crate) nulls_mismatches: bool,
    /// What fails the run, while a record is read once more for all that does not fit, which is
    /// passed over, and noted in `nulled`.
    pub(crate) looks_for: Option<Frozen>,
}

/// What fails the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Frozen {
    /// A field that the schema does not have.
    pub(crate) unknown: bool,
    /// A value that does not fit.
    pub(crate) misfit: bool,
}

impl Frozen {
    /// Returns whether `refusal` fails the run.
    pub(crate) fn fails(self, refusal: &Refusal) -> bool {
        let by_contract = match refusal.code {
            RejectCode::UnknownField => self.unknown,
            code => self.misfit && code.is_about_a_value(),
        };
        by_contract || refusal.is_fatal
    }
}

impl Reading {
    /// Returns whether the value that `refusal` is about is passed over, since it is not what is
    /// looked for.
    pub(super) fn passes_over(&self, refusal: &Refusal) -> bool {
        self.looks_for.is_some_and(|frozen| !frozen.fails(refusal))
    }

    /// Takes note of what is passed over, of which there may be null or not. Where null stands for
    /// what does not fit, it is settled.
    pub(super) fn note(&mut self, refusal: Refusal, nullable: bool) {
        let is_settled = nullable && self.nulls_mismatches && refusal.code.is_about_a_value();
        if !is_settled && self.nulled.len() < NOTES_MAX {
            self.nulled.push(refusal);
        }
    }

    /// Returns whether a field that the schema does not have is noted, and its record is read on.
    pub(super) fn notes_unknown_fields(&self) -> bool {
        self.looks_for.is_some_and(|frozen| !frozen.unknown)
    }

    /// Says of the notes from `first` on that their values are below `step`.
    pub(super) fn place(&mut self, first: usize, step: impl Fn() -> Step) {
        for note in self.nulled.iter_mut().skip(first) {
            note.below(step());
        }
    }
}
