//! Listings that are stopped anywhere, and go on.

use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::extract::every_record::{Api, Reading, Style, on_a_runtime};

/// Segments in memory, by the run that wrote them.
#[derive(Debug, Default)]
struct Memory {
    segments: Mutex<Vec<(u32, u32, Bytes)>>,
    run: Mutex<u32>,
}

#[async_trait]
impl JournalStore for Memory {
    async fn left(&self) -> Result<Vec<String>> {
        let mut names: Vec<_> =
            self.segments.lock().unwrap().iter().map(|(run, number, _)| format!("{run:05}/{number:05}")).collect();
        names.sort();
        Ok(names)
    }

    async fn get(&self, segment: &str) -> Result<Bytes> {
        let segments = self.segments.lock().unwrap();
        let found = segments.iter().find(|(run, number, _)| format!("{run:05}/{number:05}") == segment);
        Ok(found.unwrap().2.clone())
    }

    async fn put(&self, number: u32, bytes: Bytes) -> Result<()> {
        self.segments.lock().unwrap().push((*self.run.lock().unwrap(), number, bytes));
        Ok(())
    }

    async fn forget(&self) -> Result<()> {
        self.segments.lock().unwrap().clear();
        Ok(())
    }
}

impl Memory {
    /// One run, with `seconds` between its pages. The journal is left as a kill leaves it.
    async fn run(self: &Arc<Self>, api: &Arc<Api>, reading: Reading, seconds: u64) -> (Result<Vec<u64>>, Arc<Journal>) {
        self.run_with(api, reading, &[seconds], SEGMENT_BYTES).await
    }

    /// The same, with these numbers of seconds by turns, and segments of so many bytes.
    async fn run_with(
        self: &Arc<Self>,
        api: &Arc<Api>,
        reading: Reading,
        seconds: &[u64],
        segment_bytes: usize,
    ) -> (Result<Vec<u64>>, Arc<Journal>) {
        let clock = Arc::new(lakefeed_model::clock::ManualClock::new(chrono::DateTime::UNIX_EPOCH));
        *self.run.lock().unwrap() += 1;
        let store = Arc::<Self>::clone(self);
        let mut journal =
            Journal::open(store, Arc::<lakefeed_model::clock::ManualClock>::clone(&clock), true).await.unwrap();
        journal.segment_bytes = segment_bytes;
        journal.arm();
        let journal = Arc::new(journal);
        let pauses: Vec<_> = seconds.iter().map(|seconds| Duration::from_secs(*seconds)).collect();
        let result = reading.with(Arc::clone(&journal), &clock, &pauses).of(api).await;
        // What is being written is written: a kill in the middle of a put leaves nothing of it.
        let writing = journal.new.lock().unwrap().writing.take();
        journal.wait_for(writing).await;
        (result.map(|(records, _)| records), journal)
    }
}

const STYLES: [Style; 4] = [Style::Offset, Style::Pages, Style::Cursor, Style::LinkHeader];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn a_listing_that_is_stopped_anywhere_goes_on_with_every_record_once(
        style in prop::sample::select(STYLES.to_vec()),
        count in 1_u64..400, size in 1_u64..40, concurrency in 1_usize..40, seconds in prop::collection::vec(0_u64..2, 1..9),
        segment_bytes in prop::sample::select(vec![400, SEGMENT_BYTES]), stops in prop::collection::vec(0_u64..60, 1..4)
    ) {
        on_a_runtime(async {
            let api = Api::new(style, count, size);
            let store = Arc::new(Memory::default());
            let reading = || Reading::new(size, concurrency);
            for stop in stops {
                let (result, journal) = store.run_with(&api, reading().up_to(stop), &seconds, segment_bytes).await;
                result.unwrap();
                drop(journal);
            }
            let before = api.asked();
            let kept = store.segments.lock().unwrap().len() as u64;
            let (records, journal) = store.run_with(&api, reading(), &seconds, segment_bytes).await;
            prop_assert_eq!(records.unwrap(), (0..count).collect::<Vec<_>>());
            prop_assert!(!journal.is_stale());
            let found = journal.found().await.unwrap();
            let pages = match found { Found::Holds(pages) => pages, Found::Nothing | Found::Changed => 0 };
            prop_assert_eq!(pages > 0, kept > 0);
            // The first page and the last kept one are asked for again.
            let all = count.div_ceil(size);
            prop_assert_eq!(api.asked() - before, all - pages + pages.min(2));
            Ok(())
        })?;
    }

    #[test]
    fn whatever_is_in_a_segment_is_an_entry_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200), offset in 0_usize..300) {
        prop_assert!(entry(&Bytes::from(bytes.clone()), offset).is_none_or(|(_, body, next)| body.len() < next));
        drop(decompressed(&bytes));
    }
}

