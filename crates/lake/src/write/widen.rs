//! Writes rows of a narrower shape in the wider one: those that the run has staged before its
//! schema evolved, and those of the table where readers could not read files of both shapes
//! together.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::evolve::reconcile::{conform, names_of};
use crate::log::snapshot::Snapshot;
use crate::merge::incoming::IncomingKeys;
use crate::parquet::reader::{Part, Source, are_all_doubles, conform_error, read};
use crate::parquet::row_set::RowLocation;
use crate::staging::area::{StagedFile, StagingArea};
use crate::staging::changes::{Changes, FileId};
use crate::staging::partition::Partition;
use crate::storage::layout::folder_of;
use crate::storage::objects::Storage;
use crate::tasks::{files_in_flight, spawn};
use lakefeed_model::error::Result;

/// Writes the staged files with the numbers `narrower` anew, row by row at the same position.
/// `incoming_keys` must be settled.
pub(crate) async fn widen_staged(
    area: &StagingArea,
    staged: &mut [StagedFile],
    narrower: &BTreeSet<u32>,
    incoming_keys: &mut Option<IncomingKeys>,
) -> Result<()> {
    for file in staged.iter_mut().filter(|file| narrower.contains(&file.number)) {
        let source = area.source(file);
        let number = file.number;
        let wider =
            area.rewrite(&source, Arc::clone(&file.partition), |batch, location| match incoming_keys.as_mut() {
                Some(incoming_keys) => {
                    incoming_keys.restaged(batch, RowLocation { file: number, row: location.row }, location)
                }
                None => Ok(()),
            });
        *file = wider.await?;
        if let Some(incoming_keys) = incoming_keys
            && let Some(dropped) = incoming_keys.dropped.remove(&number)
        {
            incoming_keys.dropped.insert(file.number, dropped);
        }
        area.storage.delete(&source.path).await?;
    }
    Ok(())
}

/// Writes every file of the table that `changes` leaves alone anew.
pub(crate) async fn widen_table(area: &StagingArea, snapshot: &Snapshot, changes: &mut Changes) -> Result<()> {
    let touched: BTreeSet<&FileId> = changes.removes.iter().collect();
    let mut shared = area.clone();
    shared.limits.writer_buffer_bytes /= files_in_flight();
    let rewrites = snapshot.files.iter().filter(|(path, _)| !touched.contains(path)).map(|(path, file)| {
        let (area, path) = (shared.clone(), path.clone());
        let (bytes, values) = (file.bytes, file.partition.clone());
        spawn(async move {
            let partition = Arc::new(Partition { path: folder_of(&path).to_owned(), values });
            let source = Source { path: area.storage.resolve(&path)?, bytes };
            let written = area.rewrite(&source, partition, |_, _| Ok(())).await?;
            Ok((path, written))
        })
    });
    let rewrites = rewrites.collect::<Vec<_>>();
    let mut done = stream::iter(rewrites).buffered(files_in_flight());
    while let Some((path, written)) = done.try_next().await? {
        changes.rewrites.insert(path, written);
    }
    Ok(())
}

/// Returns whether the rows of all files fit the columns of `shape`, as far as the files have them.
pub(crate) async fn fit(storage: &Storage, sources: Vec<Source>, shape: &SchemaRef) -> Result<bool> {
    let checks = sources.into_iter().map(|source| {
        let (storage, shape) = (storage.clone(), Arc::clone(shape));
        spawn(async move { fits(&storage, &source, &shape).await })
    });
    let checks = checks.collect::<Vec<_>>();
    let mut checks = stream::iter(checks).buffered(files_in_flight());
    while let Some(fits) = checks.try_next().await? {
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads only the columns in question, and those only where the statistics of the file do not tell.
async fn fits(storage: &Storage, source: &Source, shape: &SchemaRef) -> Result<bool> {
    let names = shape.fields().iter().flat_map(|field| names_of(field)).collect::<Vec<_>>();
    if are_all_doubles(storage, source, &names).await? {
        return Ok(true);
    }
    let mut batches = read(storage, source, Part::Columns(&names)).await?;
    while let Some(batch) = batches.try_next().await? {
        match conform(&batch, shape) {
            Ok(_) => {}
            Err(ArrowError::CastError(_)) => return Ok(false),
            Err(error) => return Err(conform_error(storage, "read", &source.path, error)),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
