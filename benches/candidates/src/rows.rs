//! Column buffers of the two shapes, for the candidates that fill them value by value.

use std::error::Error;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Int64Builder, ListArray, ListBuilder, NullBufferBuilder, RecordBatch,
    StringBuilder, StructArray, TimestampMicrosecondBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use std::sync::Arc;

use crate::pages;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Buffers of one shape of record. A record's values are appended in any order, then `end_row` gives null to the columns that had none.
pub(crate) trait Rows: Default {
    fn end_row(&mut self) -> Outcome<()>;
    fn count(&self) -> usize;
    fn take(&mut self) -> RecordBatch;
}

/// Columns that have no value in row `$row` get null; one that has two is an error.
macro_rules! end_row {
    ($row:expr, $($column:expr),+) => {
        $(match $column.len() {
            length if length == $row => $column.append_null(),
            length if length == $row + 1 => {}
            _ => return Err("a key came twice".into()),
        })+
    };
}

fn instants() -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::new().with_timezone("UTC")
}

pub(crate) struct Flat {
    rows: usize,
    pub(crate) event_id: StringBuilder,
    pub(crate) start_time: TimestampMicrosecondBuilder,
    pub(crate) end_time: TimestampMicrosecondBuilder,
    pub(crate) summary: StringBuilder,
}

impl Default for Flat {
    fn default() -> Self {
        let texts = StringBuilder::new;
        Self { rows: 0, event_id: texts(), start_time: instants(), end_time: instants(), summary: texts() }
    }
}

impl Rows for Flat {
    fn end_row(&mut self) -> Outcome<()> {
        end_row!(self.rows, self.event_id, self.start_time, self.end_time, self.summary);
        self.rows += 1;
        Ok(())
    }

    fn count(&self) -> usize {
        self.rows
    }

    fn take(&mut self) -> RecordBatch {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.event_id.finish()),
            Arc::new(self.start_time.finish()),
            Arc::new(self.end_time.finish()),
            Arc::new(self.summary.finish()),
        ];
        RecordBatch::try_new(pages::flat_schema().to_arrow(), columns).expect("the columns form a batch")
    }
}

pub(crate) struct Person {
    validity: NullBufferBuilder,
    pub(crate) email: StringBuilder,
    pub(crate) name: StringBuilder,
}

impl Default for Person {
    fn default() -> Self {
        Self { validity: NullBufferBuilder::new(0), email: StringBuilder::new(), name: StringBuilder::new() }
    }
}

impl Person {
    pub(crate) fn end(&mut self) -> Outcome<()> {
        end_row!(self.validity.len(), self.email, self.name);
        self.validity.append_non_null();
        Ok(())
    }

    pub(crate) fn append_null(&mut self) {
        self.email.append_null();
        self.name.append_null();
        self.validity.append_null();
    }

    fn len(&self) -> usize {
        self.validity.len()
    }

    fn finish(&mut self, data_type: &DataType) -> ArrayRef {
        let columns: Vec<ArrayRef> = vec![Arc::new(self.email.finish()), Arc::new(self.name.finish())];
        structs(data_type, columns, &mut self.validity)
    }
}

pub(crate) struct Time {
    validity: NullBufferBuilder,
    pub(crate) instant: TimestampMicrosecondBuilder,
    pub(crate) zone: StringBuilder,
}

impl Default for Time {
    fn default() -> Self {
        Self { validity: NullBufferBuilder::new(0), instant: instants(), zone: StringBuilder::new() }
    }
}

impl Time {
    pub(crate) fn end(&mut self) -> Outcome<()> {
        end_row!(self.validity.len(), self.instant, self.zone);
        self.validity.append_non_null();
        Ok(())
    }

    pub(crate) fn append_null(&mut self) {
        self.instant.append_null();
        self.zone.append_null();
        self.validity.append_null();
    }

    fn len(&self) -> usize {
        self.validity.len()
    }

    fn finish(&mut self, data_type: &DataType) -> ArrayRef {
        let columns: Vec<ArrayRef> = vec![Arc::new(self.instant.finish()), Arc::new(self.zone.finish())];
        structs(data_type, columns, &mut self.validity)
    }
}

pub(crate) struct Attendees {
    lists: NullBufferBuilder,
    lengths: Vec<usize>,
    rows: usize,
    pub(crate) email: StringBuilder,
    pub(crate) name: StringBuilder,
    pub(crate) status: StringBuilder,
    pub(crate) optional: BooleanBuilder,
}

impl Default for Attendees {
    fn default() -> Self {
        let (texts, lists) = (StringBuilder::new, NullBufferBuilder::new(0));
        let optional = BooleanBuilder::new();
        Self { lists, lengths: Vec::new(), rows: 0, email: texts(), name: texts(), status: texts(), optional }
    }
}

