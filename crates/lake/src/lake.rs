//! Opening a destination: from a [`DestinationSpec`] to an object store.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};
use url::{Host, Url};

use crate::format::glob::GlobTable;
use crate::log::snapshot::Snapshot;
use crate::log::snapshot_file::COMMITS_PER_SNAPSHOT_FILE;
use crate::spec::{DestinationSpec, Location};
use crate::storage::durability::{Durability, LocalDurability};
use crate::storage::failure::failed;
use crate::storage::layout::Layout;
use crate::storage::objects::Storage;
use crate::storage::s3_answers::CheckedConnector;
use crate::table::Table;
use lakefeed_model::clock::{Clock, SystemClock};
use lakefeed_model::environment::Environment;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::schema::RecordSchema;

/// Tries after the first of a request to the store.
const STORE_RETRIES_MAX: usize = 4;
/// No retry starts later than this after the request's first try.
const STORE_RETRY_TIMEOUT: Duration = Duration::from_secs(20);
/// Time to reach the store at all.
const STORE_CONNECT_TIMEOUT: &str = "5 seconds";
/// Time for one request to the store.
const STORE_REQUEST_TIMEOUT: &str = "30 seconds";

/// A place in which tables live.
#[derive(Debug, Clone)]
pub struct Lake {
    store: Arc<dyn ObjectStore>,
    root: Path,
    url: String,
    folder: Option<PathBuf>,
    durability: Option<Arc<dyn Durability>>,
    clock: Arc<dyn Clock>,
    commits_per_snapshot_file: u64,
}

impl Lake {
    /// Opens a local folder (a path or a `file://` URL; created when missing) or a prefix of an
    /// S3-compatible bucket (`s3://bucket/prefix`; credentials from `environment`). Sends no
    /// request.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](lakefeed_model::error::ErrorKind) when the URL, the endpoint or the
    /// credentials are not usable, [`ErrorKind::Storage`](lakefeed_model::error::ErrorKind) when
    /// the folder cannot be created.
    pub fn open(destination: &DestinationSpec, environment: &Environment) -> Result<Self> {
        match destination.location()? {
            Location::Folder(folder) => Self::open_folder(&folder, &destination.url),
            Location::Bucket { name, prefix } => Self::open_s3(destination, &name, prefix, environment),
        }
    }

