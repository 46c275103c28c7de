//! Runs that follow each other, by example and by property.

use proptest::prelude::*;

use super::*;
use crate::spec::{IncrementalValue, JsonPath, Lag};

/// A cursor at `n`, which grows.
pub(in crate::checkpoint) fn spec() -> CursorSpec {
    CursorSpec {
        cursor_path: JsonPath::keys(["n"]),
        initial_value: None,
        end_value: None,
        last_value: LastValue::Max,
        lag: None,
        row_order: None,
        on_missing: OnMissing::Raise,
        range_start: RangeBound::Closed,
        range_end: RangeBound::Open,
        key: None,
        format: None,
        step: None,
        lookback: None,
    }
}

fn number(value: u64) -> CursorValue {
    CursorValue::Number(value.to_string())
}

/// One run over records `(cursor value, key)`; returns the keys that were kept, and what is
/// remembered.
fn run(spec: &CursorSpec, state: Option<&CursorState>, records: &[(u64, u128)]) -> (Vec<u128>, Option<CursorState>) {
    let mut run = CursorRun::begin(spec, state, None).unwrap();
    let kept = records
        .iter()
        .filter(|(value, key)| run.admit(Some(&number(*value)), || *key).unwrap() == Admitted::Keep)
        .map(|(_, key)| *key)
        .collect();
    (kept, run.state(true).unwrap().or(state.cloned()))
}

#[test]
fn a_record_at_the_last_value_is_dropped_by_its_key() {
    let spec = CursorSpec { initial_value: Some(number(1)), ..spec() };
    let (kept, state) = run(&spec, None, &[(2, 1), (5, 3), (3, 2), (0, 9)]);
    assert_eq!(kept, [1, 3, 2]);
    let (kept, state) = run(&spec, state.as_ref(), &[(5, 3), (5, 4), (9, 5), (4, 7)]);
    assert_eq!(kept, [4, 5]);
    assert_eq!(state.unwrap().last_value, number(9));
}

#[test]
fn an_empty_key_tells_no_record_apart() {
    let spec = CursorSpec { key: Some(Vec::new()), ..spec() };
    let (_, state) = run(&spec, None, &[(2, 1)]);
    assert_eq!(run(&spec, state.as_ref(), &[(2, 1), (2, 2)]).0, [1, 2]);
}

#[test]
fn a_run_without_records_remembers_what_was() {
    let (_, state) = run(&spec(), None, &[(5, 1)]);
    let (kept, again) = run(&spec(), state.as_ref(), &[]);
    assert_eq!((kept, &again), (Vec::new(), &state));
    let (kept, _) = run(&spec(), again.as_ref(), &[(5, 1), (5, 2)]);
    assert_eq!(kept, [2]);
}

#[test]
fn a_lag_reads_again_but_never_before_the_initial_value() {
    let spec = CursorSpec { initial_value: Some(number(4)), lag: Some(Lag { amount: 3.0, unit: None }), ..spec() };
    let (_, state) = run(&spec, None, &[(9, 1)]);
    let second = CursorRun::begin(&spec, state.as_ref(), None).unwrap();
    assert_eq!(second.bindings(None).value(IncrementalValue::StartValue).unwrap(), Some(number(6)));
    assert_eq!(second.bindings(None).value(IncrementalValue::LastValue).unwrap(), Some(number(6)));
    assert_eq!(run(&spec, state.as_ref(), &[(9, 1), (6, 2), (5, 3)]).0, [1, 2]);
    let early = CursorState { last_value: number(5), boundary: Vec::new() };
    let start = CursorRun::begin(&spec, Some(&early), None)
        .unwrap()
        .bindings(None)
        .value(IncrementalValue::StartValue)
        .unwrap();
    assert_eq!(start, Some(number(4)));
}

#[test]
fn a_range_is_half_open_and_leaves_no_trace() {
    let spec = CursorSpec { initial_value: Some(number(2)), end_value: Some(number(4)), ..spec() };
    let mut run =
        CursorRun::begin(&spec, Some(&CursorState { last_value: number(9), boundary: Vec::new() }), None).unwrap();
    let kept: Vec<u64> =
        (0..6).filter(|value| run.admit(Some(&number(*value)), || 0).unwrap() == Admitted::Keep).collect();
    assert_eq!(kept, [2, 3]);
    assert_eq!(run.state(true).unwrap(), None);
}

#[test]
fn an_order_of_records_tells_when_the_range_is_left() {
    let descending = CursorSpec { initial_value: Some(number(7)), row_order: Some(RowOrder::Descending), ..spec() };
    let mut run = CursorRun::begin(&descending, None, None).unwrap();
    for (value, is_past) in [(9, false), (7, false), (6, true)] {
        run.admit(Some(&number(value)), || 0).unwrap();
        assert_eq!(run.is_past_range(), is_past, "{value}");
    }
    let ascending = CursorSpec {
        initial_value: Some(number(2)),
        end_value: Some(number(4)),
        row_order: Some(RowOrder::Ascending),
        ..spec()
    };
    let mut run = CursorRun::begin(&ascending, None, None).unwrap();
    for (value, is_past) in [(1, false), (3, false), (4, true)] {
        run.admit(Some(&number(value)), || 0).unwrap();
        assert_eq!(run.is_past_range(), is_past, "{value}");
    }
}

