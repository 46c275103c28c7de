//! The answers of a listing that was not finished, so that the next run need not ask for them
//! again.
//!
//! A run keeps the answers that it has used in segments beside its staged files. A run that finds
//! segments of a dead one asks the API for the first page anew; when that is the same, it takes
//! what follows from the segments, and asks for the last kept page anew too, before it goes on with
//! pages that nobody has. Both must be the same, byte for byte: otherwise the data have moved, and
//! everything is read again.
//!
//! What is kept are answers to requests, so a pipeline that asks otherwise now finds nothing, and
//! everything that a run derives from pages (cursors, keys of children, which rows came twice) is
//! derived again, by the same code.
//!
//! Answers that come faster than they could be kept are not worth it: but for the first one, they
//! are asked for again.
//!
//! A segment is zstd over entries of `u32 length, JSON head, u32 length, body`, little-endian.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use twox_hash::XxHash3_128;

use crate::client::{ApiRequest, ApiResponse, Client, Fetched, RequestBody};
use crate::extract::page::Origin;
use lakefeed_model::clock::Clock;
use lakefeed_model::error::{Error, Result};

/// Bytes of answers that make a segment.
const SEGMENT_BYTES: usize = 1024 * 1024;
/// A segment is written after this time, however small it is.
const SEGMENT_TIME: Duration = Duration::from_secs(1);
/// A last segment that is smaller is not worth writing when a run is stopped early.
const LAST_SEGMENT_BYTES_MIN: usize = 256 * 1024;
/// Bytes per second beyond which pages are not worth keeping: to ask for them again takes no longer
/// than to compress and to keep them.
const FASTEST: u128 = 32 * 1024 * 1024;
const NANOSECONDS: u128 = 1_000_000_000;
/// Bytes that wait at most while the table is not taken yet.
const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Decompressed segments that are kept at hand: slices that are read side by side look into
/// several.
const SEGMENTS_AT_HAND: usize = 4;
/// The most bytes of one decompressed segment: what was written, and one more page.
const SEGMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Where segments are.
#[async_trait]
pub trait JournalStore: fmt::Debug + Send + Sync {
    /// Returns the segments of runs that are dead, in the order in which they were written.
    async fn left(&self) -> Result<Vec<String>>;

    /// Returns the bytes of one of them.
    async fn get(&self, segment: &str) -> Result<Bytes>;

    /// Keeps a segment of this run.
    async fn put(&self, number: u32, bytes: Bytes) -> Result<()>;

    /// Forgets the segments of dead runs.
    async fn forget(&self) -> Result<()>;
}

/// The answers that dead runs left and those that this one leaves.
#[derive(Debug)]
pub struct Journal {
    store: Arc<dyn JournalStore>,
    clock: Arc<dyn Clock>,
    /// Bytes of answers that make a segment.
    segment_bytes: usize,
    kept: tokio::sync::Mutex<Kept>,
    new: Mutex<Segment>,
    /// The table is this run's, so segments may be written.
    is_armed: AtomicBool,
    is_stale: AtomicBool,
}

/// What became of looking into the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There is nothing to go on from.
    Nothing,
    /// The answers of a dead run hold; this many are kept.
    Holds(u64),
    /// They do not: the first page has changed.
    Changed,
}

/// How the reading of a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With its last page.
    Read,
    /// Early, and the next run may go on from there.
    Stopped,
    /// So that no answer is worth anything, those of dead runs included.
    Void,
}

/// An answer, and where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) fetched: Fetched,
    pub(crate) origin: Origin,
    key: u128,
}

#[derive(Debug, Default)]
struct Kept {
    segments: Vec<String>,
    places: HashMap<u128, VecDeque<Place>>,
    entries: u64,
    /// The answer that was kept last.
    last: Option<(u128, Place)>,
    /// Whether the first page was compared.
    is_checked: bool,
    found: Option<Found>,
    at_hand: VecDeque<(u32, Bytes)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    segment: u32,
    offset: u32,
}

