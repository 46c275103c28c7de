//! One tree of column buffers, in the shape of the record, into which a record's bytes are pushed.
//!
//! The length of a buffer is the number of its values, so a member of an object that is one longer
//! than the object has its value for the row in the making. A record that is refused, and a page
//! that is not valid, leave by [`ObjectBuffer::truncate`], which also takes away what is half
//! written.

use arrow::array::ArrayRef;
use arrow::datatypes::Fields;
use arrow::error::ArrowError;

use lakefeed_model::reject::RejectCode;
use lakefeed_model::schema::{Column, FieldRules, OnError, RuleStep};

use super::column::ColumnBuffer;
use super::reading::Reading;
use crate::decode::json::keys::KeyOrder;
use crate::decode::json::scanner::{DEPTH_CEILING, Scanner};
use crate::decode::json::text::Text;
use crate::decode::options::UnknownFields;
use crate::decode::value::refusal::{Refusal, Step, Stop};

/// The columns of an object's members. The root of the tree is one.
#[derive(Debug)]
pub(crate) struct ObjectBuffer {
    names: Vec<Box<str>>,
    members: Vec<ColumnBuffer>,
    keys: KeyOrder,
    rows: usize,
    /// Whether fields that must be there may be missing, as in a delete, which has no more than its
    /// key.
    lenient: bool,
}

impl ObjectBuffer {
    pub(crate) fn new(columns: &[Column], place: &mut Vec<RuleStep>, rules: &FieldRules) -> Self {
        let member = |column: &Column| {
            place.push(RuleStep::Field(column.name.clone()));
            let member = ColumnBuffer::new(&column.column_type, column.nullable, place, rules);
            place.pop();
            member
        };
        Self {
            names: columns.iter().map(|column| column.name.as_str().into()).collect(),
            members: columns.iter().map(member).collect(),
            keys: KeyOrder::new(columns.iter().map(|column| column.name.as_str())),
            rows: 0,
            lenient: false,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Returns how many bytes are buffered, nearly.
    pub(crate) fn bytes(&self) -> usize {
        self.members.iter().map(ColumnBuffer::bytes).sum()
    }

    /// Reads the object at the cursor as one row. After an error, the row must be truncated away.
    pub(crate) fn read(&mut self, scanner: &mut Scanner<'_>, reading: &mut Reading) -> Result<(), Stop> {
        self.read_with(scanner, "", reading)
    }

    /// Does as [`Self::read`], of an object that has the members of `members` behind its own: an
    /// object too, or empty.
    #[inline]
    pub(crate) fn read_with(
        &mut self,
        scanner: &mut Scanner<'_>,
        members: &str,
        reading: &mut Reading,
    ) -> Result<(), Stop> {
        let (mut filled, mut expected) = (0, 0);
        self.read_members(scanner, reading, &mut filled, &mut expected)?;
        if !members.is_empty() {
            let mut members = Scanner::new(members.as_bytes(), DEPTH_CEILING)?;
            self.read_members(&mut members, reading, &mut filled, &mut expected)?;
        }
        if filled < self.members.len() {
            self.fill_missing(self.rows)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Reads the members of the object at the cursor into the row in the making, of which `filled`
    /// columns have a value.
    #[inline]
    fn read_members(
        &mut self,
        scanner: &mut Scanner<'_>,
        reading: &mut Reading,
        filled: &mut usize,
        expected: &mut usize,
    ) -> Result<(), Stop> {
        let row = self.rows;
        let mut more = scanner.enter_object()?;
        while more {
            match self.key(scanner, reading, expected)? {
                Some(index) => {
                    if let (Some(member), Some(name)) = (self.members.get_mut(index), self.names.get(index)) {
                        if member.len() > row {
                            member.truncate(row);
                        } else {
                            *filled += 1;
                        }
                        if reading.has_rules {
                            member.read_by_rule(name, row, scanner, reading)?;
                        } else {
                            member.read(scanner, reading).map_err(|stop| stop.below_key(name))?;
                        }
                    }
                }
                None => scanner.skip_value()?,
            }
            more = scanner.next_member()?;
        }
        Ok(())
    }

    /// Does as [`Self::read`], of an object that may lack fields which must be there.
    pub(crate) fn read_leniently(&mut self, scanner: &mut Scanner<'_>, reading: &mut Reading) -> Result<(), Stop> {
        self.lenient = true;
        let read = self.read(scanner, reading);
        self.lenient = false;
        read
    }

    /// Reads the key at the cursor, up to its value, and finds its column.
    #[inline]
    fn key(
        &mut self,
        scanner: &mut Scanner<'_>,
        reading: &mut Reading,
        expected: &mut usize,
    ) -> Result<Option<usize>, Stop> {
        if let Some((column, length)) = self.keys.guess(scanner.rest(), expected)
            && (column.is_some() || reading.unknown == UnknownFields::Ignore)
        {
            scanner.advance(length);
            scanner.colon()?;
            return Ok(column);
        }
        let key = scanner.key()?;
        // A key that is no Unicode text cannot be the name of a column.
        let column = key.decoded().ok().and_then(|name| self.keys.look_up(&name));
        // A null says nothing of the field.
        if column.is_none()
            && reading.unknown != UnknownFields::Ignore
            && scanner.peek() != Some(b'n')
            && !(reading.passes_hollow && scanner.holds_nothing())
        {
            unknown_field(key, reading)?;
        }
        if !key.escaped {
            self.keys.learn(key.raw, column, expected);
        }
        Ok(column)
    }

    fn fill_missing(&mut self, row: usize) -> Result<(), Stop> {
        for (member, name) in self.members.iter_mut().zip(&self.names) {
            if member.len() > row {
                continue;
            }
            if !member.nullable && !self.lenient {
                let stop = Stop::record(RejectCode::MissingValue, "expected a value, found no such field");
                let is_fatal = member.on_error == OnError::Fail;
                return Err(if is_fatal { stop.fatal() } else { stop }.below_key(name));
            }
            member.push_null();
        }
        Ok(())
    }

    /// Appends a row in which every member is null; it stands behind a null of the object itself.
    pub(super) fn push_null(&mut self) {
        for member in &mut self.members {
            member.push_null();
        }
        self.rows += 1;
    }

    /// Drops all rows from `rows` on, and what was begun of a next one.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.rows = self.rows.min(rows);
        for member in &mut self.members {
            member.truncate(self.rows);
        }
    }

    /// Takes the columns out, which leaves no rows.
    pub(crate) fn take_columns(&mut self, fields: &Fields) -> Result<Vec<ArrayRef>, ArrowError> {
        self.rows = 0;
        self.members.iter_mut().zip(fields).map(|(member, field)| member.take(field.data_type())).collect()
    }
}

/// Notes a field that no column is for, or refuses the record for it.
#[cold]
fn unknown_field(key: Text<'_>, reading: &mut Reading) -> Result<(), Stop> {
    let name = key.decoded().unwrap_or_else(|_| key.raw.into());
    let mut refusal = Refusal::new(RejectCode::UnknownField, "the schema has no such field".to_owned());
    refusal.below(Step::Key(name.chars().take(256).collect()));
    if !reading.notes_unknown_fields() {
        return Err(Stop::Record(Box::new(refusal)));
    }
    reading.note(refusal, false);
    Ok(())
}
