//! Where the lake is.

use std::path::PathBuf;

use object_store::path::Path;
use url::Url;

use lakefeed_model::error::{Error, Result};

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

/// What the URL of a destination names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A local folder.
    Folder(PathBuf),
    /// A prefix of a bucket of an S3-compatible store.
    Bucket {
        /// The bucket's name.
        name: String,
        /// The prefix, empty for the whole bucket.
        prefix: Path,
    },
}

impl DestinationSpec {
    /// Reads what the URL names, and looks at nothing else.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](lakefeed_model::error::ErrorKind) when it names no folder and no
    /// bucket.
    pub fn location(&self) -> Result<Location> {
        let written = self.url.as_str();
        if written.is_empty() {
            return Err(Error::config("the destination's path is empty"));
        }
        if !written.contains("://") {
            return Ok(Location::Folder(PathBuf::from(written)));
        }
        let url = Url::parse(written)
            .map_err(|error| Error::config(format!("destination {written:?} is not a URL")).with_source(error))?;
        match url.scheme() {
            "file" => url.to_file_path().map(Location::Folder).map_err(|()| {
                Error::config(format!("destination {written} does not name a local folder"))
                    .with_hint("write file:///absolute/path or just the path")
            }),
            "s3" | "s3a" => {
                let name = url.host_str().filter(|bucket| !bucket.is_empty()).ok_or_else(|| {
                    Error::config(format!("destination {written} names no bucket"))
                        .with_hint("write s3://bucket/prefix")
                })?;
                let prefix = Path::from_url_path(url.path()).map_err(|error| {
                    Error::config(format!("destination {written}: the prefix is not a path")).with_source(error)
                })?;
                Ok(Location::Bucket { name: name.to_owned(), prefix })
            }
            other => Err(Error::config(format!("destination {written}: scheme {other:?} is not known"))
                .with_hint("a destination is a local path, file:///path or s3://bucket/prefix")),
        }
    }

    /// Reads the endpoint of a bucket: `self.endpoint`, or one that the environment names.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](lakefeed_model::error::ErrorKind) when it is no http or https URL, or
    /// the bucket is to be part of a host name that cannot have it.
    pub fn endpoint_url(&self, written: &str, bucket: &str) -> Result<Url> {
        let mut endpoint = Url::parse(written).map_err(|error| {
            Error::config(format!("endpoint {written:?} of destination {} is not a URL", self.url))
                .with_source(error)
                .with_hint("write https://host or http://host:port")
        })?;
        if !matches!(endpoint.scheme(), "http" | "https") {
            let what = format!("endpoint {written}: scheme {:?} is neither http nor https", endpoint.scheme());
            return Err(Error::config(what));
        }
        if !self.path_style
            && let Some(host) = endpoint.host_str()
        {
            let host = format!("{bucket}.{host}");
            endpoint.set_host(Some(&host)).map_err(|error| {
                Error::config(format!("endpoint {written}: the bucket cannot be part of its host name"))
                    .with_source(error)
                    .with_hint("set destination.path_style: true")
            })?;
        }
        Ok(endpoint)
    }

    /// Returns a destination at `url` with everything else as usual.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), endpoint: None, region: None, path_style: true, allow_http: false }
    }
}