#[derive(Debug, Default)]
struct Segment {
    bytes: Vec<u8>,
    /// Bytes of the first answer, which stays until something is written: by it the next run knows
    /// whether what is kept holds.
    first: usize,
    number: u32,
    since: Duration,
    writing: Option<JoinHandle<Result<()>>>,
    /// Segments cannot be written; the run goes on without them.
    is_given_up: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    key: String,
    /// 0 for an answer that a response action ignored.
    status: u16,
    headers: Vec<(String, String)>,
}

impl Journal {
    /// Returns a journal in `store`. With `adopts`, the answers of dead runs are used.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(store: Arc<dyn JournalStore>, clock: Arc<dyn Clock>, adopts: bool) -> Result<Self> {
        let mut kept = Kept::default();
        if adopts {
            for name in store.left().await? {
                // A segment that was cut off, or that another run's commit has swept by now, ends
                // what can be used.
                let Ok(bytes) = store.get(&name).await else { break };
                let Ok(bytes) = decompressed(&bytes) else { break };
                kept.index(name, &bytes);
            }
        }
        let since = clock.monotonic();
        Ok(Self {
            store,
            clock,
            segment_bytes: SEGMENT_BYTES,
            kept: tokio::sync::Mutex::new(kept),
            new: Mutex::new(Segment { since, ..Segment::default() }),
            is_armed: AtomicBool::new(false),
            is_stale: AtomicBool::new(false),
        })
    }

    /// Lets segments be written from now on: the table is this run's.
    pub fn arm(&self) {
        self.is_armed.store(true, Ordering::Relaxed);
    }

    /// Returns whether kept answers turned out to be outdated after some of them were used.
    pub fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Relaxed)
    }

    /// Returns what became of looking for kept answers, once and when it is known.
    pub async fn found(&self) -> Option<Found> {
        self.kept.lock().await.found.take()
    }

    /// Returns the answer to a request: kept, or from the API.
    pub(crate) async fn fetch(&self, client: &Client, resource: &str, request: &ApiRequest) -> Result<Got> {
        let key = key_of(resource, request);
        let (kept, must_be_same) = {
            let mut all = self.kept.lock().await;
            let is_first = !std::mem::replace(&mut all.is_checked, true);
            let Some(place) = all.take(key) else {
                if is_first {
                    all.found = Some(Found::Nothing);
                }
                drop(all);
                return Ok(Got { fetched: client.fetch(resource, request).await?, origin: Origin::Fetched, key });
            };
            let kept = self.read(&mut all, place).await.inspect_err(|_| {
                // What came from other segments was never compared with the last page.
                self.is_stale.store(true, Ordering::Relaxed);
            })?;
            if is_first {
                // Nobody else may use what is kept before it is known to hold.
                let fetched = client.fetch(resource, request).await?;
                let holds = is_same(&fetched, &kept);
                all.found = Some(if holds { Found::Holds(all.entries) } else { Found::Changed });
                if !holds {
                    all.places.clear();
                }
                return Ok(Got { fetched, origin: if holds { Origin::Cached } else { Origin::Fetched }, key });
            }
            (kept, all.last == Some((key, place)))
        };
        if must_be_same {
            let fetched = client.fetch(resource, request).await?;
            if !is_same(&fetched, &kept) {
                self.is_stale.store(true, Ordering::Relaxed);
                return Err(Error::incomplete(format!(
                    "resource {resource}: records have moved since the run that was stopped"
                )));
            }
            return Ok(Got { fetched, origin: Origin::Cached, key });
        }
        Ok(Got { fetched: kept, origin: Origin::Cached, key })
    }

    async fn read(&self, kept: &mut Kept, place: Place) -> Result<Fetched> {
        let damaged = || Error::storage("what a stopped run has kept of its pages is damaged");
        let at_hand = kept.at_hand.iter().find(|(segment, _)| *segment == place.segment);
        let bytes = if let Some((_, bytes)) = at_hand {
            bytes.clone()
        } else {
            let name = kept.segments.get(place.segment as usize).ok_or_else(damaged)?;
            let bytes = decompressed(&self.store.get(name).await?).map_err(|_| damaged())?;
            kept.at_hand.push_back((place.segment, bytes.clone()));
            if kept.at_hand.len() > SEGMENTS_AT_HAND {
                kept.at_hand.pop_front();
            }
            bytes
        };
        let (head, body, _) = entry(&bytes, place.offset as usize).ok_or_else(damaged)?;
        head.into_answer(body).ok_or_else(damaged)
    }

    /// Takes note of an answer that was used.
    pub(crate) fn note(&self, got: &Got) {
        let mut new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
        if got.origin == Origin::Cached || new.is_given_up {
            return;
        }
        if new.bytes.len() > WAITING_BYTES_MAX {
            new.is_given_up = true;
            new.bytes = Vec::new();
            return;
        }
        let (head, body) = Head::of(got);
        for part in [serde_json::to_vec(&head).unwrap_or_default().as_slice(), body.as_ref()] {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            new.bytes.extend_from_slice(&length.to_le_bytes());
            new.bytes.extend_from_slice(part);
        }
        if new.number == 0 && new.first == 0 {
            new.first = new.bytes.len();
        }
    }

    /// Writes a segment when it is time.
    pub(crate) async fn tick(&self) {
        let now = self.clock.monotonic();
        let (ready, writing) = {
            let mut new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
            let is_due = new.bytes.len() >= self.segment_bytes
                || (!new.bytes.is_empty() && now.saturating_sub(new.since) >= SEGMENT_TIME);
            if !is_due || !self.is_armed.load(Ordering::Relaxed) {
                return;
            }
            let elapsed = now.saturating_sub(std::mem::replace(&mut new.since, now));
            if new.bytes.len() as u128 * NANOSECONDS > elapsed.as_nanos() * FASTEST {
                let stays = if new.number == 0 { new.first } else { 0 };
                new.bytes.truncate(stays);
                return;
            }
            (std::mem::take(&mut new.bytes), new.writing.take())
        };
        // One at a time, so that no more than two are in memory.
        self.wait_for(writing).await;
        let mut new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
        if !new.is_given_up {
            let number = new.number;
            new.number += 1;
            let store = Arc::clone(&self.store);
            new.writing = Some(tokio::spawn(async move { store.put(number, compressed(ready).await?).await }));
        }
    }

    /// Ends the journal of this run.
    pub async fn close(&self, ending: Ending) {
        let (rest, writing, number) = {
            let mut new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
            let rest = std::mem::take(&mut new.bytes);
            let is_worth_it = match ending {
                Ending::Read => new.number > 0,
                Ending::Stopped => new.number > 0 || rest.len() >= LAST_SEGMENT_BYTES_MIN,
                Ending::Void => false,
            };
            let can_write = self.is_armed.load(Ordering::Relaxed) && !new.is_given_up;
            new.is_given_up = true;
            ((is_worth_it && can_write && !rest.is_empty()).then_some(rest), new.writing.take(), new.number)
        };
        self.wait_for(writing).await;
        // Best effort: whatever is missing is read from the API again.
        if let Some(rest) = rest
            && let Ok(bytes) = compressed(rest).await
        {
            drop(self.store.put(number, bytes).await);
        }
        if ending == Ending::Void {
            self.forget().await;
        }
    }

    /// Forgets the answers of dead runs: they do not hold.
    pub async fn forget(&self) {
        // Best effort: whoever finds them will see that they do not hold.
        drop(self.store.forget().await);
    }

    async fn wait_for(&self, writing: Option<JoinHandle<Result<()>>>) {
        let Some(writing) = writing else { return };
        if !matches!(writing.await, Ok(Ok(()))) {
            self.new.lock().unwrap_or_else(PoisonError::into_inner).is_given_up = true;
        }
    }
}

