//! A sink that hands out what it gets: a bounded stream of Arrow batches, for readers that want no
//! table.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray as _};
use arrow::datatypes::{DataType, Field, Int64Type, SchemaRef, UInt64Type};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::pipeline::shapes::{Shapes, batch_schema};
use crate::pipeline::sink::Sink;
use crate::reject::Reject;
use crate::schema::{Places, RecordSchema, member_path, new_doubles};
use crate::spec::ResourceSpec;

/// Items that may wait between reading and whoever takes them; with `limits.batch_bytes` this
/// bounds the memory between them.
const ITEMS_IN_FLIGHT_MAX: usize = 2;

/// Something that came of reading a resource.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub(crate) enum ReadItem {
    /// The schema of the rows that follow: the first item, where there are rows at all, and again
    /// when the schema has grown. A column keeps its name; a wider type holds every value that came
    /// before.
    Schema(SchemaRef),
    /// Rows, in the order in which the API gave their records, each version of a record that came
    /// more than once.
    Rows(RecordBatch),
    /// Records that were refused.
    Rejects(Vec<Reject>),
    /// Values that did not fit and that null stands for in rows.
    Nulled(Vec<Reject>),
}

/// Hands on items through a bounded channel.
#[derive(Debug)]
pub(crate) struct BatchSink<'r> {
    resource: &'r ResourceSpec,
    items: mpsc::Sender<ReadItem>,
    schema: Arc<RecordSchema>,
    /// Where integers came that no double is.
    inexact: Places,
}

impl<'r> BatchSink<'r> {
    /// Returns a channel for the items of a reading.
    pub(crate) fn channel() -> (mpsc::Sender<ReadItem>, mpsc::Receiver<ReadItem>) {
        mpsc::channel(ITEMS_IN_FLIGHT_MAX)
    }

    /// Returns a sink for the rows of `resource`, which have at first the shape of the tables of
    /// `shapes`.
    pub(crate) async fn begin(resource: &'r ResourceSpec, shapes: &Shapes, items: mpsc::Sender<ReadItem>) -> Self {
        let mut sink = Self { resource, items, schema: Arc::clone(&shapes.table), inexact: Places::new() };
        // Nobody may be there to take it: the first rows will show that.
        sink.evolve(Arc::clone(&shapes.table)).await;
        sink
    }

    async fn send(&mut self, item: ReadItem) -> bool {
        self.items.send(item).await.is_ok()
    }
}

#[async_trait]
impl Sink for BatchSink<'_> {
    async fn write(&mut self, rows: RecordBatch) -> bool {
        for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
            note_inexact("$", field, column.as_ref(), &mut self.inexact);
        }
        self.send(ReadItem::Rows(rows)).await
    }

    async fn reject(&mut self, rejects: Vec<Reject>) -> bool {
        self.send(ReadItem::Rejects(rejects)).await
    }

    async fn note_nulled(&mut self, nulled: Vec<Reject>) -> bool {
        self.send(ReadItem::Nulled(nulled)).await
    }

    async fn evolve(&mut self, schema: Arc<RecordSchema>) -> bool {
        let item = ReadItem::Schema(batch_schema(self.resource, &schema));
        self.schema = schema;
        self.send(item).await
    }

    async fn fits(&mut self, schema: Arc<RecordSchema>) -> Option<bool> {
        let doubles = new_doubles(self.schema.columns(), schema.columns());
        (!self.items.is_closed()).then(|| doubles.is_disjoint(&self.inexact))
    }
}

/// Hands on what was refused, where there is no column and so no rows.
#[derive(Debug)]
pub(crate) struct RejectItems(pub(crate) mpsc::Sender<ReadItem>);

#[async_trait]
impl Sink for RejectItems {
    async fn reject(&mut self, rejects: Vec<Reject>) -> bool {
        self.0.send(ReadItem::Rejects(rejects)).await.is_ok()
    }
}

/// Adds the places of a column at which integers are that no double is. Elements of a list are at
/// the place of the list.
fn note_inexact(parent: &str, field: &Field, column: &dyn Array, places: &mut BTreeSet<String>) {
    let place = member_path(parent, field.name());
    note_inexact_at(place, column, places);
}

fn note_inexact_at(place: String, column: &dyn Array, places: &mut BTreeSet<String>) {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "compared right afterwards")]
    let is_double = |value: i128| value as f64 as i128 == value;
    let is_exact = match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().iter().flatten().all(|value| is_double(value.into())),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().iter().flatten().all(|value| is_double(value.into())),
        DataType::Struct(fields) => {
            for (field, member) in fields.iter().zip(column.as_struct().columns()) {
                note_inexact(&place, field, member.as_ref(), places);
            }
            true
        }
        DataType::List(_) => return note_inexact_at(place, column.as_list::<i32>().values().as_ref(), places),
        _ => true,
    };
    if !is_exact {
        places.insert(place);
    }
}
