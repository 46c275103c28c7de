//! Runs that are killed at every change, and run again.

use lakefeed_testing::{Death, Fuse};

use super::{Way, at, delete, put, rows, whole};
use crate::spec::{MarkKind, MergeStrategy, Transform};
use crate::testing::world::World;

/// Kills a run at every change that it makes to the store, looks at what readers see, runs again,
/// compares.
async fn walk(way: &Way, deletes: bool, world: fn() -> World, death: Death) {
    let before =
        whole(vec![(0..6).map(|id| put(id, i64::from(id) % 3, 0)).collect(), vec![put(7, 7, 0), put(8, 8, 0)]]);
    // Inserts, updates, leaves alone, moves (which empties a partition), repeats a key, and lacks
    // some.
    let mut change =
        vec![vec![put(0, 0, 1), put(1, 1, 0), put(2, 0, 2), put(7, 1, 0), put(9, 9, 0)], vec![put(9, 10, 1)]];
    if deletes {
        change.push(vec![delete(8), delete(3), delete(99)]);
    }
    let change = whole(change);
    let (way_before, way) = (at(way, "2026-11-01T00:00:00Z"), at(way, "2026-12-01T00:00:00Z"));
    let prepared = async || {
        let world = world();
        way_before.run_on(&world.table(), way_before.spec(&world, "before"), &before).await.unwrap();
        world
    };
    let undisturbed = prepared().await;
    let old = rows(&undisturbed).await;
    way.run_on(&undisturbed.table(), way.spec(&undisturbed, "run"), &change).await.unwrap();
    let new = rows(&undisturbed).await;
    assert_ne!(old, new);
    for fatal in 0.. {
        let world = prepared().await;
        let fuse = Fuse::new(fatal, death);
        let outcome = way.run_on(&world.mortal_table(&fuse), way.spec(&world, "killed"), &change).await;
        if !fuse.is_dead() {
            outcome.unwrap();
            assert!(fatal > 10, "the walk saw only {fatal} steps");
            return;
        }
        world.expire_leases();
        let seen = rows(&world).await;
        world.is_committed(fatal, &seen, &old, &new).await;
        way.run_on(&world.table(), way.spec(&world, "again"), &change).await.unwrap();
        assert_eq!(rows(&world).await, new, "step {fatal} {death:?} {way:?}");
        let findings = world.table().verify().await.unwrap().findings;
        let is_left = |finding: &crate::Finding| finding.code == crate::FindingCode::StagingLeft;
        assert!(findings.iter().all(is_left), "step {fatal}: {findings:?}");
    }
}

#[tokio::test]
async fn a_history_killed_at_any_step_equals_an_undisturbed_one() {
    for world in [World::in_memory, World::on_disk] {
        for death in [Death::BeforeEffect, Death::AfterEffect] {
            walk(&Way::history(), false, world, death).await;
        }
    }
    let by_own = Way { by_own: Some(("valid_to", Transform::Day)), ..Way::history().deleting(None) };
    walk(&by_own, true, World::in_memory, Death::AfterEffect).await;
}

#[tokio::test]
async fn a_run_with_deletes_killed_at_any_step_equals_an_undisturbed_one() {
    for mark in [None, Some(MarkKind::Truth)] {
        for death in [Death::BeforeEffect, Death::AfterEffect] {
            walk(&Way::upsert().deleting(mark), true, World::in_memory, death).await;
            walk(&Way::upsert().deleting(mark), true, World::on_disk, death).await;
        }
    }
    let grouped = Way::of(MergeStrategy::DeleteInsert).by_group();
    walk(&grouped.clone().deleting(None), true, World::in_memory, Death::BeforeEffect).await;
    walk(&grouped.keyless(), false, World::in_memory, Death::AfterEffect).await;
}