    /// Refuses what [`Self::open`] would refuse, and makes no folder.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn check(destination: &DestinationSpec, environment: &Environment) -> Result<()> {
        match destination.location()? {
            Location::Folder(_) => Ok(()),
            Location::Bucket { name, .. } => s3_builder(environment, destination, &name).map(drop),
        }
    }

    /// Opens a lake to read it: like [`Self::open`], but a local folder that is not there is an
    /// error and is not made.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_existing(destination: &DestinationSpec, environment: &Environment) -> Result<Self> {
        if let Location::Folder(folder) = destination.location()?
            && !folder.is_dir()
        {
            return Err(Error::config(format!("there is no lake at {}", destination.url))
                .with_hint("name the folder or URL that pipelines have as their destination"));
        }
        Self::open(destination, environment)
    }

    /// Opens a lake in any object store, below `root`; for tests and simulations. Writers exclude
    /// each other by leases.
    pub fn with_store(store: Arc<dyn ObjectStore>, root: Path, url: String) -> Self {
        let (clock, commits_per_snapshot_file) = (SystemClock::shared(), COMMITS_PER_SNAPSHOT_FILE);
        Self { store, root, url, folder: None, durability: None, clock, commits_per_snapshot_file }
    }

    /// Says that the lake is on this machine's disk in `folder`, which is what `root` means to the
    /// store: writers exclude each other by a file lock, which the kernel releases however they
    /// end.
    #[must_use]
    pub fn on_local_disk(mut self, folder: PathBuf) -> Self {
        self.durability = Some(LocalDurability::below(folder.clone()));
        self.folder = Some(folder);
        self
    }

    /// Takes the time from `clock` instead of this machine's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets after how many commits a snapshot file is written (at least 1; 16 by default), for
    /// tests and simulations.
    #[must_use]
    pub fn with_snapshot_file_every(mut self, commits: u64) -> Self {
        self.commits_per_snapshot_file = commits.max(1);
        self
    }

    /// Makes writes durable only when `durability` has made them so; for simulations of a loss of
    /// power.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn with_durability(mut self, durability: Arc<dyn Durability>) -> Self {
        self.durability = Some(durability);
        self
    }

    /// Returns the table of that name; it need not exist.
    pub fn table(&self, name: &str) -> Table {
        let storage = Storage {
            store: Arc::clone(&self.store),
            layout: Layout::new(self.root.clone().join(name)),
            url: format!("{}/{name}", self.url.trim_end_matches('/')),
            folder: self.folder.as_ref().map(|folder| folder.join(name)),
            durability: self.durability.clone(),
        };
        let format = GlobTable::new(storage.clone(), self.commits_per_snapshot_file);
        Table::new(storage, Arc::new(format), Arc::clone(&self.clock))
    }

    /// Returns the tables of the lake, by name: its folders that hold at least one commit.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub async fn tables(&self) -> Result<Vec<(String, Table)>> {
        let prefix = (!self.root.is_root()).then_some(&self.root);
        let listed = self.store.list_with_delimiter(prefix).await;
        let folders = listed.map_err(|error| failed("list", &self.url, error))?.common_prefixes;
        let mut tables = Vec::new();
        for name in folders.iter().filter_map(Path::filename) {
            let table = self.table(name);
            if table.storage.has_any(&table.storage.layout.commits()).await? {
                tables.push((name.to_owned(), table));
            }
        }
        tables.sort_by(|left, right| left.0.cmp(&right.0));
        Ok(tables)
    }

    /// Returns the snapshots of all child tables of a table whose rows have the shape `own`, nested
    /// ones included, by table name.
    ///
    /// # Errors
    /// When the store cannot be read or a commit is damaged.
    pub async fn child_tables(&self, own: &RecordSchema) -> Result<BTreeMap<String, Snapshot>> {
        let names = |schema: &RecordSchema| schema.child_tables().map(|(_, name)| name.to_owned()).collect::<Vec<_>>();
        let mut found = BTreeMap::new();
        let mut pending = names(own);
        while let Some(name) = pending.pop() {
            let snapshot = self.table(&name).snapshot().await?;
            pending.extend(snapshot.schema.as_deref().map(names).unwrap_or_default());
            found.insert(name, snapshot);
        }
        Ok(found)
    }

    fn open_folder(folder: &FilePath, written: &str) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|error| failed("create the folder of the lake,", written, error))?;
        let folder = folder.canonicalize().map_err(|error| failed("open", written, error))?;
        let store = LocalFileSystem::new_with_prefix(&folder)
            .map_err(|error| failed("open", written, error))?
            .with_automatic_cleanup(true);
        let lake = Self::with_store(Arc::new(store), Path::ROOT, written.to_owned());
        Ok(lake.on_local_disk(folder))
    }

    fn open_s3(destination: &DestinationSpec, bucket: &str, root: Path, environment: &Environment) -> Result<Self> {
        let written = destination.url.as_str();
        let store = s3_builder(environment, destination, bucket)?
            .build()
            .map_err(|error| Error::config(format!("cannot open {written}")).with_source(error))?;
        Ok(Self::with_store(Arc::new(store), root, written.trim_end_matches('/').to_owned()))
    }
}

fn s3_builder(environment: &Environment, destination: &DestinationSpec, bucket: &str) -> Result<AmazonS3Builder> {
    let retry =
        RetryConfig { max_retries: STORE_RETRIES_MAX, retry_timeout: STORE_RETRY_TIMEOUT, ..RetryConfig::default() };
    let mut builder = s3_settings(environment)
        .with_bucket_name(bucket)
        .with_virtual_hosted_style_request(!destination.path_style)
        .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::ConnectTimeout), STORE_CONNECT_TIMEOUT)
        .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), STORE_REQUEST_TIMEOUT)
        .with_http_connector(CheckedConnector)
        .with_retry(retry);
    if let Some(region) = &destination.region {
        builder = builder.with_region(region);
    }
    let endpoint = destination
        .endpoint
        .clone()
        .or_else(|| builder.get_config_value(&AmazonS3ConfigKey::S3Endpoint))
        .or_else(|| builder.get_config_value(&AmazonS3ConfigKey::Endpoint));
    if let Some(endpoint) = endpoint {
        let (endpoint, plain) = check_endpoint(&endpoint, destination, bucket, &builder)?;
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint).with_allow_http(plain);
    }
    check_credentials(&builder, &destination.url)?;
    Ok(with_proxy(builder, environment))
}

