//! The table of cases, and that deltas in their order are what runs remember.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::checkpoint::{CursorRun, cursor};
use crate::spec::{CursorSpec, Lag};

fn state(value: i64) -> CursorState {
    CursorState { last_value: CursorValue::Number(value.to_string()), boundary: Vec::new() }
}

fn delta(from: Option<i64>, to: i64) -> CursorDelta {
    CursorDelta { from: from.map(state), to: state(to), order: LastValue::Max }
}

#[test]
fn a_delta_goes_on_from_where_the_cursor_is_or_is_refused() {
    let gap = "but only ";
    let overlap = "another run has read";
    for (position, from, to, expected) in [
        (None, None, 5, Ok(5)),
        (Some(5), Some(5), 9, Ok(9)),
        (Some(9), Some(5), 9, Ok(9)),
        (Some(10), Some(10), 7, Ok(7)),
        (None, Some(5), 9, Err(gap)),
        (Some(3), Some(5), 9, Err(gap)),
        (Some(7), Some(5), 9, Err(overlap)),
        (Some(12), Some(5), 9, Err(overlap)),
        (Some(5), None, 9, Err(overlap)),
    ] {
        let delta = delta(from, to);
        let applied = delta.try_apply(position.map(state).as_ref());
        match expected {
            Ok(expected) => {
                assert_eq!(applied.as_ref(), Ok(&state(expected)), "{position:?} {delta:?}");
                assert_eq!(delta.try_apply(applied.ok().as_ref()), Ok(state(expected)), "twice");
            }
            Err(expected) => {
                let error = applied.unwrap_err().to_string();
                assert!(error.contains(expected), "{position:?} {delta:?}: {error}");
            }
        }
    }
}

#[test]
fn the_direction_of_the_cursor_tells_a_gap_from_an_overlap() {
    let delta = CursorDelta { order: LastValue::Min, ..delta(Some(5), 2) };
    assert!(matches!(delta.try_apply(Some(&state(7))), Err(DeltaError::Gap { .. })));
    assert!(matches!(delta.try_apply(Some(&state(3))), Err(DeltaError::Overlap { .. })));
}

#[test]
fn other_keys_at_one_value_are_another_position() {
    let keys = |keys: &[&str]| CursorState { boundary: keys.iter().map(|key| (*key).to_owned()).collect(), ..state(5) };
    let delta = CursorDelta { from: Some(keys(&["a"])), ..delta(None, 9) };
    assert_eq!(delta.try_apply(Some(&keys(&["a"]))), Ok(state(9)));
    let overlap = delta.try_apply(Some(&keys(&["a", "b"]))).unwrap_err();
    assert_eq!(overlap.to_string(), "it goes on from 5, but another run has read up to 5");
}

#[test]
fn values_of_two_kinds_have_no_order() {
    let text = CursorState { last_value: CursorValue::Text("x".to_owned()), boundary: Vec::new() };
    assert!(matches!(delta(Some(5), 9).try_apply(Some(&text)), Err(DeltaError::Value(_))));
}

fn spec(lag: Option<u32>, order: LastValue) -> CursorSpec {
    let lag = lag.map(|amount| Lag { amount: amount.into(), unit: None });
    CursorSpec { last_value: order, lag, ..cursor::tests::spec() }
}

/// What runs over these records remember, run by run, and the deltas that they say.
fn runs(spec: &CursorSpec, listings: &[Vec<i64>]) -> (Vec<Option<CursorState>>, Vec<CursorDelta>) {
    let (mut states, mut deltas) = (vec![None], Vec::new());
    for listing in listings {
        let before: Option<CursorState> = states.last().cloned().flatten();
        let mut run = CursorRun::begin(spec, before.as_ref(), None).unwrap();
        for (value, key) in listing.iter().zip(0..) {
            run.admit(Some(&CursorValue::Number(value.to_string())), || key).unwrap();
        }
        deltas.extend(run.delta(true).unwrap());
        states.push(run.state(true).unwrap().or(before));
    }
    (states, deltas)
}

