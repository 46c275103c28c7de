//! Finds primary keys that are there more than once, by 128-bit fingerprints, a share of them at a
//! time.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array as _, RecordBatch};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt as _;

use crate::fingerprint::{Fingerprint, Fingerprinter};
use crate::maintain::verify::{Finding, FindingCode};
use crate::parquet::reader::{Part, Source, read};
use crate::storage::objects::Storage;
use crate::tasks::compute;
use lakefeed_model::error::Result;

/// Repeated keys that are named.
const EXAMPLES_MAX: usize = 5;

/// Takes the fingerprints of keys, one share of them at a time.
#[derive(Debug)]
pub(super) struct Sieve {
    pub(super) fingerprinter: Fingerprinter,
    pub(super) names: Vec<String>,
    /// The column that is null in current versions, where history is kept: only those have a key of
    /// their own.
    pub(super) valid_to: Option<String>,
    /// Into how many shares the keys are divided; a fingerprint says itself to which it belongs.
    pub(super) shares: u64,
}

impl Sieve {
    /// Adds the fingerprints of those keys of a batch that belong to `share`.
    pub(super) fn take(&self, batch: &RecordBatch, share: u64, keys: &mut Vec<Fingerprint>) -> Result<(), ArrowError> {
        let prints = self.prints(batch)?;
        let shares = u128::from(self.shares);
        let is_current = self.is_current(batch)?;
        let current = prints.into_iter().enumerate().filter(|(row, _)| is_current(*row)).map(|(_, print)| print);
        keys.extend(current.filter(|print| print % shares == u128::from(share)));
        Ok(())
    }

    /// Returns which rows of a batch have a key of their own.
    fn is_current(&self, batch: &RecordBatch) -> Result<impl Fn(usize) -> bool + use<>, ArrowError> {
        let missing = |name: &String| ArrowError::SchemaError(format!("the column {name} is missing"));
        let valid_to = match &self.valid_to {
            None => None,
            Some(name) => Some(batch.column_by_name(name).map(Arc::clone).ok_or_else(|| missing(name))?),
        };
        Ok(move |row| valid_to.as_ref().is_none_or(|valid_to| valid_to.is_null(row)))
    }

    /// Returns the columns that it needs.
    fn columns(&self) -> Vec<String> {
        self.names.iter().chain(&self.valid_to).cloned().collect()
    }

    fn prints(&self, batch: &RecordBatch) -> Result<Vec<Fingerprint>, ArrowError> {
        let missing = |name: &String| ArrowError::SchemaError(format!("the key column {name} is missing"));
        let columns =
            self.names.iter().map(|name| batch.column_by_name(name).map(Arc::clone).ok_or_else(|| missing(name)));
        self.fingerprinter.of(&columns.collect::<Result<Vec<_>, _>>()?)
    }
}

/// Looks for repeated keys in all shares; `keys` is the first one. `files` are those whose keys can
/// be read.
pub(super) async fn check(
    storage: &Storage,
    sieve: &Sieve,
    files: &[(String, Source)],
    mut keys: Vec<Fingerprint>,
    must_be_unique: bool,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let mut examples = Vec::new();
    let mut repeats = 0;
    for share in 0..sieve.shares {
        if share > 0 {
            keys.clear();
            for (_, source) in files {
                let mut batches = read(storage, source, Part::Columns(&sieve.columns())).await?;
                while let Some(batch) = batches.try_next().await? {
                    compute(|| sieve.take(&batch, share, &mut keys))
                        .map_err(|error| storage.unreadable("compare the keys of", &source.path, error))?;
                }
            }
        }
        compute(|| keys.sort_unstable());
        repeats += note_repeats(&keys, &mut examples);
    }
    drop(keys);
    if repeats == 0 {
        return Ok(());
    }
    let named = name_keys(storage, sieve, files, &examples).await?;
    let detail = format!("{repeats} rows have a key that another row has: {}", named.join("; "));
    let place = sieve.names.join(", ");
    findings.push(if must_be_unique {
        Finding::problem(FindingCode::KeyRepeated, place, detail)
    } else {
        let detail = format!("{detail} (rows came by append or replace, which merge nothing)");
        Finding::warning(FindingCode::KeyRepeated, place, detail)
    });
    Ok(())
}

/// Returns how many of the sorted keys are repeats of the one before; keeps a few of them.
fn note_repeats(sorted: &[Fingerprint], examples: &mut Vec<Fingerprint>) -> u64 {
    let mut repeats = 0;
    for (key, next) in sorted.iter().zip(sorted.iter().skip(1)) {
        if key == next {
            repeats += 1;
            if examples.len() < EXAMPLES_MAX && examples.last() != Some(key) {
                examples.push(*key);
            }
        }
    }
    repeats
}

/// Returns the repeated keys in words, each with the files that held it.
async fn name_keys(
    storage: &Storage,
    sieve: &Sieve,
    files: &[(String, Source)],
    examples: &[Fingerprint],
) -> Result<Vec<String>> {
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (path, source) in files {
        let mut batches = read(storage, source, Part::Columns(&sieve.columns())).await?;
        while let Some(batch) = batches.try_next().await? {
            let keys = compute(|| texts(sieve, &batch, examples))
                .map_err(|error| storage.unreadable("compare the keys of", &source.path, error))?;
            for key in keys {
                found.entry(key).or_default().push(path);
            }
        }
    }
    Ok(found.into_iter().map(|(key, places)| format!("{key} in {}", places.join(" and "))).collect())
}

/// Returns the keys of a batch that are among `wanted`, as text.
fn texts(sieve: &Sieve, batch: &RecordBatch, wanted: &[Fingerprint]) -> Result<Vec<String>, ArrowError> {
    let prints = sieve.prints(batch)?;
    let options = FormatOptions::default();
    let columns = sieve.names.iter().filter_map(|name| batch.column_by_name(name));
    let formatters = columns.map(|column| ArrayFormatter::try_new(column, &options)).collect::<Result<Vec<_>, _>>()?;
    let rows = prints.iter().enumerate().filter(|(_, print)| wanted.contains(print));
    let text = |row| formatters.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(", ");
    Ok(rows.map(|(row, _)| text(row)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_counted_all_and_named_a_few() {
        let mut examples = Vec::new();
        assert_eq!(note_repeats(&[1, 2, 2, 2, 3, 5, 5], &mut examples), 3);
        assert_eq!(examples, [2, 5]);
        assert_eq!(note_repeats(&[7, 8], &mut examples), 0);
        let many = (0..20).flat_map(|key| [key, key]).collect::<Vec<_>>();
        assert_eq!(note_repeats(&many, &mut examples), 20);
        assert_eq!(examples.len(), EXAMPLES_MAX);
    }
}
