//! Two writers on one store, each of which may fall asleep before any of its requests, for any
//! time; their clocks differ. Every schedule is drawn.
//!
//! What is driven is the real protocol, not a model of it. The bound on the difference of clocks
//! decides only how long after its holder's last renewal a lease may be taken over, never whether
//! that is safe; so it is drawn far beyond what clocks really differ by.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use lakefeed_testing::{Around, Request, WrappedStore};
use proptest::prelude::*;
use tokio::sync::Semaphore;

use crate::testing::world::{Row, TABLE, World, row, run_on};
use lakefeed_model::clock::{Clock as _, ManualClock};
use lakefeed_model::error::ErrorKind;
use lakefeed_model::spec::WriteDisposition::{self, Append, Merge, Replace};

/// Each request of a store waits for its turn.
#[derive(Debug)]
struct Turns(Semaphore);

#[async_trait]
impl Around for Turns {
    async fn around(&self, _: Request<'_>, go: BoxFuture<'_, object_store::Result<()>>) -> object_store::Result<()> {
        self.0.acquire().await.unwrap().forget();
        go.await
    }
}

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A writer makes so many requests.
    Requests { writer: usize, count: usize },
    /// A writer makes so many requests and falls asleep for long; the other one takes over and
    /// makes many.
    Sleeps { writer: usize, after: usize, meanwhile: usize },
    /// Time passes; nobody renews a lease, as when both are asleep.
    Passes { seconds: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => (0usize..2, 1usize..30).prop_map(|(writer, count)| Event::Requests { writer, count }),
        4 => (0usize..2, 1usize..60, 40usize..120)
            .prop_map(|(writer, after, meanwhile)| Event::Sleeps { writer, after, meanwhile }),
        1 => (0u64..150).prop_map(|seconds| Event::Passes { seconds }),
    ]
}

/// What one run of a writer brings.
#[derive(Debug, Clone)]
struct Load {
    disposition: WriteDisposition,
    rows: Vec<Row>,
}

fn load() -> impl Strategy<Value = Load> {
    let rows = proptest::collection::btree_map(0i64..4, (0i64..2, 0i64..100), 1..3);
    let disposition = prop_oneof![3 => Just(Replace), 2 => Just(Merge), 1 => Just(Append)];
    (disposition, rows).prop_map(|(disposition, rows)| {
        let rows = rows.into_iter().map(|(id, (day, value))| row(id, day, value)).collect();
        Load { disposition, rows }
    })
}

/// Returns what the table is after the commits that the log has, in their order.
fn expected(commits: &[Load]) -> Vec<Row> {
    let mut table: Vec<Row> = Vec::new();
    for Load { disposition, rows } in commits {
        match disposition {
            Replace => table.clear(),
            Append => {}
            Merge => table.retain(|old| rows.iter().all(|new| new.id != old.id)),
        }
        table.extend(rows.iter().cloned());
    }
    table.sort();
    table
}

/// Lets a writer make so many requests, one after the other.
async fn requests(turns: &Turns, count: usize) {
    for _ in 0..count {
        turns.0.add_permits(1);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

/// Returns the runs of a writer, one after the other: for each of them the commit that it was told
/// it has made.
async fn write(world: World, turns: Arc<Turns>, writer: usize, loads: Vec<Load>) -> Vec<Option<u64>> {
    let store = Arc::new(WrappedStore::new(Arc::clone(&world.store), turns));
    let mut made = Vec::new();
    for (number, load) in loads.into_iter().enumerate() {
        let table = world.lake(Arc::<WrappedStore<Turns>>::clone(&store)).table(TABLE);
        let spec = world.spec(&format!("run-{writer}-{number}"), load.disposition);
        match run_on(&table, spec, &[load.rows]).await {
            Ok(outcome) => made.push(outcome.commit),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Conflict, "{error} {:?}", error.causes());
                made.push(None);
            }
        }
    }
    made
}

async fn play(loads: [Vec<Load>; 2], events: Vec<Event>, skew: u64) {
    let base = World::in_memory();
    let worlds = [0, skew].map(|ahead| {
        let clock = Arc::new(ManualClock::new(base.clock.now() + chrono::TimeDelta::seconds(ahead.cast_signed())));
        World { clock, ..World::new(Arc::clone(&base.store), None) }
    });
    let clocks = worlds.each_ref().map(|world| Arc::clone(&world.clock));
    let turns = [0, 1].map(|_| Arc::new(Turns(Semaphore::new(0))));
    let writers: Vec<_> = worlds
        .into_iter()
        .zip(&turns)
        .zip(loads.clone())
        .enumerate()
        .map(|(writer, ((world, turns), loads))| tokio::spawn(write(world, Arc::clone(turns), writer, loads)))
        .collect();
    for event in events {
        let passes = |seconds| {
            for clock in &clocks {
                clock.advance(Duration::from_secs(seconds));
            }
        };
        match event {
            Event::Requests { writer, count } => requests(&turns[writer], count).await,
            Event::Sleeps { writer, after, meanwhile } => {
                requests(&turns[writer], after).await;
                passes(200);
                requests(&turns[1 - writer], meanwhile).await;
            }
            Event::Passes { seconds } => passes(seconds),
        }
    }
    for turns in &turns {
        turns.0.add_permits(1_000_000);
    }
    let mut made = Vec::new();
    for writer in writers {
        made.push(writer.await.unwrap());
    }
    base.clock.advance(Duration::from_secs(1_000_000));
    let maintenance = crate::Maintenance::new("last");
    let recovery = base.table().recover(&maintenance).await.unwrap();
    let mut history = base.table().history(None).await.unwrap();
    history.reverse();
    history.retain(|commit| Some(commit.commit) != recovery.fence);
    let commits: Vec<Load> = history
        .iter()
        .map(|commit| {
            let run: Vec<usize> = commit.run_id.split('-').filter_map(|part| part.parse().ok()).collect();
            loads[run[0]][run[1]].clone()
        })
        .collect();
    for (writer, made) in made.iter().enumerate() {
        for (number, commit) in made.iter().enumerate() {
            let Some(commit) = commit else { continue };
            let told = history.iter().find(|it| it.commit == *commit).map(|it| it.run_id.clone());
            assert_eq!(told, Some(format!("run-{writer}-{number}")), "two commits of one number");
        }
    }
    assert_eq!(base.rows().await, expected(&commits), "{commits:?}");
    base.check_tidy().await;
    let report = base.table().verify().await.unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn two_writers_that_fall_asleep_anywhere_never_harm_each_others_commits(
        first in proptest::collection::vec(load(), 1..9),
        second in proptest::collection::vec(load(), 1..9),
        events in proptest::collection::vec(event(), 1..16),
        skew in 0u64..90,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play([first, second], events, skew));
    }
}