#[test]
fn windows_cover_the_range_without_a_gap() {
    let text = |text: &str| CursorValue::Text(text.to_owned());
    let day = Duration::from_secs(86_400);
    let spec = CursorSpec { initial_value: Some(text("2024-01-01T00:00:00Z")), step: Some(day), ..spec() };
    let now = "2024-01-03T12:00:00Z".parse().unwrap();
    let run = CursorRun::begin(&spec, None, None).unwrap();
    let windows: Vec<_> = run.windows(now).unwrap().unwrap().collect();
    let bounds: Vec<_> = windows
        .iter()
        .map(|window| {
            let bindings = run.bindings(Some(window));
            let value = |wanted| bindings.value(wanted).unwrap().unwrap().to_string();
            (value(IncrementalValue::StartValue), value(IncrementalValue::EndValue))
        })
        .collect();
    let expected = [
        ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"),
        ("2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"),
        ("2024-01-03T00:00:00Z", "2024-01-03T12:00:00Z"),
    ];
    assert_eq!(bounds, expected.map(|(from, to)| (from.to_owned(), to.to_owned())));
    let state = run.over(&windows[0], true).state(true).unwrap().unwrap();
    assert_eq!(state.last_value, text("2024-01-02T00:00:00Z"));
    let lookback = CursorSpec { lookback: Some(day / 2), ..spec };
    let next = CursorRun::begin(&lookback, Some(&state), None).unwrap();
    assert_eq!(next.bindings(None).value(IncrementalValue::StartValue).unwrap(), Some(text("2024-01-01T12:00:00Z")));
}

#[test]
fn a_missing_value_raises_is_kept_or_is_left_out() {
    for (on_missing, expected) in [
        (OnMissing::Include, Some(Admitted::Keep)),
        (OnMissing::Exclude, Some(Admitted::Drop)),
        (OnMissing::Raise, None),
    ] {
        let spec = CursorSpec { on_missing, ..spec() };
        let admitted = CursorRun::begin(&spec, None, None).unwrap().admit(None, || 0);
        assert_eq!(admitted.ok(), expected);
    }
}

proptest! {
    /// However the API's records are cut into runs, each that is at or after the last value is
    /// appended exactly once.
    #[test]
    fn runs_that_follow_each_other_take_every_record_once(
        mut values in prop::collection::vec(0_u64..20, 1..60), cuts in prop::collection::vec(0_usize..60, 0..5)
    ) {
        values.sort_unstable();
        let records: Vec<(u64, u128)> = values.iter().zip(0..).map(|(value, key)| (*value, key)).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(records.len())).collect();
        cuts.extend([records.len()]);
        cuts.sort_unstable();
        let (mut state, mut seen) = (None, Vec::new());
        for cut in cuts {
            // The API gives everything that it has by now, again and again.
            let (kept, next) = run(&spec(), state.as_ref(), &records[..cut]);
            seen.extend(kept);
            state = next;
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, records.iter().map(|(_, key)| *key).collect::<Vec<_>>());
    }
}

#[test]
fn a_run_follows_what_it_began_from_and_its_own_windows_and_nobody_else() {
    let state = |value: u64| CursorState { last_value: number(value), boundary: Vec::new() };
    let begun = CursorRun::begin(&spec(), Some(&state(5)), None).unwrap();
    assert!(begun.follows(Some(&state(5))));
    assert!(!begun.follows(Some(&state(6))), "another run has committed");
    assert!(!begun.follows(None), "another run has built the table anew");
    let first = CursorRun::begin(&spec(), None, None).unwrap();
    assert!(first.follows(None) && !first.follows(Some(&state(1))));
    let range = Backfill { from: Some(number(1)), to: Some(number(2)) };
    assert!(CursorRun::begin(&spec(), Some(&state(5)), Some(&range)).unwrap().follows(Some(&state(9))));

    let day = |day: u32| CursorValue::Text(format!("2026-11-{day:02}T00:00:00Z"));
    let step = Some(Duration::from_secs(86_400));
    let stepping = CursorSpec { initial_value: Some(day(1)), step, ..spec() };
    let run = CursorRun::begin(&stepping, None, None).unwrap();
    let windows = run.windows("2026-11-04T00:00:00Z".parse().unwrap()).unwrap().unwrap();
    let windows: Vec<_> = windows.enumerate().map(|(number, window)| run.over(&window, number == 0)).collect();
    let after_the_first = windows[0].state(false).unwrap();
    assert!(windows[0].follows(None) && windows[1].follows(after_the_first.as_ref()));
    assert!(!windows[2].follows(after_the_first.as_ref()), "a window is missing between them");
}
