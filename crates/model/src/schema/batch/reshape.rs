//! Batches of records as batches of a table whose names or nesting are others. Pure.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, BooleanArray, ListArray, MapArray, RecordBatch, StructArray};
use arrow::buffer::NullBuffer;
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Field, Fields, SchemaRef};
use arrow::error::ArrowError;

use crate::schema::table::deletes::DELETES_COLUMN;
use crate::schema::types::record::RecordSchema;

/// Makes batches of a table out of batches of its records.
#[derive(Debug, Clone)]
pub struct Reshaper {
    target: SchemaRef,
    /// Where each column is in a batch of records: a column, and places within objects.
    places: Vec<Vec<usize>>,
}

impl Reshaper {
    /// Returns a maker of batches of `target`, the Arrow form of `table`, out of those of
    /// `records`. Either may have the column that says which rows delete.
    ///
    /// # Errors
    /// When the records lack what a column is made of.
    pub fn new(records: &SchemaRef, table: &RecordSchema, target: SchemaRef) -> Result<Self, ArrowError> {
        let place = |field: &Arc<Field>| {
            let path = if field.name() == DELETES_COLUMN {
                vec![DELETES_COLUMN.to_owned()]
            } else {
                table.source_of(field.name())
            };
            place_of(records.fields(), &path).ok_or_else(|| {
                ArrowError::SchemaError(format!("the records lack {}, of which a column is made", path.join(".")))
            })
        };
        let places = target.fields().iter().map(place).collect::<Result<_, _>>()?;
        Ok(Self { target, places })
    }

    /// Returns the rows of `batch` as rows of the table. The fields of an object that is null are
    /// null.
    ///
    /// # Errors
    /// When the batch is not of the schema of the records.
    pub fn reshape(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = self.places.iter().zip(self.target.fields());
        let columns = columns.map(|(place, field)| relabelled(&taken(batch, place)?, field));
        RecordBatch::try_new(SchemaRef::clone(&self.target), columns.collect::<Result<_, _>>()?)
    }
}

fn place_of(fields: &Fields, path: &[String]) -> Option<Vec<usize>> {
    let (name, rest) = path.split_first()?;
    let (place, field) = fields.find(name)?;
    let mut places = vec![place];
    if !rest.is_empty() {
        let DataType::Struct(members) = field.data_type() else { return None };
        places.extend(place_of(members, rest)?);
    }
    Some(places)
}

/// Returns what is at `place`, null where an object around it is.
fn taken(batch: &RecordBatch, place: &[usize]) -> Result<ArrayRef, ArrowError> {
    let foreign = || ArrowError::SchemaError("a batch does not have the shape of its records".to_owned());
    let (first, rest) = place.split_first().ok_or_else(foreign)?;
    within(batch.columns().get(*first).ok_or_else(foreign)?, rest)
}

/// Returns what is at `place` within objects, null where an object around it is; the array itself
/// where it is nowhere within.
pub(crate) fn within(array: &ArrayRef, place: &[usize]) -> Result<ArrayRef, ArrowError> {
    let foreign = || ArrowError::SchemaError("a batch does not have the shape of its records".to_owned());
    let mut array = Arc::clone(array);
    let mut above: Option<NullBuffer> = None;
    for member in place {
        let object = array.as_struct_opt().ok_or_else(foreign)?;
        above = NullBuffer::union(above.as_ref(), object.nulls());
        let member = Arc::clone(object.columns().get(*member).ok_or_else(foreign)?);
        array = member;
    }
    match above.filter(|above| above.null_count() > 0) {
        Some(above) => nullif(array.as_ref(), &BooleanArray::new(!above.inner(), None)),
        None => Ok(array),
    }
}

/// Returns the same values with the names that `field` has.
pub(crate) fn relabelled(array: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == field.data_type() {
        return Ok(Arc::clone(array));
    }
    let foreign = || {
        ArrowError::SchemaError(format!(
            "column {} is {}, expected {}",
            field.name(),
            array.data_type(),
            field.data_type()
        ))
    };
    match (array.data_type(), field.data_type()) {
        (DataType::Struct(known), DataType::Struct(fields)) if known.len() == fields.len() => {
            let object = array.as_struct();
            let members = object.columns().iter().zip(fields).map(|(member, field)| relabelled(member, field));
            let members = members.collect::<Result<Vec<_>, _>>()?;
            let nulls = object.nulls().cloned();
            Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), members, nulls, object.len())?))
        }
        (DataType::List(_), DataType::List(element)) => {
            let list = array.as_list::<i32>();
            let values = relabelled(list.values(), element)?;
            let nulls = list.nulls().cloned();
            Ok(Arc::new(ListArray::try_new(Arc::clone(element), list.offsets().clone(), values, nulls)?))
        }
        (DataType::Map(_, _), DataType::Map(entries, is_sorted)) => {
            let map = array.as_map();
            let whole: ArrayRef = Arc::new(map.entries().clone());
            let whole = relabelled(&whole, entries)?.as_struct().clone();
            let nulls = map.nulls().cloned();
            Ok(Arc::new(MapArray::try_new(Arc::clone(entries), map.offsets().clone(), whole, nulls, *is_sorted)?))
        }
        _ => Err(foreign()),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::schema::table::naming::Naming;
    use crate::schema::table::table_shape::TableShape;
    use crate::schema::types::record::{Column, ColumnType};

    #[test]
    fn what_lies_under_an_object_that_is_null_is_not_seen() {
        let column = |name: &str, column_type, nullable| Column { name: name.to_owned(), column_type, nullable };
        let inner = column("i", ColumnType::Struct(vec![column("a", ColumnType::Int64, false)]), true);
        let records = RecordSchema::new(vec![column("o", ColumnType::Struct(vec![inner]), true)]).unwrap();
        let schema = records.to_arrow();
        let DataType::Struct(outer) = schema.field(0).data_type() else { panic!("no object") };
        let DataType::Struct(innermost) = outer[0].data_type() else { panic!("no object") };
        let object = |fields: &Fields, member: ArrayRef, valid: [bool; 4]| -> ArrayRef {
            Arc::new(StructArray::new(fields.clone(), vec![member], Some(NullBuffer::from(valid.to_vec()))))
        };
        let inner = object(innermost, Arc::new(Int64Array::from(vec![1, 2, 3, 4])), [true, false, true, true]);
        let batch =
            RecordBatch::try_new(Arc::clone(&schema), vec![object(outer, inner, [true, true, false, true])]).unwrap();
        let table =
            TableShape { naming: Naming::AsIs, flattens: true, has_child_tables: false }.table_of(&records).unwrap();
        let reshaper = Reshaper::new(&batch.schema(), &table, table.to_arrow()).unwrap();
        let column = Arc::clone(reshaper.reshape(&batch).unwrap().column(0));
        assert_eq!(column.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), None, None, Some(4)]);
    }

    #[test]
    fn a_column_is_made_of_something() {
        let column = |name: &str| Column { name: name.to_owned(), column_type: ColumnType::Int64, nullable: true };
        let schema = |name: &str| RecordSchema::new(vec![column(name)]).unwrap();
        let error = Reshaper::new(&schema("a").to_arrow(), &schema("b"), schema("b").to_arrow()).unwrap_err();
        assert!(error.to_string().contains("the records lack b"), "{error}");
    }
}
