//! Whether records moved between the pages of a listing that is read by position.
//!
//! When a record comes before those that were read already, the next page begins with what the last
//! one ended with. A merge sees that by its keys; for the other dispositions, two pages between
//! which the stated total rose are compared, record by record.

use std::collections::HashSet;

use bytes::Bytes;
use twox_hash::XxHash3_128;

use crate::decode::{Admission, PageInput, PageReader, RawRecord, RecordGate};
use crate::error::Result;
use crate::extract::Page;
use crate::spec::{JsonPath, PaginationSpec, RecordFormat, ResourceSpec, WriteDisposition};

/// Watches the pages of one listing.
#[derive(Debug)]
pub(crate) struct Drift {
    selector: Option<JsonPath>,
    depth_max: u32,
    last: Option<(Bytes, u64)>,
    /// Records that came twice.
    pub(crate) repeated: u64,
}

impl Drift {
    /// Returns a watch over the pages of `resource`, where they are read by position and nobody
    /// else would notice.
    pub(crate) fn of(resource: &ResourceSpec, depth_max: u32) -> Option<Self> {
        // Rows without a key of their own are not told apart by a merge.
        let counts_repeats = resource.write_disposition == WriteDisposition::Merge
            && (!resource.primary_key.is_empty() || resource.merge.history().is_some());
        if counts_repeats { None } else { Self::over(resource, depth_max) }
    }

    /// Returns a watch over the pages of `resource`, where they are read by position.
    pub(crate) fn over(resource: &ResourceSpec, depth_max: u32) -> Option<Self> {
        let selector = resource.endpoint.data_selector.clone();
        is_by_position(resource).then_some(Self { selector, depth_max, last: None, repeated: 0 })
    }

    /// Takes note of a page that states `total`.
    pub(crate) fn came(&mut self, page: &Page, total: u64) {
        if let Some((body, before)) = &self.last
            && *before < total
        {
            let earlier = self.records(body, page.format);
            let now = self.records(&page.body, page.format);
            self.repeated += now.intersection(&earlier).count() as u64;
        }
        self.last = Some((page.body.clone(), total));
    }

    fn records(&self, body: &Bytes, format: RecordFormat) -> HashSet<u128> {
        let mut reader = PageReader::new(self.selector.clone(), self.depth_max);
        let mut hashes = Hashes(HashSet::new());
        // The page was decoded before, so this cannot fail for what it holds.
        drop(reader.read(&PageInput { format, ..PageInput::json(0, body) }, Some(&mut hashes)));
        hashes.0
    }
}

/// Returns whether the pages of a resource are asked for by position.
pub(crate) fn is_by_position(resource: &ResourceSpec) -> bool {
    matches!(resource.endpoint.paginator, PaginationSpec::Offset(_) | PaginationSpec::PageNumber(_))
}

#[derive(Debug)]
struct Hashes(HashSet<u128>);

impl RecordGate for Hashes {
    fn admit(&mut self, record: RawRecord<'_>) -> Result<Admission> {
        self.0.insert(XxHash3_128::oneshot(record.text().as_bytes()));
        Ok(Admission::Drop)
    }
}
