//! A store that dies: from its k-th change on, every operation fails, as if the process had been killed there.
//!
//! Shared by unit tests and integration tests.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};

/// Whether the fatal change still takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// It fails without having changed anything.
    BeforeEffect,
    /// It has changed the store, but its caller never learns.
    AfterEffect,
    /// It has changed the store, its caller sees an error, and everything works again afterwards.
    LostAnswer,
}

/// What the test says about when to die.
#[derive(Debug)]
pub struct Fuse {
    changes: AtomicU64,
    fatal: u64,
    death: Death,
    dead: AtomicBool,
}

impl Fuse {
    /// Dies at change number `fatal`, counted from 0.
    pub fn new(fatal: u64, death: Death) -> Arc<Self> {
        Arc::new(Self { changes: AtomicU64::new(0), fatal, death, dead: AtomicBool::new(false) })
    }

    /// Changes that were asked for so far.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Whether it died.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    fn alive(&self) -> Result<()> {
        if self.is_dead() { Err(died()) } else { Ok(()) }
    }

    /// Counts a change; whether this is the fatal one.
    fn change(&self) -> Result<bool> {
        self.alive()?;
        let fatal = self.changes.fetch_add(1, Ordering::SeqCst) == self.fatal;
        if fatal {
            self.dead.store(self.death != Death::LostAnswer, Ordering::SeqCst);
            if self.death == Death::BeforeEffect {
                return Err(died());
            }
        }
        Ok(fatal)
    }
}

fn died() -> object_store::Error {
    object_store::Error::Generic { store: "FaultStore", source: "the process was killed".into() }
}

fn end<T>(fatal: bool, outcome: Result<T>) -> Result<T> {
    if fatal { Err(died()) } else { outcome }
}

/// A store that fails from its k-th change on.
#[derive(Debug)]
pub struct FaultStore {
    inner: Arc<dyn ObjectStore>,
    fuse: Arc<Fuse>,
}

impl FaultStore {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn ObjectStore>, fuse: Arc<Fuse>) -> Self {
        Self { inner, fuse }
    }
}

impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultStore({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let fatal = self.fuse.change()?;
        end(fatal, self.inner.put_opts(location, payload, options).await)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let fatal = self.fuse.change()?;
        let upload = self.inner.put_multipart_opts(location, options).await;
        let upload = end(fatal, upload)?;
        Ok(Box::new(FaultUpload { inner: upload, fuse: Arc::clone(&self.fuse) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.fuse.alive()?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.fuse.alive()?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, fuse) = (Arc::clone(&self.inner), Arc::clone(&self.fuse));
        locations
            .then(move |location| {
                let (inner, fuse) = (Arc::clone(&inner), Arc::clone(&fuse));
                async move {
                    let location = location?;
                    let fatal = fuse.change()?;
                    end(fatal, inner.delete(&location).await.map(|()| location))
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fuse.alive() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.fuse.alive()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let fatal = self.fuse.change()?;
        end(fatal, self.inner.copy_opts(from, to, options).await)
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let fatal = self.fuse.change()?;
        end(fatal, self.inner.rename_opts(from, to, options).await)
    }
}

#[derive(Debug)]
struct FaultUpload {
    inner: Box<dyn MultipartUpload>,
    fuse: Arc<Fuse>,
}

#[async_trait]
impl MultipartUpload for FaultUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.fuse.change() {
            Err(error) => Box::pin(async move { Err(error) }),
            Ok(fatal) => {
                let part = self.inner.put_part(data);
                Box::pin(async move { end(fatal, part.await) })
            }
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let fatal = self.fuse.change()?;
        end(fatal, self.inner.complete().await)
    }

    async fn abort(&mut self) -> Result<()> {
        self.fuse.alive()?;
        self.inner.abort().await
    }
}

/// A store that says yes to create-only puts of objects that exist, and overwrites them.
#[derive(Debug)]
pub struct LyingStore(pub Arc<dyn ObjectStore>);

impl fmt::Display for LyingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LyingStore({})", self.0)
    }
}

#[async_trait]
impl ObjectStore for LyingStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let options = PutOptions { mode: PutMode::Overwrite, ..options };
        self.0.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}
