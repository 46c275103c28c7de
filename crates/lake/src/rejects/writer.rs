//! Writes the refused records of a run, as one Parquet file beside the table. Its name does not end
//! in `.parquet`.
//!
//! The file is written once and never changed. The commit of a later run says which of its rejects
//! became rows, so both are one step: whatever crashes, a reject is tried again until the commit
//! that holds its row, and never after it.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use object_store::path::Path;
use parquet::arrow::ArrowWriter;

use crate::log::document::RejectsFile;
use crate::parquet::properties::plain_options;
use crate::storage::layout::rejects_name;
use crate::storage::objects::{Storage, staged_name};
use crate::storage::upload::Upload;
use crate::tasks::compute;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::reject::Reject;
use lakefeed_model::spec::Limits;

/// A row group is flushed when it holds this much.
const FLUSH_BYTES: usize = 8 * 1024 * 1024;

/// Stages the rejects of one run.
#[derive(Debug)]
pub(crate) struct RejectsWriter {
    run_id: String,
    resource: String,
    schema: SchemaRef,
    writer: ArrowWriter<Vec<u8>>,
    upload: Upload,
    rows: u64,
}

impl RejectsWriter {
    pub(crate) fn new(storage: &Storage, path: Path, run_id: &str, resource: &str, limits: &Limits) -> Result<Self> {
        let schema = schema();
        let writer = plain_options(&schema, limits)
            .and_then(|options| ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options))
            .map_err(|error| storage.failed("encode", &path, error))?;
        let upload = Upload::new(Arc::clone(&storage.store), path);
        Ok(Self { run_id: run_id.to_owned(), resource: resource.to_owned(), schema, writer, upload, rows: 0 })
    }

    pub(crate) async fn write(&mut self, storage: &Storage, rejects: &[Reject]) -> Result<()> {
        let path = self.upload.path().clone();
        let encoded = self.batch(rejects).map_err(parquet::errors::ParquetError::from);
        let written = encoded.and_then(|batch| {
            compute(|| {
                self.writer.write(&batch)?;
                if self.writer.memory_size() >= FLUSH_BYTES { self.writer.flush() } else { Ok(()) }
            })
        });
        written.map_err(|error| storage.failed("encode", &path, error))?;
        self.rows += rejects.len() as u64;
        self.drain(storage).await
    }

    /// Completes the staged file.
    pub(crate) async fn finish(mut self, storage: &Storage) -> Result<RejectsFile> {
        let staged = self.upload.path().clone();
        self.writer.finish().map_err(|error| storage.failed("encode", &staged, error))?;
        self.drain(storage).await?;
        let bytes = self.upload.finish().await.map_err(|error| storage.failed("stage", &staged, error))?;
        Ok(RejectsFile {
            path: staged_name(storage, &free_name(storage, &self.run_id).await?),
            staged: staged_name(storage, &staged),
            bytes,
            rows: self.rows,
        })
    }

    /// Ends without a commit: the records are kept all the same, or not.
    pub(crate) async fn end(self, storage: &Storage, is_kept: bool) -> Result<()> {
        if !is_kept {
            self.upload.abort().await;
            return Ok(());
        }
        let file = self.finish(storage).await?;
        keep(storage, &file).await
    }

    async fn drain(&mut self, storage: &Storage) -> Result<()> {
        let path = self.upload.path().clone();
        self.writer.sync().map_err(|error| storage.failed("encode", &path, error))?;
        let bytes = std::mem::take(self.writer.inner_mut());
        if bytes.is_empty() {
            return Ok(());
        }
        self.upload.write(bytes.into()).await.map_err(|error| storage.failed("stage", &path, error))
    }

    fn batch(&self, rejects: &[Reject]) -> Result<RecordBatch, arrow::error::ArrowError> {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let texts = |text: fn(&Reject) -> &str| -> ArrayRef {
            Arc::new(rejects.iter().map(|reject| Some(text(reject))).collect::<StringArray>())
        };
        let constant =
            |text: &str| -> ArrayRef { Arc::new(rejects.iter().map(|_| Some(text)).collect::<StringArray>()) };
        let pages = rejects.iter().map(|reject| number(reject.page)).collect::<Int64Array>();
        let positions = rejects.iter().map(|reject| number(reject.position)).collect::<Int64Array>();
        RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![
                constant(&self.run_id),
                constant(&self.resource),
                Arc::new(pages),
                Arc::new(positions),
                texts(|reject| &reject.path),
                texts(|reject| reject.code.as_str()),
                texts(|reject| &reject.reason),
                texts(|reject| &reject.raw),
            ],
        )
    }
}

/// Puts a completed staged file under its name, for good.
///
/// # Errors
/// When the store fails, or the staged file is gone.
pub(crate) async fn keep(storage: &Storage, file: &RejectsFile) -> Result<()> {
    let (from, to) = (storage.resolve(&file.staged)?, storage.resolve(&file.path)?);
    storage.sync_content(std::slice::from_ref(&from)).await?;
    if storage.copy(&from, &to).await? {
        storage.sync_names(&[to]).await
    } else {
        Err(Error::storage(format!("the staged rejects {} are gone", storage.show(&from))))
    }
}

/// Returns the name of the run's next file of rejects: a run that reads several windows has one for
/// each of them.
async fn free_name(storage: &Storage, run_id: &str) -> Result<Path> {
    let taken = storage.list(&storage.layout.all_rejects()).await?;
    let mut before = 0;
    loop {
        let name = storage.layout.rejects(run_id, before);
        let own = rejects_name(name.filename().unwrap_or_default());
        let others = taken.iter().filter_map(|object| object.location.filename());
        if others.map(rejects_name).all(|(stem, _)| stem != own.0) {
            return Ok(name);
        }
        before += 1;
    }
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let number = |name: &str| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(vec![
        text("run_id"),
        text("resource"),
        number("page"),
        number("position"),
        text("path"),
        text("code"),
        text("reason"),
        text("raw"),
    ]))
}

#[cfg(test)]
mod tests;
