//! One wrapper around an object store, and what a test may do around each request to it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};

/// A request to a store.
#[derive(Debug, Clone, Copy)]
pub enum Request<'a> {
    /// An object is written in one piece.
    Put {
        /// Where to.
        path: &'a Path,
        /// What.
        payload: &'a PutPayload,
    },
    /// An upload in parts begins.
    BeginUpload {
        /// Where to.
        path: &'a Path,
    },
    /// A part of an upload is sent.
    PutPart,
    /// The parts of an upload become an object.
    CompleteUpload,
    /// An upload is given up.
    AbortUpload,
    /// An object or a part of it is read.
    Get {
        /// Which.
        path: &'a Path,
    },
    /// Objects are listed.
    List,
    /// An object is deleted.
    Delete {
        /// Which.
        path: &'a Path,
    },
    /// An object is copied, or renamed.
    Copy {
        /// Which.
        from: &'a Path,
        /// Where to.
        to: &'a Path,
    },
}

impl Request<'_> {
    /// Returns whether the request changes what readers see or what is stored.
    pub const fn is_change(self) -> bool {
        !matches!(self, Self::Get { .. } | Self::List | Self::AbortUpload)
    }
}

/// What a test does around each request to a store.
#[async_trait]
pub trait Around: fmt::Debug + Send + Sync + 'static {
    /// Answers `request`; `go` sends it to the store behind, if and when it is waited for.
    ///
    /// # Errors
    /// What the caller is to see instead of the answer.
    async fn around(&self, request: Request<'_>, go: BoxFuture<'_, Result<()>>) -> Result<()>;

    /// Changes how an object is put.
    fn put_options(&self, options: PutOptions) -> PutOptions {
        options
    }

    /// Takes note of an object that a listing has brought.
    fn listed(&self, _object: &ObjectMeta) {}
}

/// A store that does something around each of its requests.
#[derive(Debug)]
pub struct WrappedStore<A> {
    inner: Arc<dyn ObjectStore>,
    around: Arc<A>,
}

impl<A: Around> WrappedStore<A> {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn ObjectStore>, around: Arc<A>) -> Self {
        Self { inner, around }
    }
}

/// Sends a request through `around`.
async fn through<T: Send>(
    around: &impl Around,
    request: Request<'_>,
    answer: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    let mut answered = None;
    let go = async {
        answered = Some(answer.await?);
        Ok(())
    };
    around.around(request, Box::pin(go)).await?;
    answered.ok_or_else(|| object_store::Error::Generic { store: "WrappedStore", source: "nothing was sent".into() })
}

impl<A> fmt::Display for WrappedStore<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wrapped({})", self.inner)
    }
}