impl Attendees {
    pub(crate) fn end_attendee(&mut self) -> Outcome<()> {
        end_row!(self.rows, self.email, self.name, self.status, self.optional);
        self.rows += 1;
        Ok(())
    }

    pub(crate) fn end(&mut self, length: usize) {
        self.lengths.push(length);
        self.lists.append_non_null();
    }

    pub(crate) fn append_null(&mut self) {
        self.lengths.push(0);
        self.lists.append_null();
    }

    fn len(&self) -> usize {
        self.lengths.len()
    }

    fn finish(&mut self, data_type: &DataType) -> ArrayRef {
        let DataType::List(item) = data_type else { unreachable!("attendees are a list") };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.email.finish()),
            Arc::new(self.name.finish()),
            Arc::new(self.status.finish()),
            Arc::new(self.optional.finish()),
        ];
        let values = structs(item.data_type(), columns, &mut NullBufferBuilder::new(0));
        let offsets = OffsetBuffer::from_lengths(self.lengths.drain(..));
        self.rows = 0;
        Arc::new(ListArray::new(Arc::clone(item), offsets, values, self.lists.finish()))
    }
}

fn structs(data_type: &DataType, columns: Vec<ArrayRef>, validity: &mut NullBufferBuilder) -> ArrayRef {
    let DataType::Struct(fields) = data_type else { unreachable!("it is an object") };
    Arc::new(StructArray::new(fields.clone(), columns, validity.finish()))
}

pub(crate) struct Wide {
    schema: SchemaRef,
    rows: usize,
    pub(crate) id: StringBuilder,
    pub(crate) status: StringBuilder,
    pub(crate) created: TimestampMicrosecondBuilder,
    pub(crate) updated: TimestampMicrosecondBuilder,
    pub(crate) summary: StringBuilder,
    pub(crate) description: StringBuilder,
    pub(crate) location: StringBuilder,
    pub(crate) organizer: Person,
    pub(crate) start: Time,
    pub(crate) end: Time,
    pub(crate) recurrence: ListBuilder<StringBuilder>,
    pub(crate) sequence: Int64Builder,
    pub(crate) attendees: Attendees,
    pub(crate) guests_can_invite_others: BooleanBuilder,
    pub(crate) reminders: StringBuilder,
}

impl Default for Wide {
    fn default() -> Self {
        let texts = StringBuilder::new;
        let schema = pages::wide_schema().to_arrow();
        let DataType::List(item) = schema.field_with_name("recurrence").expect("it is there").data_type() else {
            unreachable!("it is a list")
        };
        let recurrence = ListBuilder::new(texts()).with_field(FieldRef::clone(item));
        Self {
            schema,
            rows: 0,
            id: texts(),
            status: texts(),
            created: instants(),
            updated: instants(),
            summary: texts(),
            description: texts(),
            location: texts(),
            organizer: Person::default(),
            start: Time::default(),
            end: Time::default(),
            recurrence,
            sequence: Int64Builder::new(),
            attendees: Attendees::default(),
            guests_can_invite_others: BooleanBuilder::new(),
            reminders: texts(),
        }
    }
}

impl Rows for Wide {
    fn end_row(&mut self) -> Outcome<()> {
        end_row!(
            self.rows,
            self.id,
            self.status,
            self.created,
            self.updated,
            self.summary,
            self.description,
            self.location,
            self.organizer,
            self.start,
            self.end,
            self.recurrence,
            self.sequence,
            self.attendees,
            self.guests_can_invite_others,
            self.reminders
        );
        self.rows += 1;
        Ok(())
    }

    fn count(&self) -> usize {
        self.rows
    }

    fn take(&mut self) -> RecordBatch {
        self.rows = 0;
        let schema = Arc::clone(&self.schema);
        let type_of = |name: &str| schema.field_with_name(name).expect("the column is there").data_type();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.id.finish()),
            Arc::new(self.status.finish()),
            Arc::new(self.created.finish()),
            Arc::new(self.updated.finish()),
            Arc::new(self.summary.finish()),
            Arc::new(self.description.finish()),
            Arc::new(self.location.finish()),
            self.organizer.finish(type_of("organizer")),
            self.start.finish(type_of("start")),
            self.end.finish(type_of("end")),
            Arc::new(self.recurrence.finish()),
            Arc::new(self.sequence.finish()),
            self.attendees.finish(type_of("attendees")),
            Arc::new(self.guests_can_invite_others.finish()),
            Arc::new(self.reminders.finish()),
        ];
        RecordBatch::try_new(Arc::clone(&self.schema), columns).expect("the columns form a batch")
    }
}
