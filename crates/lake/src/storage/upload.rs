//! One staged object, written as its bytes come: small ones as one put, large ones in parts.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload};

/// Bytes of a part. S3 wants at least 5 MiB and at most 10,000 parts.
pub(crate) const PART_BYTES: usize = 8 * 1024 * 1024;

/// One object on its way.
#[derive(Debug)]
pub(crate) struct Upload {
    store: Arc<dyn ObjectStore>,
    path: Path,
    parts: Option<Box<dyn MultipartUpload>>,
    /// What waits for its part to be full, piece by piece.
    buffered: Vec<Bytes>,
    buffered_bytes: usize,
    bytes: u64,
}

impl Upload {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { store, path, parts: None, buffered: Vec::new(), buffered_bytes: 0, bytes: 0 }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns bytes that wait for their part to be full.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }

    /// Takes the next bytes; sends what makes full parts. All parts but the last are of one size,
    /// since some stores want that.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> object_store::Result<()> {
        self.bytes += bytes.len() as u64;
        let mut rest = bytes;
        while self.buffered_bytes + rest.len() >= PART_BYTES {
            self.buffered.push(rest.split_to(PART_BYTES - self.buffered_bytes));
            let part = self.take_buffered();
            let mut parts = match self.parts.take() {
                Some(parts) => parts,
                None => self.store.put_multipart(&self.path).await?,
            };
            parts.put_part(part).await?;
            self.parts = Some(parts);
        }
        self.buffered_bytes += rest.len();
        self.buffered.push(rest);
        Ok(())
    }

    fn take_buffered(&mut self) -> PutPayload {
        self.buffered_bytes = 0;
        mem::take(&mut self.buffered).into_iter().collect()
    }

    /// Makes the object exist. Returns how many bytes it has.
    pub(crate) async fn finish(mut self) -> object_store::Result<u64> {
        let rest = self.take_buffered();
        match self.parts.take() {
            None => self.store.put(&self.path, rest).await.map(drop)?,
            Some(mut parts) => {
                if rest.content_length() > 0 {
                    parts.put_part(rest).await?;
                }
                parts.complete().await.map(drop)?;
            }
        }
        Ok(self.bytes)
    }

    /// Gives the upload up. Best effort: staging is swept anyway.
    pub(crate) async fn abort(mut self) {
        if let Some(mut parts) = self.parts.take() {
            drop(parts.abort().await);
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn small_and_large_objects_arrive_whole_and_are_not_there_before_they_are_finished() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for (name, chunks) in [("empty", 0_usize), ("small", 3), ("large", 2_700)] {
            let path = Path::from(name);
            let mut upload = Upload::new(Arc::clone(&store), path.clone());
            let mut expected = Vec::new();
            for chunk in 0..chunks {
                let bytes = vec![u8::try_from(chunk % 251).unwrap(); 10_007];
                expected.extend_from_slice(&bytes);
                upload.write(bytes.into()).await.unwrap();
                assert!(upload.buffered_bytes() < PART_BYTES);
            }
            assert!(store.head(&path).await.is_err(), "{name}");
            assert_eq!(upload.finish().await.unwrap(), expected.len() as u64);
            assert!(store.get(&path).await.unwrap().bytes().await.unwrap() == expected, "{name}");
        }
    }
}
