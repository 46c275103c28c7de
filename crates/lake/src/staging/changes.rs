//! What a commit is going to do to the data files of a table. New files have no final names yet.

use std::collections::BTreeMap;

use object_store::path::Path;

use crate::staging::area::{StagedFile, StagingArea};

/// What a data file is known by: its path, relative to the table's folder, as the snapshot has it.
pub(crate) type FileId = String;

/// What a commit is going to do to the data files of a table.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Staged files that become data files. Of the files of one partition, the first gets the first
    /// name.
    pub(crate) adds: Vec<StagedFile>,
    /// Staged files that have the rows of one data file each, which they replace.
    pub(crate) rewrites: BTreeMap<FileId, StagedFile>,
    /// Data files that leave. Their rows are in `adds`, or leave, too.
    pub(crate) removes: Vec<FileId>,
}

impl Changes {
    /// Returns whether nothing changes.
    pub(crate) fn is_empty(&self) -> bool {
        self.adds.is_empty() && self.rewrites.is_empty() && self.removes.is_empty()
    }

    /// Returns where the files that come are staged.
    pub(crate) fn staged_paths(&self, area: &StagingArea) -> Vec<Path> {
        self.adds.iter().map(|file| area.naming.staged.file(file.number)).collect()
    }

    /// Adds changes of other files.
    pub(crate) fn extend(&mut self, other: Self) {
        self.adds.extend(other.adds);
        self.rewrites.extend(other.rewrites);
        self.removes.extend(other.removes);
    }
}