#[async_trait]
impl<A: Around> ObjectStore for WrappedStore<A> {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let options = self.around.put_options(options);
        let answer = self.inner.put_opts(path, payload.clone(), options);
        through(&*self.around, Request::Put { path, payload: &payload }, answer).await
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let answer = self.inner.put_multipart_opts(path, options);
        let inner = through(&*self.around, Request::BeginUpload { path }, answer).await?;
        Ok(Box::new(WrappedUpload { inner, around: Arc::clone(&self.around) }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        through(&*self.around, Request::Get { path }, self.inner.get_opts(path, options)).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, around) = (Arc::clone(&self.inner), Arc::clone(&self.around));
        let deleted = paths.then(move |path| {
            let (inner, around) = (Arc::clone(&inner), Arc::clone(&around));
            async move {
                let path = path?;
                through(&*around, Request::Delete { path: &path }, inner.delete(&path)).await?;
                Ok(path)
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, around, prefix) = (Arc::clone(&self.inner), Arc::clone(&self.around), prefix.cloned());
        let listed = Arc::clone(&self.around);
        let listing = async move {
            let answer = async { Ok(inner.list(prefix.as_ref())) };
            through(&*around, Request::List, answer).await
        };
        stream::once(listing).try_flatten().inspect_ok(move |object| listed.listed(object)).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        through(&*self.around, Request::List, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        through(&*self.around, Request::Copy { from, to }, self.inner.copy_opts(from, to, options)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        through(&*self.around, Request::Copy { from, to }, self.inner.rename_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct WrappedUpload<A> {
    inner: Box<dyn MultipartUpload>,
    around: Arc<A>,
}

#[async_trait]
impl<A: Around> MultipartUpload for WrappedUpload<A> {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (part, around) = (self.inner.put_part(data), Arc::clone(&self.around));
        Box::pin(async move { through(&*around, Request::PutPart, part).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        through(&*self.around, Request::CompleteUpload, self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        through(&*self.around, Request::AbortUpload, self.inner.abort()).await
    }
}

/// Says yes to puts that must create an object and find one, and overwrites it.
#[derive(Debug)]
pub struct Lies;

#[async_trait]
impl Around for Lies {
    async fn around(&self, _: Request<'_>, go: BoxFuture<'_, Result<()>>) -> Result<()> {
        go.await
    }

    fn put_options(&self, options: PutOptions) -> PutOptions {
        PutOptions { mode: PutMode::Overwrite, ..options }
    }
}

/// Counts what is asked of a store.
#[derive(Debug, Default)]
pub struct Counts {
    gets: AtomicU64,
    lists: AtomicU64,
    listed: AtomicU64,
    changes: AtomicU64,
}

impl Counts {
    /// Returns how many objects, or parts of them, were asked for.
    pub fn gets(&self) -> u64 {
        self.gets.load(Ordering::SeqCst)
    }

    /// Returns how many listings were asked for.
    pub fn lists(&self) -> u64 {
        self.lists.load(Ordering::SeqCst)
    }

    /// Returns how many objects listings have brought.
    pub fn listed(&self) -> u64 {
        self.listed.load(Ordering::SeqCst)
    }

    /// Returns how many changes were asked for.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Around for Counts {
    async fn around(&self, request: Request<'_>, go: BoxFuture<'_, Result<()>>) -> Result<()> {
        let counter = match request {
            Request::Get { .. } => &self.gets,
            Request::List => &self.lists,
            Request::AbortUpload => return go.await,
            _ => &self.changes,
        };
        counter.fetch_add(1, Ordering::SeqCst);
        go.await
    }

    fn listed(&self, _: &ObjectMeta) {
        self.listed.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use object_store::memory::InMemory;

    use super::*;

    /// Lets nothing through, and notes what was asked.
    #[derive(Debug, Default)]
    struct Closed(Mutex<Vec<String>>);

    #[async_trait]
    impl Around for Closed {
        async fn around(&self, request: Request<'_>, go: BoxFuture<'_, Result<()>>) -> Result<()> {
            let name = format!("{request:?}").split([' ', '(']).next().unwrap_or_default().to_owned();
            let begins = matches!(request, Request::BeginUpload { .. });
            self.0.lock().unwrap().push(name);
            if begins {
                go.await
            } else {
                Err(object_store::Error::NotImplemented { operation: String::new(), implementer: String::new() })
            }
        }
    }

    #[tokio::test]
    async fn no_request_bypasses_around() {
        let (inner, closed) = (Arc::new(InMemory::new()), Arc::new(Closed::default()));
        let (a, b) = (Path::from("a"), Path::from("b"));
        inner.put(&a, "1".into()).await.unwrap();
        let store = WrappedStore::new(Arc::<InMemory>::clone(&inner), Arc::clone(&closed));
        store.put(&b, "2".into()).await.unwrap_err();
        store.get(&a).await.unwrap_err();
        store.get_range(&a, 0..1).await.unwrap_err();
        store.head(&a).await.unwrap_err();
        store.delete(&a).await.unwrap_err();
        let paths = stream::iter([Ok(a.clone())]).boxed();
        store.delete_stream(paths).try_collect::<Vec<_>>().await.unwrap_err();
        store.list(None).try_collect::<Vec<_>>().await.unwrap_err();
        store.list_with_delimiter(None).await.unwrap_err();
        store.copy(&a, &b).await.unwrap_err();
        store.copy_if_not_exists(&a, &b).await.unwrap_err();
        store.rename(&a, &b).await.unwrap_err();
        store.rename_if_not_exists(&a, &b).await.unwrap_err();
        let mut upload = store.put_multipart(&b).await.unwrap();
        upload.put_part("2".into()).await.unwrap_err();
        upload.complete().await.unwrap_err();
        upload.abort().await.unwrap_err();
        let asked = closed.0.lock().unwrap().join(" ");
        let expected = "Put Get Get Get Delete Delete List List Copy Copy Copy Copy BeginUpload PutPart CompleteUpload AbortUpload";
        assert_eq!(asked, expected);
        let there = inner.list(None).try_collect::<Vec<_>>().await.unwrap();
        assert_eq!(there.into_iter().map(|object| object.location).collect::<Vec<_>>(), [a]);
    }
}