impl Got {
    /// Returns an answer where nothing is kept.
    pub(crate) fn of(fetched: Fetched) -> Self {
        Self { fetched, origin: Origin::Fetched, key: 0 }
    }
}

impl Kept {
    fn index(&mut self, name: String, bytes: &Bytes) {
        let segment = u32::try_from(self.segments.len()).unwrap_or(u32::MAX);
        self.segments.push(name);
        let mut offset = 0;
        while let Some((head, _, next)) = entry(bytes, offset) {
            let (Ok(key), Ok(at)) = (u128::from_str_radix(&head.key, 16), u32::try_from(offset)) else { return };
            let place = Place { segment, offset: at };
            self.places.entry(key).or_default().push_back(place);
            self.entries += 1;
            self.last = Some((key, place));
            offset = next;
        }
    }

    fn take(&mut self, key: u128) -> Option<Place> {
        self.places.get_mut(&key)?.pop_front()
    }
}

impl Head {
    fn of(got: &Got) -> (Self, Bytes) {
        let key = format!("{:032x}", got.key);
        match &got.fetched {
            Fetched::Ignored => (Self { key, status: 0, headers: Vec::new() }, Bytes::new()),
            Fetched::Answer(response) => {
                let text = |(name, value): (&HeaderName, &HeaderValue)| {
                    Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
                };
                let wanted = response.headers.iter().filter(|(name, _)| **name != header::SET_COOKIE);
                let headers = wanted.filter_map(text).collect();
                (Self { key, status: response.status.as_u16(), headers }, response.body.clone())
            }
        }
    }