/// Returns what the variables that begin with `AWS_` say.
fn s3_settings(environment: &Environment) -> AmazonS3Builder {
    let settings = environment.variables().filter(|(name, _)| name.starts_with("AWS_"));
    let known = settings.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)));
    known.fold(AmazonS3Builder::new(), |builder, (key, value)| builder.with_config(key, value))
}

/// Names the proxy of `environment`, or that there is none: the store's client would read the
/// variables of the process.
fn with_proxy(builder: AmazonS3Builder, environment: &Environment) -> AmazonS3Builder {
    let is_named = builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::ProxyUrl)).is_some();
    if is_named || environment.trusts_machine() {
        return builder;
    }
    let endpoint = builder.get_config_value(&AmazonS3ConfigKey::S3Endpoint);
    let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http:"));
    let names = if is_plain { ["HTTP_PROXY", "http_proxy"] } else { ["HTTPS_PROXY", "https_proxy"] };
    let proxy = environment.first_of(&names).or_else(|| environment.first_of(&["ALL_PROXY", "all_proxy"]));
    let (proxy, excluded) = match proxy {
        Some(proxy) => (proxy, environment.first_of(&["NO_PROXY", "no_proxy"]).unwrap_or_default()),
        None => ("http://none.invalid", "*, 0.0.0.0/0, ::/0"),
    };
    builder.with_proxy_url(proxy).with_proxy_excludes(excluded)
}

/// Returns the endpoint as the store wants it, and whether it is plain http, if that is allowed.
fn check_endpoint(
    written: &str,
    destination: &DestinationSpec,
    bucket: &str,
    builder: &AmazonS3Builder,
) -> Result<(String, bool)> {
    let endpoint = destination.endpoint_url(written, bucket)?;
    let plain = endpoint.scheme() == "http";
    let allowed_by_environment = builder
        .get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp))
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if plain && !destination.allow_http && !allowed_by_environment && !is_loopback(&endpoint) {
        return Err(Error::config(format!("endpoint {written} of destination {} is plain http", destination.url))
            .with_hint(
                "use https, or set destination.allow_http: true (or AWS_ALLOW_HTTP=true) if the network is trusted",
            ));
    }
    Ok((endpoint.as_str().trim_end_matches('/').to_owned(), plain))
}

fn is_loopback(endpoint: &Url) -> bool {
    match endpoint.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        None => false,
    }
}

/// Refuses to fall back on the metadata service of a cloud machine, which hangs everywhere else.
fn check_credentials(builder: &AmazonS3Builder, written: &str) -> Result<()> {
    let has = |key: AmazonS3ConfigKey| builder.get_config_value(&key).is_some_and(|value| !value.is_empty());
    let unsigned = builder.get_config_value(&AmazonS3ConfigKey::SkipSignature).is_some_and(|value| value == "true");
    let usable = unsigned
        || (has(AmazonS3ConfigKey::AccessKeyId) && has(AmazonS3ConfigKey::SecretAccessKey))
        || (has(AmazonS3ConfigKey::WebIdentityTokenFile) && has(AmazonS3ConfigKey::RoleArn))
        || has(AmazonS3ConfigKey::ContainerCredentialsRelativeUri)
        || (has(AmazonS3ConfigKey::ContainerCredentialsFullUri)
            && has(AmazonS3ConfigKey::ContainerAuthorizationTokenFile))
        || has(AmazonS3ConfigKey::MetadataEndpoint);
    if usable {
        return Ok(());
    }
    Err(Error::config(format!("no credentials for destination {written} in the environment"))
        .with_hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN for temporary ones)")
        .with_hint("on a cloud machine, set AWS_METADATA_ENDPOINT=http://169.254.169.254 to use its role"))
}

#[cfg(test)]
mod tests;
