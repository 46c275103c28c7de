//! Plans by example, and that slices and outcomes keep what they say when they are stored.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::checkpoint::{CursorDelta, CursorState, Position, PositionDelta};
use crate::error::ErrorKind;
use crate::event::{Completeness, Verdict};
use crate::paginate::StopReason;
use crate::reject::RejectCode;
use crate::spec::{CursorValue, LastValue};

fn resource(more: &Value) -> ResourceSpec {
    let mut resources = vec![json!({"name": "p", "endpoint": {"path": "p"}})];
    let mut events = json!({"name": "e", "endpoint": {"path": "e"}});
    for (key, value) in more.as_object().unwrap() {
        events["endpoint"][key] = value.clone();
    }
    resources.push(events);
    let spec = crate::pipeline::testing::pipeline(&json!(resources), &json!({}));
    spec.resources.into_iter().find(|resource| resource.name == "e").unwrap()
}

fn windows(step: &str) -> ResourceSpec {
    resource(
        &json!({"incremental": {"cursor_path": "at", "initial_value": "2026-11-20T00:00:00Z", "step": step, "lag": 60}}),
    )
}

fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn stored(slices: impl Iterator<Item = Slice>) -> Vec<Value> {
    slices.map(|slice| serde_json::to_value(slice).unwrap()).collect()
}

#[test]
fn a_resource_is_one_slice_or_its_windows() {
    let whole = Plan::of(&resource(&json!({})), None, None).unwrap().in_windows(now()).unwrap();
    let listing = json!({"version": 1, "resource": "e", "number": 0, "part": "listing"});
    assert_eq!(stored(whole.slices()), [listing]);

    let text = |text: &str| json!({"text": text});
    let bindings = |from: &str, to: &str| {
        json!({"start": text(from), "end": text(to), "last": text("2026-11-20T00:00:00Z"),
            "initial": text("2026-11-20T00:00:00Z"), "lag": {"number": "60"}})
    };
    let window = |number: u64, from: &str, to: &str| {
        json!({"version": 1, "resource": "e", "number": number,
            "part": {"window": {"from": text(from), "to": text(to)}}, "bindings": bindings(from, to)})
    };
    let plan = Plan::of(&windows("1d"), None, None).unwrap();
    assert_eq!(plan.slices().count(), 1, "without windows it is one slice");
    let expected = [
        window(0, "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"),
        window(1, "2026-11-21T00:00:00Z", "2026-11-21T12:00:00Z"),
    ];
    assert_eq!(stored(plan.in_windows(now()).unwrap().slices()), expected);
}

#[test]
fn a_plan_goes_on_from_the_checkpoint_or_is_over_a_range() {
    let at = |text: &str| CursorValue::Text(text.to_owned());
    let state = CursorState { last_value: at("2026-11-21T06:00:00Z"), boundary: Vec::new() };
    let checkpoint = Checkpoint::at("e", Position::Cursor(state));
    let range = Backfill { from: Some(at("2026-11-01")), to: Some(at("2026-11-03")) };
    for (checkpoint, range, expected) in [
        (Some(&checkpoint), None, &["2026-11-21T05:59:00Z"][..]),
        (Some(&checkpoint), Some(&range), &["2026-11-01", "2026-11-02"]),
        (None, None, &["2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"]),
    ] {
        let plan = Plan::of(&windows("1d"), checkpoint, range).unwrap().in_windows(now()).unwrap();
        let starts: Vec<String> = plan
            .slices()
            .filter_map(|slice| slice.bindings.as_ref()?.start.clone())
            .map(|start| start.to_string())
            .collect();
        assert_eq!(starts, expected);
    }
}

#[test]
fn the_slices_of_a_child_are_the_records_of_its_parent() {
    let child = resource(&json!({"path": "p/{resources.p.id}/e"}));
    let plan = Plan::of(&child, None, None).unwrap();
    assert_eq!(plan.slices().next(), None);
    let slice = plan.slice_of(ParentRow::new([("id".to_owned(), "1.50".to_owned())]), 7);
    let expected = json!({"version": 1, "resource": "e", "number": 7, "part": {"parent_row": {"id": "1.50"}}});
    assert_eq!(serde_json::to_value(&slice).unwrap(), expected);
    assert_eq!(serde_json::from_value::<Slice>(expected).unwrap(), slice);
}

