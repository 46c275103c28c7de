//! arrow-json's decoder. It knows records only, so sonic-rs cuts them out of the page. It has no columns of raw JSON, so `reminders`, whose members are known, has a type.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow_json::ReaderBuilder;
use arrow_json::reader::Decoder;
use serde::Deserialize;

use crate::rows::Outcome;

pub(crate) struct ArrowJson {
    decoder: Decoder,
    pub(crate) rows: usize,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<sonic_rs::LazyValue<'a>>,
}

impl ArrowJson {
    pub(crate) fn new(schema: &SchemaRef) -> Self {
        let fields: Vec<Field> = schema.fields().iter().map(known).collect();
        let decoder = ReaderBuilder::new(Arc::new(Schema::new(fields))).with_batch_size(64 * 1024).build_decoder();
        Self { decoder: decoder.expect("the schema is known"), rows: 0 }
    }

    pub(crate) fn page(&mut self, bytes: &[u8]) -> Outcome<()> {
        let page: Page<'_> = sonic_rs::from_slice(bytes)?;
        for record in page.items {
            let text = record.as_raw_str();
            if self.decoder.decode(text.as_bytes())? != text.len() {
                return Err("the batch is full".into());
            }
            self.rows += 1;
        }
        Ok(())
    }

    pub(crate) fn take(&mut self) -> Outcome<RecordBatch> {
        self.rows = 0;
        Ok(self.decoder.flush()?.ok_or("no rows")?)
    }
}

/// The field as arrow-json knows it: without the names of time zones, and `reminders` as an object.
fn known(field: &FieldRef) -> Field {
    if field.name() == "reminders" {
        let method = Field::new("method", DataType::Utf8, true);
        let item = DataType::Struct(Fields::from(vec![method, Field::new("minutes", DataType::Int64, true)]));
        let list = DataType::List(Arc::new(Field::new("item", item, true)));
        let fields = vec![Field::new("useDefault", DataType::Boolean, true), Field::new("overrides", list, true)];
        return Field::new("reminders", DataType::Struct(Fields::from(fields)), true);
    }
    let data_type = match field.data_type() {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("+00:00".into())),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(known).collect()),
        DataType::List(item) => DataType::List(Arc::new(known(item))),
        other => other.clone(),
    };
    Field::new(field.name(), data_type, field.is_nullable())
}
