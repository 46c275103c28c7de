//! What was agreed: the validated pipeline.
//!
//! These types are built by `config::validate` only, so a value of them is always consistent. They hold no I/O and no
//! defaults that depend on the environment.

pub mod json_path;

mod auth;
mod client;
mod destination;
mod incremental;
mod limits;
mod merge;
mod pagination;
mod resource;
mod template;

pub use auth::{
    ApiKeyLocation, Auth, ClientAuthentication, JwtAlgorithm, JwtSpec, OAuth2Spec, RefreshTokenSpec, SessionSpec,
    SessionToken,
};
pub use client::{ClientSpec, Header, RateLimitSpec, RetrySpec, Timeouts, is_loopback};
pub use destination::DestinationSpec;
pub use incremental::{
    CursorFormat, CursorValue, IncrementalSpec, Lag, LagUnit, LastValue, OnMissing, RangeBound, RowOrder,
};
pub use json_path::JsonPath;
pub use limits::Limits;
pub use merge::{
    DeletesSpec, HistorySpec, MarkKind, MarkSpec, MergeSpec, MergeStrategy, Precedence, SortOrder, StrategyName,
};
pub use pagination::{FollowFrom, FollowSpec, FollowTo, OffsetSpec, PageNumberSpec, PaginationSpec, Placement};
pub use resource::{
    Action, BodySpec, EndpointSpec, EndpointUrl, Method, NewColumns, ParentSpec, PartitionField, ProcessingStep,
    RecordFormat, ResourceSpec, ResponseAction, Transform, WriteDisposition, join_url,
};
pub use template::{IncrementalValue, Placeholder, Template, TemplateError, TemplatePart};

/// A whole pipeline, ready to be planned and run.
#[derive(Debug, Clone)]
pub struct PipelineSpec {
    /// The pipeline's name; used in logs and reports.
    pub name: String,
    /// How to talk to the API.
    pub client: ClientSpec,
    /// The listings to read, in the order of the file. Names are unique.
    pub resources: Vec<ResourceSpec>,
    /// Where the lake is; `None` when the file does not say (then the command line must).
    pub destination: Option<DestinationSpec>,
    /// The bounds of a run.
    pub limits: Limits,
}
