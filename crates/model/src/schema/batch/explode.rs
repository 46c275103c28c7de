//! Batches of records as batches of their table and of the tables of their lists. Pure.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array, ListArray, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::error::ArrowError;

use crate::schema::batch::reshape::{relabelled, within};
use crate::schema::table::child_tables::{ChildTable, Parts};

/// The items of a list of each record of a batch, as rows of their table.
#[derive(Debug, Clone, PartialEq)]
pub struct Items {
    /// The rows, in the order of the records.
    pub rows: RecordBatch,
    /// The record of each of them: its place in the batch. They ascend.
    pub records: Vec<u32>,
    /// The places of each of them in the lists around it, the outermost list first.
    pub indexes: Vec<Int64Array>,
}

/// What the items of a list are, before they are rows.
struct Unfolded {
    records: Vec<u32>,
    indexes: Vec<Int64Array>,
    values: ArrayRef,
}

impl Parts {
    /// Returns the rows of the records' own table. The column that says which of them delete stays,
    /// where there is one.
    ///
    /// # Errors
    /// When the batch is not of the whole.
    pub fn own_rows(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let lists = self.children.iter().filter(|child| child.within.is_none()).count();
        let deletes = self.kept.len() + lists;
        let kept: Vec<usize> = self.kept.iter().copied().chain(deletes..batch.num_columns()).collect();
        batch.project(&kept)
    }

    /// Returns the items of every list of the records of a batch, in the order of
    /// [`Parts::children`]. A list that is null has none.
    ///
    /// # Errors
    /// When the batch is not of the whole.
    pub fn explode(&self, batch: &RecordBatch) -> Result<Vec<Items>, ArrowError> {
        let mut unfolded: Vec<Unfolded> = Vec::with_capacity(self.children.len());
        for child in &self.children {
            let around = child.within.and_then(|table| unfolded.get(table));
            unfolded.push(unfold(child, batch, around)?);
        }
        self.children.iter().zip(unfolded).map(|(child, items)| rows_of(child, batch, items)).collect()
    }
}

fn foreign() -> ArrowError {
    ArrowError::SchemaError("a batch does not have the lists of its records".to_owned())
}

fn unfold(child: &ChildTable, batch: &RecordBatch, around: Option<&Unfolded>) -> Result<Unfolded, ArrowError> {
    let list = match (around, child.list.split_first()) {
        (Some(around), _) => within(&around.values, &child.list)?,
        (None, Some((column, rest))) => within(batch.columns().get(*column).ok_or_else(foreign)?, rest)?,
        (None, None) => return Err(foreign()),
    };
    let list = list.as_list_opt::<i32>().ok_or_else(foreign)?;
    let (owners, places, values) = items_of(list)?;
    let Some(around) = around else {
        return Ok(Unfolded { records: owners, indexes: vec![Int64Array::from(places)], values });
    };
    let records = owners.iter().filter_map(|owner| around.records.get(*owner as usize).copied()).collect();
    let owners = UInt32Array::from(owners);
    let outer = around.indexes.iter().map(|indexes| take(indexes, &owners, None));
    let outer = outer.map(|taken| taken.map(|taken| taken.as_primitive().clone()));
    let indexes = outer.chain([Ok(Int64Array::from(places))]).collect::<Result<_, _>>()?;
    Ok(Unfolded { records, indexes, values })
}

/// Returns the items of lists: the row of each, its place in the list of that row, and the items
/// themselves.
fn items_of(lists: &ListArray) -> Result<(Vec<u32>, Vec<i64>, ArrayRef), ArrowError> {
    let count = lists.offsets().last().zip(lists.offsets().first()).map_or(0, |(last, first)| last - first);
    let room = usize::try_from(count).unwrap_or(0);
    let (mut owners, mut places, mut spans) = (Vec::with_capacity(room), Vec::with_capacity(room), Spans::default());
    for (row, bounds) in (0_u32..).zip(lists.offsets().windows(2)) {
        // Under a list that is null there may be items all the same.
        if lists.is_null(row as usize) {
            continue;
        }
        let &[first, end] = bounds else { return Err(foreign()) };
        let (first, end) = (u32::try_from(first), u32::try_from(end));
        let (first, end) = first.and_then(|first| Ok((first, end?))).map_err(|_| foreign())?;
        owners.extend(std::iter::repeat_n(row, (end - first) as usize));
        places.extend(0..i64::from(end - first));
        spans.push(first..end);
    }
    Ok((owners, places, spans.of(lists.values())?))
}

/// Stretches of an array, one after another.
#[derive(Default)]
struct Spans(Vec<Range<u32>>);

impl Spans {
    fn push(&mut self, span: Range<u32>) {
        match self.0.last_mut() {
            Some(last) if last.end == span.start => last.end = span.end,
            _ if span.is_empty() => {}
            _ => self.0.push(span),
        }
    }

    fn of(self, values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        match self.0.as_slice() {
            [] => Ok(values.slice(0, 0)),
            // Nothing need be copied.
            [only] => Ok(values.slice(only.start as usize, only.len())),
            _ => take(values, &UInt32Array::from_iter_values(self.0.into_iter().flatten()), None),
        }
    }
}

fn rows_of(child: &ChildTable, batch: &RecordBatch, items: Unfolded) -> Result<Items, ArrowError> {
    let Unfolded { records, indexes, values } = items;
    let schema = child.schema.to_arrow();
    let owners = UInt32Array::from(records.clone());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for key in child.key_in(batch)? {
        columns.push(take(&key, &owners, None)?);
    }
    columns.extend(indexes.iter().map(|indexes| Arc::new(indexes.clone()) as ArrayRef));
    for path in &child.items {
        columns.push(within(&values, path)?);
    }
    let columns = columns.iter().zip(schema.fields()).map(|(column, field)| relabelled(column, field));
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_, _>>()?)?;
    Ok(Items { rows, records, indexes })
}

impl ChildTable {
    /// Returns the columns of a batch of the whole that are the key of its records.
    ///
    /// # Errors
    /// When the batch is not of the whole.
    pub fn key_in(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, ArrowError> {
        self.keys.iter().map(|name| batch.column_by_name(name).cloned().ok_or_else(foreign)).collect()
    }
}

#[cfg(test)]
mod tests;
