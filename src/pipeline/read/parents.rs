//! The fields of a parent's records that its children are asked with, kept until the children's
//! turn.

use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use tempfile::{SpooledTempFile, spooled_tempfile_in};

use crate::decode::RawRecord;
use crate::error::{Error, Result};
use crate::extract::ParentRow;
use crate::pipeline::context::ResourceRun;
use crate::spec::{JsonPath, ResourceSpec};

/// Bytes that are kept in memory; more go to a temporary file.
const MEMORY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The fields of a parent's records, in the order of the records.
#[derive(Debug)]
pub(crate) struct ParentRows {
    parent: String,
    fields: Vec<JsonPath>,
    temporary_folder: PathBuf,
    spool: BufReader<SpooledTempFile>,
    rows: u64,
}

impl ParentRows {
    /// Returns no rows yet, of the fields that `children` want of the resource of `run`.
    pub(crate) fn new<'c>(run: &ResourceRun<'_>, children: impl Iterator<Item = &'c ResourceSpec>) -> Self {
        let mut fields: Vec<JsonPath> = Vec::new();
        for child in children.filter_map(|child| child.parent.as_ref()) {
            for field in child.fields.iter().chain(child.include.iter().map(|(path, _)| path)) {
                if !fields.contains(field) {
                    fields.push(field.clone());
                }
            }
        }
        Self::of(run.name(), fields, run.components.temporary_folder.clone())
    }

    /// Returns no rows yet, of the same fields.
    pub(crate) fn emptied(&self) -> Self {
        Self::of(self.parent.clone(), self.fields.clone(), self.temporary_folder.clone())
    }

    fn of(parent: String, fields: Vec<JsonPath>, temporary_folder: PathBuf) -> Self {
        let spool = BufReader::new(spooled_tempfile_in(MEMORY_BYTES_MAX, &temporary_folder));
        Self { parent, fields, temporary_folder, spool, rows: 0 }
    }

    /// Returns whether any child wants anything.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.fields.is_empty()
    }

    /// Returns how many rows there are.
    pub(crate) fn len(&self) -> u64 {
        self.rows
    }

    /// Takes the fields of a record.
    ///
    /// # Errors
    /// When the record lacks one of them; the error names those that it has.
    pub(crate) fn take(&mut self, record: RawRecord<'_>) -> Result<()> {
        let whole = record.text();
        let record = RawRecord::new(&whole);
        let mut line = String::from("{");
        for field in &self.fields {
            let Some(raw) = record.find(field) else {
                return Err(Error::source_unreadable(format!("a record of {} has no field {field}", self.parent))
                    .with_hint(format!("its fields are: {}", record.keys().join(", "))));
            };
            if line.len() > 1 {
                line.push(',');
            }
            line.push_str(&serde_json::Value::String(field.to_string()).to_string());
            line.push(':');
            // A value may be written over several lines; between its tokens a space is as good.
            line.extend(
                raw.chars().map(|character| if character == '\n' || character == '\r' { ' ' } else { character }),
            );
        }
        line.push_str("}\n");
        self.rows += 1;
        self.spool.get_mut().write_all(line.as_bytes()).map_err(lost)
    }

    /// Goes back to the first row.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub(crate) fn rewind(&mut self) -> Result<()> {
        self.spool.seek(SeekFrom::Start(0)).map(drop).map_err(lost)
    }

    /// Returns the next row.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<ParentRow>> {
        let mut line = String::new();
        if self.spool.read_line(&mut line).map_err(lost)? == 0 {
            return Ok(None);
        }
        let record = RawRecord::new(line.trim_end());
        let values = self.fields.iter().filter_map(|field| {
            let key = JsonPath::keys([field.to_string()]);
            Some((field.to_string(), record.find(&key)?.to_owned()))
        });
        Ok(Some(ParentRow::new(values)))
    }
}

fn lost(error: std::io::Error) -> Error {
    Error::storage("the parents' keys could not be kept in a temporary file")
        .with_source(error)
        .with_hint("check the space in the folder for temporary files (TMPDIR)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    fn rows(fields: &[&str]) -> ParentRows {
        let fields = fields.iter().map(|field| JsonPath::parse(field).unwrap()).collect();
        ParentRows::of("posts".to_owned(), fields, Environment::empty().temporary_folder())
    }

    #[test]
    fn fields_come_back_as_they_were_written() {
        let mut rows = rows(&["id", "author.name"]);
        rows.take(RawRecord::new("{\"id\":9007199254740993,\"author\":{\"name\":\"a\\nb\"}}")).unwrap();
        rows.take(RawRecord::new("{\"author\":{\"name\":[1,\n2]},\"id\":1.50}")).unwrap();
        for _ in 0..2 {
            rows.rewind().unwrap();
            let raw = |row: &ParentRow, path: &str| row.raw(&JsonPath::parse(path).unwrap()).unwrap().to_owned();
            let first = rows.next().unwrap().unwrap();
            assert_eq!(
                (raw(&first, "id"), raw(&first, "author.name")),
                ("9007199254740993".into(), "\"a\\nb\"".into())
            );
            let second = rows.next().unwrap().unwrap();
            assert_eq!((raw(&second, "id"), raw(&second, "author.name")), ("1.50".into(), "[1, 2]".into()));
            assert_eq!(rows.next().unwrap(), None);
        }
    }

    #[test]
    fn what_does_not_fit_into_memory_is_kept_all_the_same() {
        let mut rows = rows(&["id"]);
        let text = "x".repeat(MEMORY_BYTES_MAX / 64);
        for id in 0..80 {
            rows.take(RawRecord::new(&format!("{{\"id\":\"{id}{text}\"}}"))).unwrap();
        }
        rows.rewind().unwrap();
        let mut count = 0;
        while rows.next().unwrap().is_some() {
            count += 1;
        }
        assert_eq!((count, rows.len()), (80, 80));
    }

    #[test]
    fn a_missing_field_is_an_error_that_names_those_that_are_there() {
        let error = rows(&["uuid"]).take(RawRecord::new("{\"id\":1,\"title\":\"t\"}")).unwrap_err();
        assert_eq!(error.message(), "a record of posts has no field uuid");
        assert_eq!(error.hints(), ["its fields are: id, title"]);
    }
}
