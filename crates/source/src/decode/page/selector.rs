//! Where the records of a page are.

use lakefeed_model::spec::JsonPath;

use crate::decode::error::{DecodeError, PageResult};
use crate::decode::json::scanner::Scanner;
use crate::decode::walk::detect::detect;

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

    /// The selector, which the page at `scanner` decides if nothing else has.
    pub(super) fn for_page(&self, scanner: &Scanner<'_>) -> PageResult<Self> {
        match self {
            Self::Configured(_) | Self::Detected(_) => Ok(self.clone()),
            Self::Undetected => Ok(Self::Detected(detect(scanner.clone())?)),
        }
    }

    pub(super) fn path(&self) -> &JsonPath {
        static ROOT: JsonPath = JsonPath::root();
        match self {
            Self::Configured(path) | Self::Detected(path) => path,
            Self::Undetected => &ROOT,
        }
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
