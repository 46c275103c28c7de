//! Where the lake is.

/// A place in which tables live: a local folder or a prefix of an S3-compatible bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationSpec {
    /// A path (`./lake`), a `file://` URL or an `s3://bucket/prefix` URL. Relative paths are
    /// relative to the working directory of the process. Holds no credentials: those come from the
    /// environment.
    pub url: String,
    /// The endpoint of an S3-compatible store; otherwise `AWS_ENDPOINT_URL` or Amazon's own.
    pub endpoint: Option<String>,
    /// The region; otherwise `AWS_REGION`, `AWS_DEFAULT_REGION` or `us-east-1`.
    pub region: Option<String>,
    /// Whether the bucket is part of the path (`https://endpoint/bucket/key`, the default) or of
    /// the host name.
    pub path_style: bool,
    /// Whether plain http is allowed to an endpoint that is not on loopback.
    pub allow_http: bool,
}

impl DestinationSpec {
    /// Returns a destination at `url` with everything else as usual.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), endpoint: None, region: None, path_style: true, allow_http: false }
    }
}
