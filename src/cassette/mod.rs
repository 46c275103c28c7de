//! Cassettes: the exchanges of a run, kept in a folder, and given back without a network.
//!
//! A cassette is for bug reports and for scenario tests. It is plain text: `cassette.json` says
//! what was recorded and from where the run began, `exchanges/000001.json` holds a request and the
//! head of its answer, and the body lies beside it as it came. What is secret is replaced by `***`
//! before it touches the disk, the same way when a request is recorded and when it is looked up
//! (`scrub`).
//!
//! `docs/cassettes.md` tells users what is kept.

mod record;
mod replay;
mod scrub;
mod sources;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub(crate) use record::Recorder;
pub(crate) use replay::{Replay, spec_for_replay};
pub(crate) use scrub::Scrubber;
pub(crate) use sources::{ReplaySources, TrackingSources};

use crate::checkpoint::Checkpoint;
use crate::client::TransportErrorKind;

/// What stands for a secret.
pub(crate) const MARK: &str = "***";

/// The head of a cassette.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    /// The version of the format.
    pub version: u32,
    /// The pipeline that was run.
    pub pipeline: String,
    /// The program that recorded it.
    pub recorded_by: String,
    /// When the run began. A replay takes place at that time.
    pub started_at: DateTime<Utc>,
    /// What the `${env:…}` and `${file:…}` of the pipeline file stood for, secrets left out.
    pub variables: BTreeMap<String, String>,
    /// From where each resource went on, by its name.
    pub checkpoints: BTreeMap<String, Checkpoint>,
}

impl Head {
    /// The version that this program reads and writes.
    pub(crate) const VERSION: u32 = 1;
}

/// A request, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    /// It was about credentials, which are not kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    credentials: bool,
    request: Request,
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    url: String,
    /// As `name: value`.
    headers: Vec<String>,
    /// The text of the body; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    body: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Outcome {
    /// A whole answer.
    Response {
        status: u16,
        headers: Vec<String>,
        /// The file beside this one that holds the body, decompressed; none when it is empty.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body_file: Option<String>,
    },
    /// No answer, or not all of one.
    Failure { kind: TransportErrorKind, message: String },
}
