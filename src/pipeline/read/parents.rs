//! The fields of a parent's records that its children are asked with, kept until the children's
//! turn. A parent that comes twice is asked for its children once.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use tempfile::{SpooledTempFile, spooled_tempfile_in};
use twox_hash::XxHash3_128;

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
    /// First those that requests are made of.
    fields: Vec<JsonPath>,
    asked_with: usize,
    temporary_folder: PathBuf,
    spool: BufReader<SpooledTempFile>,
    rows: u64,
    /// What is asked with so far, by its hash: about 32 bytes a parent.
    known: HashSet<u128>,
}

impl ParentRows {
    /// Returns no rows yet, of the fields that `children` want of the resource of `run`.
    pub(crate) fn new<'c>(run: &ResourceRun<'_>, children: impl Iterator<Item = &'c ResourceSpec>) -> Self {
        let children: Vec<_> = children.filter_map(|child| child.parent.as_ref()).collect();
        let mut fields: Vec<JsonPath> = Vec::new();
        let mut add = |wanted: &mut dyn Iterator<Item = &JsonPath>| {
            for field in wanted {
                if !fields.contains(field) {
                    fields.push(field.clone());
                }
            }
            fields.len()
        };
        let asked_with = add(&mut children.iter().flat_map(|child| &child.fields));
        add(&mut children.iter().flat_map(|child| &child.include).map(|(path, _)| path));
        Self::of(run.name(), (fields, asked_with), run.components.temporary_folder.clone())
    }

    /// Returns no rows yet, of the same fields.
    pub(crate) fn emptied(&self) -> Self {
        Self::of(self.parent.clone(), (self.fields.clone(), self.asked_with), self.temporary_folder.clone())
    }

    fn of(parent: String, (fields, asked_with): (Vec<JsonPath>, usize), temporary_folder: PathBuf) -> Self {
        let spool = BufReader::new(spooled_tempfile_in(MEMORY_BYTES_MAX, &temporary_folder));
        Self { parent, fields, asked_with, temporary_folder, spool, rows: 0, known: HashSet::new() }
    }

    /// Returns whether any child wants anything.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.fields.is_empty()
    }

    /// Returns how many rows there are.
    pub(crate) fn len(&self) -> u64 {
        self.rows
    }

    /// Takes the fields of a record, unless one came before that asks for the same.
    ///
    /// # Errors
    /// When the record lacks one of them; the error names those that it has.
    pub(crate) fn take(&mut self, record: RawRecord<'_>) -> Result<()> {
        let whole = record.text();
        let record = RawRecord::new(&whole);
        let mut line = String::from("{");
        let mut asked_end = line.len();
        for (position, field) in self.fields.iter().enumerate() {
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
            if position < self.asked_with {
                asked_end = line.len();
            }
        }
        if !self.known.insert(XxHash3_128::oneshot(line.as_bytes().get(..asked_end).unwrap_or_default())) {
            return Ok(());
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
        let fields: Vec<_> = fields.iter().map(|field| JsonPath::parse(field).unwrap()).collect();
        let asked_with = fields.len().min(1);
        ParentRows::of("posts".to_owned(), (fields, asked_with), Environment::empty().temporary_folder())
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
    fn a_parent_that_comes_twice_is_asked_once() {
        for fields in [&["id"][..], &["id", "name"]] {
            let mut rows = rows(fields);
            for (id, name) in [("1", "a"), ("2", "b"), ("1", "c"), ("\"1\"", "d")] {
                rows.take(RawRecord::new(&format!("{{\"id\":{id},\"name\":\"{name}\"}}"))).unwrap();
            }
            rows.rewind().unwrap();
            let mut ids = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                ids.push(row.raw(&JsonPath::keys(["id"])).unwrap().to_owned());
            }
            assert_eq!(ids, ["1", "2", "\"1\""], "{fields:?}");
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