/// A million windows are planned by making the one that is asked for.
#[test]
fn windows_are_made_when_they_are_asked_for() {
    let since = |text: &str| Backfill { from: Some(CursorValue::Text(text.to_owned())), to: None };
    let plan = |from: &str| Plan::of(&windows("1s"), None, Some(&since(from))).unwrap().in_windows(now());
    let year = plan("2026-08-01T00:00:00Z").unwrap();
    assert_eq!(year.slices().nth(1).unwrap().number, 1);
    let error = plan("0001-01-01T00:00:00Z").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(
        error.message(),
        "resource e: endpoint.incremental.step makes 63930859200 time windows until 2026-11-21 12:00 UTC, and each is a request at least; 10000000 are planned at most"
    );
}

#[test]
fn what_cannot_be_planned_says_what_to_change() {
    let soon = Backfill { from: Some(CursorValue::Text("soon".to_owned())), to: None };
    let error = Plan::of(&windows("1d"), None, Some(&soon)).unwrap().in_windows(now()).unwrap_err();
    assert!(error.message().contains("resource e: \"soon\" is not a date"), "{error}");
}

fn outcome(verdict: Verdict, reason: &str, records: u64) -> SliceOutcome {
    let counts =
        SliceCounts { pages: 1, records, rejected: [(RejectCode::Expression, 1)].into(), nulled: 2, filtered: 1 };
    let complete = Some(Completeness { verdict, reason: reason.to_owned() });
    SliceOutcome { slices: 1, counts, complete, stop_reason: Some(StopReason::EmptyPage), ..SliceOutcome::default() }
}

#[test]
fn slices_are_whole_when_each_of_them_is() {
    let (whole, doubt) = (Verdict::True, Verdict::Unknown);
    for (verdicts, expected) in [
        (&[][..], None),
        (&[(whole, "a")], Some((whole, "a"))),
        (&[(whole, "a"), (whole, "b"), (whole, "c")], Some((whole, "each of 3 slices was read whole"))),
        (&[(whole, "a"), (doubt, "b"), (whole, "c"), (doubt, "d")], Some((doubt, "b"))),
        (&[(doubt, "a"), (whole, "b")], Some((doubt, "a"))),
    ] {
        let outcomes = verdicts.iter().map(|(verdict, reason)| outcome(*verdict, reason, 3));
        let all = outcomes.fold(SliceOutcome::default(), |all, next| all.and(next).unwrap());
        let found = all.complete.as_ref().map(|complete| (complete.verdict, complete.reason.as_str()));
        assert_eq!(found, expected);
        let count = verdicts.len() as u64;
        assert_eq!(
            (all.slices, all.counts.records, all.counts.rejected(), all.counts.nulled),
            (count, 3 * count, count, 2 * count)
        );
    }
}

#[test]
fn slices_with_a_gap_between_them_are_not_one() {
    let state = |value: u64| CursorState { last_value: CursorValue::Number(value.to_string()), boundary: Vec::new() };
    let slice = |from: u64, to: u64| {
        let delta = CursorDelta { from: Some(state(from)), to: state(to), order: LastValue::Max };
        SliceOutcome { delta: Some(PositionDelta::Cursor(delta)), ..outcome(Verdict::True, "", 1) }
    };
    let both = slice(1, 2).and(slice(2, 3)).unwrap();
    assert_eq!(both.delta, slice(1, 3).delta);
    assert_eq!(slice(1, 2).and(slice(3, 4)).unwrap_err().to_string(), "it goes on from 3, but only up to 2 was read");
    assert!(slice(1, 3).and(slice(2, 4)).unwrap_err().to_string().contains("another run has read up to 3"));
}

proptest! {
    /// However outcomes are put together, as long as they are in order, they are the same.
    #[test]
    fn putting_together_is_associative(slices in prop::collection::vec((0_u8..3, 0_u64..9, any::<bool>()), 3..4)) {
        let outcomes: Vec<SliceOutcome> = slices.iter().enumerate().map(|(number, (verdict, records, moved))| {
            let verdict = [Verdict::True, Verdict::Unknown, Verdict::False][usize::from(*verdict)];
            SliceOutcome { total_moved: *moved, ..outcome(verdict, &number.to_string(), *records) }
        }).collect();
        let [a, b, c] = &outcomes[..] else { panic!("three") };
        let left = a.clone().and(b.clone()).unwrap().and(c.clone()).unwrap();
        let right = a.clone().and(b.clone().and(c.clone()).unwrap()).unwrap();
        prop_assert_eq!(&left, &right);
        let text = serde_json::to_string(&left).unwrap();
        prop_assert_eq!(serde_json::from_str::<SliceOutcome>(&text).unwrap(), left);
    }
}
