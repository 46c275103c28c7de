//! What of the records of a page does not fit, so that a schema can grow by all of it at once.

use lakefeed_model::reject::RejectCode;
use lakefeed_model::schema::{Column, Mismatch, MismatchKind, MismatchedField, member_path};

use super::guess::{Guess, MixedKinds};
use super::sink::RowSink;
use crate::decode::error::PageResult;
use crate::decode::json::scanner::Scanner;
use crate::decode::options::{TypeMismatches, UnknownFields};
use crate::decode::value::refusal::Refusal;
use crate::decode::walk::record::RawRecord;

impl RowSink<'_, '_> {
    /// Returns whether what does not fit is to be collected.
    pub(super) fn is_collected(&self, refusal: &Refusal) -> bool {
        match refusal.code {
            RejectCode::UnknownField => self.reading.unknown == UnknownFields::Collect,
            code => self.misfits == TypeMismatches::Collect && code.is_about_a_value(),
        }
    }

    /// Collects what does not fit in the record at the cursor, where a schema could take some of
    /// it.
    #[cold]
    pub(super) fn collect(&mut self, scanner: &mut Scanner<'_>, members: &str) -> PageResult<()> {
        let start = scanner.bookmark();
        let found = self.look(scanner, members)?;
        if !found.iter().any(|refusal| self.is_collected(refusal)) {
            return Ok(());
        }
        let field = |refusal: &Refusal| MismatchedField {
            path: refusal.keys().fold("$".to_owned(), |path, key| member_path(&path, key)),
            kind: match refusal.code {
                _ if !self.is_collected(refusal) => MismatchKind::Final,
                RejectCode::UnknownField => MismatchKind::New,
                _ => MismatchKind::Type,
            },
        };
        let fields = found.iter().map(field).collect();
        let columns = self.columns_of(&RawRecord::with_members(scanner.text_from(start), members).text())?;
        self.mismatches.insert(Mismatch { fields, columns });
        Ok(())
    }

    /// Returns the columns that the record `text` would have by itself. A list or an object that
    /// holds nothing says nothing of its field, which others may.
    fn columns_of(&self, text: &str) -> PageResult<Vec<Column>> {
        let mut guess = Guess::default();
        guess.observe(&mut Scanner::new(text.as_bytes(), self.options.depth_max)?, MixedKinds::BecomeJson)?;
        guess.forget_empty_containers();
        Ok(guess.columns())
    }
}
