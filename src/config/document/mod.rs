//! The pipeline file as its user wrote it: one type for each mapping, with what its keys mean.
//!
//! Reading checks the form only: known keys, right kinds. Whether the values make sense together,
//! and whether a string holds what it should, is the business of `validate`.

pub(crate) mod auth;
pub(crate) mod client;
pub(crate) mod columns;
mod containers;
pub(crate) mod endpoint;
pub(crate) mod incremental;
pub(crate) mod json_schema;
pub(crate) mod kind;
pub(crate) mod merge;
pub(crate) mod paginator;
pub(crate) mod problems;
mod read;
pub(crate) mod resource;
pub(crate) mod values;

use serde_json::Value;

use client::ClientDocument;
use containers::NonEmpty;
use problems::Problems;
pub(crate) use read::Mapping;
use read::{At, Read, mapping};
use resource::{Defaults, ResourceDocument, merge_all};
use values::{Boolean, Bound, Bytes, Count, Integer, PositiveSeconds, Seconds, Text, Url};

use crate::spec::Limits;

mapping! {
    /// A pipeline: an API, what to read of it, and where to put it.
    Document "pipeline" {
        /// The version of this format.
        version: Integer<1, 1> [1],
        /// The pipeline's name in logs and reports.
        name: Text [usually "the file's name without extension"],
        /// How to talk to the API: [client](#client).
        client: ClientDocument [required],
        /// A [resource](#resources) whose keys hold for every resource that does not have them.
        resource_defaults: Defaults [none],
        /// What to read, at least one: [resources](#resources). A string is a resource of that
        /// name.
        resources: NonEmpty<ResourceDocument> [required],
        /// Where the lake is: [destination](#destination), or its URL alone.
        destination: DestinationDocument [usually "`run --destination`"],
        /// The bounds of a run: [limits](#limits).
        limits: LimitsDocument [empty],
        // The JSON Schema by which an editor checks the file.
        ignored ["$schema"],
    }
}

mapping! {
    /// Where the lake is.
    DestinationDocument "destination" or "url" {
        /// A folder (`./lake`, relative to the working directory, or `file:///lake`), or
        /// `s3://bucket/prefix`. `run --destination` takes its place.
        url: Url [required] like "./lake" like "s3://bucket/lake",
        /// The endpoint of an S3-compatible store.
        endpoint: Url [usually "`AWS_ENDPOINT_URL`, else Amazon's"] like "https://minio.example.com:9000",
        /// The region.
        region: Text [usually "`AWS_REGION`, `AWS_DEFAULT_REGION`, else `us-east-1`"],
        /// Whether the bucket is part of the path, or of the host's name.
        path_style: Boolean [true],
        /// Whether plain http is allowed to an endpoint that is not on loopback.
        allow_http: Boolean [false],
    }
}

mapping! {
    /// The bounds of a run. A run that meets one of the first four, or has more rejects than
    /// `rejects_max`, fails and commits nothing.
    LimitsDocument "limits" {
        /// The largest body of a page, decompressed.
        page_bytes_max: Bytes [Limits::default().page_bytes_max],
        /// The most pages of one listing.
        pages_max: Count [Limits::default().pages_max],
        /// The longest time for one listing; each record of a parent, and each window, has a
        /// listing of its own.
        run_time_max_seconds: PositiveSeconds [Limits::default().run_time_max],
        /// The deepest nesting of a page's JSON; more than 512 counts as 512.
        nesting_depth_max: Count [u64::from(Limits::default().nesting_depth_max)],
        /// How old the pages of a stopped run may be for the next one to go on from them
        /// ([decision 7](decisions/0007-a-stopped-run-is-gone-on-with-by-its-answers.md)); 0 keeps
        /// none.
        resume_age_max_seconds: Seconds [Limits::default().resume_age_max],
        /// Rows of a batch between decoder and writer.
        batch_rows: Count [Limits::default().batch_rows as u64],
        /// Bytes of such a batch; whichever comes first.
        batch_bytes: Bytes [Limits::default().batch_bytes as u64],
        /// Bytes that all open Parquet writers may buffer together.
        writer_buffer_bytes: Bytes [Limits::default().writer_buffer_bytes as u64],
        /// Bytes that the keys of a merging run may take in memory; with more keys than fit, about
        /// 480,000, they go to temporary files (`TMPDIR`). Not where versions compete by a column
        /// (`dedup_sort`, a guard), or `delete-insert` has no primary key.
        merge_index_bytes: Bytes [Limits::default().merge_index_bytes as u64],
        /// A data file is closed when it has about this many bytes.
        file_bytes_target: Bytes [Limits::default().file_bytes_target],
        /// Rows of a Parquet row group.
        row_group_rows: Count [Limits::default().row_group_rows as u64],
        /// Records of one pass over a resource that may be
        /// [refused](schemas.md#records-that-are-refused): a count (0 for none), or a share such as
        /// `"1%"` of those that were read. With more of them the run fails with exit code 6.
        rejects_max: Bound [none] like "1%",
        /// A pass that refused every record it read fails with exit code 6 if it read at least so
        /// many; with fewer it warns. Into a table that is new or replaced it fails with one.
        all_refused_min: Count [Limits::default().all_refused_min],
        /// Rows of a table that a run may take away because they did not come (`replace`,
        /// `--full-refresh`, keys that are absent): a count, or a share such as `"50%"` of the
        /// table. With more of them the run fails with exit code 5 and commits nothing;
        /// `run --allow-shrink` lets one run pass. `"100%"` sets no bound. Rows that records delete
        /// do not count.
        shrink_max: Bound [usually "`\"50%\"` of a table of 100 rows or more, and never all rows of a table because nothing came"] like "10%",
    }
}

impl Document {
    /// Reads a document, the defaults merged into its resources; `None` when it is no mapping at
    /// all.
    pub(crate) fn of(mut value: Value, problems: &Problems) -> Option<Self> {
        let at = At::root(problems);
        if value.is_null() {
            at.add("is empty; a pipeline has at least 'client' and 'resources'");
            return None;
        }
        // What is wrong with the defaults is said once, where it is, and not with each resource
        // again.
        let defaults = value.get_mut("resource_defaults").map(Value::take).filter(|defaults| !defaults.is_null());
        let before = problems.count();
        let read = defaults.as_ref().and_then(|defaults| Defaults::read(defaults, &at.key("resource_defaults")));
        if let (Some(Defaults), Some(Value::Object(defaults))) = (read, &defaults)
            && problems.count() == before
        {
            merge_all(&mut value, defaults);
        }
        let mut document = Self::read(&value, &at)?;
        document.resources.iter_mut().for_each(|resources| resources.retain(|resource| resource.name.is_some()));
        debug_assert!(document.version == 1 && document.resource_defaults.is_none(), "they are used up by now");
        Some(document)
    }
}
