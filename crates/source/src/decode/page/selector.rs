//! Where the records of a page are.

use lakefeed_model::spec::JsonPath;

use crate::decode::error::{DecodeError, PageResult};
use crate::decode::json::scanner::Scanner;
use crate::decode::walk::detect::detect;
use crate::decode::walk::hints::hints;
use crate::paginate::{PagingHints, Questions};

/// Where the records of a page are, and who said so.
#[derive(Debug, Clone)]
pub(super) enum Selector {
    Configured(JsonPath),
    Detected(JsonPath),
    /// No page was seen yet.
    Undetected,
}

impl Selector {
    pub(super) fn new(configured: Option<JsonPath>) -> Self {
        configured.map_or(Self::Undetected, Self::Configured)
    }

    /// Returns the selector, which the page at `scanner` decides if nothing else has.
    pub(super) fn for_page(&self, scanner: &Scanner<'_>) -> PageResult<Self> {
        match self {
            Self::Configured(_) | Self::Detected(_) => Ok(self.clone()),
            Self::Undetected => Ok(Self::Detected(detect(scanner.clone())?)),
        }
    }

    /// Returns the selector, where anybody has said it.
    pub(super) fn known(&self) -> Option<&JsonPath> {
        match self {
            Self::Configured(path) | Self::Detected(path) => Some(path),
            Self::Undetected => None,
        }
    }

    /// Returns what the page at `scanner` hints at, where that is asked for.
    pub(super) fn hints(&self, scanner: &Scanner<'_>, questions: &Questions) -> PageResult<Option<Box<PagingHints>>> {
        if !questions.wants_hints {
            return Ok(None);
        }
        Ok(Some(Box::new(hints(scanner.clone(), self.path())?)))
    }

    pub(super) fn path(&self) -> &JsonPath {
        static ROOT: JsonPath = JsonPath::root();
        self.known().unwrap_or(&ROOT)
    }

    /// Says in an error about the selector whether it was configured.
    pub(super) fn explain<T>(&self, mut result: PageResult<T>) -> PageResult<T> {
        if let Err(error) = &mut result
            && let DecodeError::SelectorMissing { detected, .. } | DecodeError::SelectorNotRecords { detected, .. } =
                &mut **error
        {
            *detected = matches!(self, Self::Detected(_));
        }
        result
    }
}