proptest! {
    #[test]
    fn deltas_in_their_order_are_what_runs_remember(
        listings in prop::collection::vec(prop::collection::vec(-20_i64..20, 0..6), 1..8),
        lag in prop::option::of(0_u32..10), is_max in any::<bool>(),
    ) {
        let order = if is_max { LastValue::Max } else { LastValue::Min };
        let (states, deltas) = runs(&spec(lag, order), &listings);
        let mut position: Option<CursorState> = None;
        for delta in &deltas {
            position = Some(delta.try_apply(position.as_ref()).unwrap());
            prop_assert_eq!(delta.try_apply(position.as_ref()).ok(), position.clone(), "twice is once");
        }
        prop_assert_eq!(&position, states.last().unwrap());
        let whole = deltas.iter().cloned().map(Ok).reduce(|first, next| first?.then(&next?));
        if let Some(whole) = whole {
            prop_assert_eq!(whole.unwrap().try_apply(None).ok(), position, "all as one");
        }
    }

    #[test]
    fn a_delta_that_is_left_out_is_missed(
        listings in prop::collection::vec(prop::collection::vec(0_i64..20, 1..4), 2..6), left_out in 0_usize..5,
    ) {
        let (_, deltas) = runs(&spec(None, LastValue::Max), &listings);
        let left_out = left_out.min(deltas.len() - 1);
        let changes = deltas[left_out].from.as_ref() != Some(&deltas[left_out].to);
        let mut position: Option<CursorState> = None;
        for (place, delta) in deltas.iter().enumerate().filter(|(place, _)| *place != left_out) {
            let Ok(after) = delta.try_apply(position.as_ref()) else {
                prop_assert!(changes && place > left_out);
                return Ok(());
            };
            position = Some(after);
        }
        prop_assert!(!changes || left_out + 1 == deltas.len() || position.as_ref() == deltas.last().map(|last| &last.to));
    }

    /// Each window is a slice of its own: after all of them the cursor is where one run over the
    /// range leaves it.
    #[test]
    fn the_deltas_of_windows_follow_each_other(days in 1_u64..20, step in 1_u64..7, before in prop::option::of(0_u64..10)) {
        let day = |day: u64| CursorValue::Number((day * 86_400).to_string());
        let spec = CursorSpec {
            initial_value: Some(day(1)), step: Some(Duration::from_secs(step * 86_400)),
            lookback: Some(Duration::from_secs(2 * 86_400)), ..spec(None, LastValue::Max)
        };
        let begun = before.map(|before| CursorState { last_value: day(before), boundary: Vec::new() });
        let run = CursorRun::begin(&spec, begun.as_ref(), None).unwrap();
        let now = chrono::DateTime::from_timestamp(i64::try_from(days).unwrap() * 86_400, 0).unwrap();
        let windows: Vec<_> = run.windows(now).unwrap().unwrap().collect();
        let mut position = begun.clone();
        for (number, window) in windows.iter().enumerate() {
            let alone = run.over(window, number == 0);
            prop_assert!(alone.follows(position.as_ref()));
            let delta = alone.delta(false).unwrap().unwrap();
            let skipped = windows.get(number + 1).map(|next| run.over(next, false).delta(false).unwrap().unwrap());
            // A look-back begins before what was read: its first windows are there already, and may
            // be left out.
            let is_ahead = |skipped: &CursorDelta| match (&position, &skipped.from) {
                (Some(position), Some(from)) => later(&position.last_value, &from.last_value, LastValue::Max) == Ok(Ordering::Less),
                _ => true,
            };
            if let Some(skipped) = skipped.filter(is_ahead) {
                prop_assert!(matches!(skipped.try_apply(position.as_ref()), Err(DeltaError::Gap { .. })), "a window is missing");
            }
            position = Some(delta.try_apply(position.as_ref()).unwrap());
        }
        let mut whole = run.clone();
        for window in &windows {
            whole.narrow_to(window);
        }
        if !windows.is_empty() {
            prop_assert_eq!(position, whole.state(false).unwrap());
        }
    }
}