    fn into_answer(self, body: Bytes) -> Option<Fetched> {
        if self.status == 0 {
            return Some(Fetched::Ignored);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            headers.append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
        }
        Some(Fetched::Answer(ApiResponse { status: StatusCode::from_u16(self.status).ok()?, headers, body }))
    }
}

fn is_same(now: &Fetched, then: &Fetched) -> bool {
    match (now, then) {
        (Fetched::Answer(now), Fetched::Answer(then)) => now.body == then.body,
        (Fetched::Ignored, Fetched::Ignored) => true,
        (Fetched::Answer(_), Fetched::Ignored) | (Fetched::Ignored, Fetched::Answer(_)) => false,
    }
}

/// Returns the entry at `offset`, and the offset of the next one.
fn entry(bytes: &Bytes, offset: usize) -> Option<(Head, Bytes, usize)> {
    let part = |at: usize| -> Option<(usize, usize)> {
        let length = bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)?;
        let start = at + 4;
        let end = start.checked_add(length as usize)?;
        (end <= bytes.len()).then_some((start, end))
    };
    let (start, end) = part(offset)?;
    let head = serde_json::from_slice(bytes.get(start..end)?).ok()?;
    let (start, end) = part(end)?;
    Some((head, bytes.slice(start..end), end))
}

async fn compressed(bytes: Vec<u8>) -> Result<Bytes> {
    let work = tokio::task::spawn_blocking(move || with_checksum(&bytes)).await;
    let fails = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::defect("answers could not be compressed").with_source(error)
    };
    Ok(work.map_err(|error| fails(error.into()))?.map_err(|error| fails(error.into()))?.into())
}

/// Writes a segment so that it proves that it is whole: a disk that has lost power may give back
/// zeros.
fn with_checksum(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(1)?;
    compressor.include_checksum(true)?;
    compressor.compress(bytes)
}

fn decompressed(bytes: &[u8]) -> std::io::Result<Bytes> {
    use std::io::Read as _;

    let mut plain = Vec::new();
    zstd::stream::read::Decoder::new(bytes)?.take(SEGMENT_BYTES_MAX).read_to_end(&mut plain)?;
    Ok(plain.into())
}

/// Returns what tells requests apart; how they are authenticated does not count.
fn key_of(resource: &str, request: &ApiRequest) -> u128 {
    let mut text = format!("{resource}\n{:?}\n{}", request.method, request.url);
    for (name, value) in &request.query {
        text.extend(["\n?", name, "=", value]);
    }
    for header in &request.headers {
        text.extend(["\n", header.name.as_str(), ":", header.value.expose()]);
    }
    match &request.body {
        RequestBody::None => {}
        RequestBody::Json(json) => text.extend(["\nj", &json.to_string()]),
        RequestBody::Form(fields) => fields.iter().for_each(|(name, value)| text.extend(["\nf", name, "=", value])),
        RequestBody::Raw(raw) => text.extend(["\nr", raw]),
    }
    XxHash3_128::oneshot(text.as_bytes())
}

#[cfg(test)]
mod tests;