#[test]
fn what_has_moved_since_is_noticed_at_the_first_or_at_the_last_page() {
    on_a_runtime(async {
        for (change, at_the_first) in [(0, true), (41, false)] {
            let api = Api::new(Style::Cursor, 400, 10);
            let store = Arc::new(Memory::default());
            store.run(&api, Reading::new(10, 1).up_to(6), 1).await.0.unwrap();
            api.change(change);
            let (result, journal) = store.run(&api, Reading::new(10, 1), 1).await;
            assert_eq!(journal.is_stale(), !at_the_first);
            if at_the_first {
                assert_eq!(result.unwrap().len(), 400);
                assert_eq!(journal.found().await, Some(Found::Changed));
            } else {
                assert_eq!(result.unwrap_err().kind(), lakefeed_model::error::ErrorKind::Incomplete);
                journal.close(Ending::Void).await;
                assert!(store.left().await.unwrap().is_empty());
            }
        }
    });
}

#[test]
fn pages_that_come_fast_are_asked_for_again() {
    on_a_runtime(async {
        let api = Api::new(Style::Offset, 400, 10);
        let store = Arc::new(Memory::default());
        // Thirty pages at once, then one a second.
        let seconds: Vec<u64> = (0..40).map(|page| u64::from(page >= 30)).collect();
        store.run_with(&api, Reading::new(10, 1).up_to(36), &seconds, 400).await.0.unwrap();
        let before = api.asked();
        let (records, journal) = store.run(&api, Reading::new(10, 1), 1).await;
        assert_eq!(records.unwrap(), (0..400).collect::<Vec<_>>());
        let Some(Found::Holds(kept)) = journal.found().await else { panic!("nothing was kept") };
        assert!((6..12).contains(&kept), "{kept}");
        assert_eq!(api.asked() - before, 40 - kept + 2);
    });
}

#[test]
fn a_damaged_segment_ends_what_is_used() {
    on_a_runtime(async {
        let api = Api::new(Style::Offset, 100, 10);
        let store = Arc::new(Memory::default());
        store.run(&api, Reading::new(10, 1).up_to(8), 1).await.0.unwrap();
        let kept = store.segments.lock().unwrap().len();
        assert!(kept > 4, "{kept}");
        store.segments.lock().unwrap()[3].2 = Bytes::from_static(b"damaged");
        let (records, journal) = store.run(&api, Reading::new(10, 1), 1).await;
        assert_eq!(records.unwrap(), (0..100).collect::<Vec<_>>());
        assert_eq!(journal.found().await, Some(Found::Holds(3)));
    });
}

#[test]
fn small_and_short_runs_keep_nothing_and_stopped_ones_their_last_pages() {
    on_a_runtime(async {
        for (seconds, ending, expected) in
            [(0, Ending::Stopped, 0), (0, Ending::Read, 0), (1, Ending::Void, 0), (1, Ending::Stopped, 6)]
        {
            let api = Api::new(Style::Offset, 100, 10);
            let store = Arc::new(Memory::default());
            let (_, journal) = store.run(&api, Reading::new(10, 1).up_to(6), seconds).await;
            journal.close(ending).await;
            assert_eq!(store.segments.lock().unwrap().len(), expected, "{seconds} {ending:?}");
        }
    });
}
