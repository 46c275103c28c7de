//! What a commit is going to do to the data files.

use object_store::path::Path;

use crate::log::document::AddedFile;
use crate::storage::objects::Storage;
use lakefeed_model::error::Result;

/// What a commit does to the data files.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) adds: Vec<AddedFile>,
    pub(crate) removes: Vec<String>,
}

impl Changes {
    /// Where the files that come are staged.
    pub(crate) fn staged_paths(&self, storage: &Storage) -> Result<Vec<Path>> {
        self.adds.iter().map(|added| storage.resolve(&added.staged)).collect()
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.adds.extend(other.adds);
        self.removes.extend(other.removes);
    }
}
