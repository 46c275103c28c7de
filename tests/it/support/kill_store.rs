//! A store that kills its own process with SIGKILL just before or just after its n-th change.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};

/// Whether the n-th change still happens before the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

#[derive(Debug)]
pub struct KillStore {
    inner: Arc<dyn ObjectStore>,
    changes: Arc<Changes>,
}

/// Counts changes; the process does not outlive the fatal one.
#[derive(Debug)]
pub struct Changes {
    done: AtomicU64,
    fatal: u64,
    moment: Moment,
}

impl KillStore {
    /// Dies at the change number `fatal`, counted from 1; never when it is 0.
    pub fn new(inner: Arc<dyn ObjectStore>, fatal: u64, moment: Moment) -> Self {
        Self { inner, changes: Arc::new(Changes { done: AtomicU64::new(0), fatal, moment }) }
    }

    pub fn changes(&self) -> Arc<Changes> {
        Arc::clone(&self.changes)
    }
}

impl Changes {
    pub fn count(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    async fn around<T>(&self, change: impl Future<Output = T>) -> T {
        let fatal = self.done.fetch_add(1, Ordering::SeqCst) + 1 == self.fatal;
        if fatal && self.moment == Moment::Before {
            kill_self();
        }
        let result = change.await;
        if fatal {
            kill_self();
        }
        result
    }
}

fn kill_self() -> ! {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
    std::process::abort();
}

impl fmt::Display for KillStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KillStore({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for KillStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.changes.around(self.inner.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.changes.around(self.inner.put_multipart_opts(location, options)).await?;
        Ok(Box::new(KillUpload { inner, changes: Arc::clone(&self.changes) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let inner = Arc::clone(&self.inner);
        let changes = Arc::clone(&self.changes);
        locations
            .then(move |location| {
                let inner = Arc::clone(&inner);
                let changes = Arc::clone(&changes);
                async move {
                    let one = futures::stream::once(async move { location }).boxed();
                    changes.around(async move { inner.delete_stream(one).next().await }).await
                }
            })
            .filter_map(std::future::ready)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.changes.around(self.inner.copy_opts(from, to, options)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.changes.around(self.inner.rename_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct KillUpload {
    inner: Box<dyn MultipartUpload>,
    changes: Arc<Changes>,
}

#[async_trait]
impl MultipartUpload for KillUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let part = self.inner.put_part(data);
        let changes = Arc::clone(&self.changes);
        Box::pin(async move { changes.around(part).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let changes = Arc::clone(&self.changes);
        changes.around(self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
