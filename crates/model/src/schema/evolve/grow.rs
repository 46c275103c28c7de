//! How a schema takes in the shape of records that do not fit it. Pure.

use std::collections::{HashMap, HashSet};

use crate::schema::types::path::{Places, member_path};
use crate::schema::types::record::{Column, ColumnType};
use crate::schema::types::widen::{Conflicts, widen};

/// What may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth<'a> {
    /// Whether new fields become columns.
    pub columns: bool,
    /// What becomes of columns whose values do not fit; `None` when types stay.
    pub types: Option<Conflicts>,
    /// The places of fields whose type stays whatever comes: those of the key and of the
    /// partitioning.
    pub fixed: &'a [String],
    /// The places with integers that no double is: they do not become doubles.
    pub undoubled: &'a Places,
}

/// Returns the columns that hold what `known` holds and what was `seen`. A type only changes at the
/// paths of `misfits` (`$.a.b`, without the indexes of lists), since what was seen of a page says
/// little about a column that fits: strings that happen to look like dates are strings still.
pub fn grow(known: &[Column], seen: &[Column], growth: Growth<'_>, misfits: &Places) -> Vec<Column> {
    grow_level("$", known, seen, growth, misfits)
}

fn grow_level(place: &str, known: &[Column], seen: &[Column], growth: Growth<'_>, misfits: &Places) -> Vec<Column> {
    let shown: HashMap<&str, &Column> = seen.iter().map(|column| (column.name.as_str(), column)).collect();
    let grown = |column: &Column| {
        let place = member_path(place, &column.name);
        let column_type = match shown.get(column.name.as_str()) {
            Some(new) if !growth.fixed.contains(&place) => {
                grow_type(&place, &column.column_type, &new.column_type, growth, misfits)
            }
            Some(_) | None => column.column_type.clone(),
        };
        Column { column_type, ..column.clone() }
    };
    let mut columns: Vec<Column> = known.iter().map(grown).collect();
    if growth.columns {
        let known: HashSet<&str> = known.iter().map(|column| column.name.as_str()).collect();
        let new = seen.iter().filter(|column| !known.contains(column.name.as_str()));
        columns.extend(new.map(|column| Column { nullable: true, ..column.clone() }));
    }
    columns
}

fn grow_type(place: &str, known: &ColumnType, seen: &ColumnType, growth: Growth<'_>, misfits: &Places) -> ColumnType {
    match (known, seen) {
        (ColumnType::Struct(known), ColumnType::Struct(seen)) => {
            ColumnType::Struct(grow_level(place, known, seen, growth, misfits))
        }
        (ColumnType::List(known), ColumnType::List(seen)) => {
            ColumnType::List(Box::new(grow_type(place, known, seen, growth, misfits)))
        }
        _ => match growth.types {
            Some(Conflicts::Json) if misfits.contains(place) && is_beyond_doubles(place, known, seen, growth) => {
                ColumnType::Json
            }
            Some(conflicts) if misfits.contains(place) && !is_beyond_doubles(place, known, seen, growth) => {
                widen(known, seen, conflicts).unwrap_or_else(|| known.clone())
            }
            Some(_) | None => known.clone(),
        },
    }
}

/// Returns whether integers and doubles meet of which one does not hold the other: a double that is
/// no column's type yet would lose digits of numbers that are there, and an integer that does not
/// fit a column of doubles is none.
fn is_beyond_doubles(place: &str, known: &ColumnType, seen: &ColumnType, growth: Growth<'_>) -> bool {
    match (known, seen) {
        (whole, ColumnType::Float64) if is_whole(whole) => growth.undoubled.contains(place),
        (ColumnType::Float64, whole) => is_whole(whole),
        _ => false,
    }
}

fn is_whole(column_type: &ColumnType) -> bool {
    matches!(column_type, ColumnType::Int64 | ColumnType::Integer(_))
}

/// Returns the places at which integers of `known` are doubles in `grown`.
pub fn new_doubles(known: &[Column], grown: &[Column]) -> Places {
    let mut places = Places::new();
    note_doubles("$", known, grown, &mut places);
    places
}

fn note_doubles(place: &str, known: &[Column], grown: &[Column], places: &mut Places) {
    for column in known {
        let place = member_path(place, &column.name);
        let Some(now) = grown.iter().find(|now| now.name == column.name) else { continue };
        let (mut was, mut now) = (&column.column_type, &now.column_type);
        while let (ColumnType::List(was_element), ColumnType::List(element)) = (was, now) {
            (was, now) = (was_element, element);
        }
        match (was, now) {
            (ColumnType::Struct(was), ColumnType::Struct(now)) => note_doubles(&place, was, now, places),
            (was, ColumnType::Float64) if is_whole(was) => drop(places.insert(place)),
            _ => {}
        }
    }
}

/// Returns the columns with doubles where integers are at `place`.
pub fn with_doubles_at(place: &str, known: &[Column]) -> Vec<Column> {
    doubled_level("$", place, known)
}

fn doubled_level(level: &str, wanted: &str, known: &[Column]) -> Vec<Column> {
    let doubled = |column: &Column| {
        let place = member_path(level, &column.name);
        Column { column_type: doubled(&place, wanted, &column.column_type), ..column.clone() }
    };
    known.iter().map(doubled).collect()
}

fn doubled(place: &str, wanted: &str, known: &ColumnType) -> ColumnType {
    match known {
        ColumnType::Struct(members) => ColumnType::Struct(doubled_level(place, wanted, members)),
        ColumnType::List(element) => ColumnType::List(Box::new(doubled(place, wanted, element))),
        whole if place == wanted && is_whole(whole) => ColumnType::Float64,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn column(name: &str, column_type: ColumnType) -> Column {
        Column { name: name.to_owned(), column_type, nullable: true }
    }

    #[test]
    fn only_what_did_not_fit_changes() {
        use ColumnType::{Float64, Int64, Json, TimestampUtc, Utf8};
        let known = vec![
            column("id", Int64),
            column("n", Int64),
            column("text", Utf8),
            column("o", ColumnType::Struct(vec![column("x y", Int64), column("t", Utf8)])),
            column("l", ColumnType::List(Box::new(Int64))),
        ];
        let seen = vec![
            column("id", Float64),
            column("n", Float64),
            column("text", TimestampUtc),
            column(
                "o",
                ColumnType::Struct(vec![column("x y", Float64), column("t", TimestampUtc), column("new", Int64)]),
            ),
            column("l", ColumnType::List(Box::new(Json))),
            column("more", Utf8),
        ];
        let misfits: BTreeSet<String> = ["$.id", "$.n", "$.o['x y']", "$.l"].into_iter().map(str::to_owned).collect();
        let fixed = ["$.id".to_owned()];
        let none = Places::new();
        let growth = |columns, types| Growth { columns, types, fixed: &fixed, undoubled: &none };
        assert_eq!(grow(&known, &seen, growth(false, None), &misfits), known);
        let grown = grow(&known, &seen, growth(true, Some(Conflicts::Json)), &misfits);
        let expected = vec![
            column("id", Int64),
            column("n", Float64),
            column("text", Utf8),
            column("o", ColumnType::Struct(vec![column("x y", Float64), column("t", Utf8), column("new", Int64)])),
            column("l", ColumnType::List(Box::new(Json))),
            column("more", Utf8),
        ];
        assert_eq!(grown, expected);
        let rejecting = grow(&known, &seen, growth(false, Some(Conflicts::Reject)), &misfits);
        assert_eq!((rejecting.len(), &rejecting[4].column_type), (5, &ColumnType::List(Box::new(Int64))));
    }
    #[test]
    fn whole_numbers_that_are_no_doubles_stay_or_become_json() {
        use ColumnType::{Float64, Int64, Json};
        let known = |n: ColumnType, m: ColumnType, l: ColumnType| {
            let list = ColumnType::List(Box::new(l));
            vec![column("n", n), column("o", ColumnType::Struct(vec![column("m m", m)])), column("l", list)]
        };
        let whole = || known(Int64, Int64, Int64);
        let floats = || known(Float64, Float64, Float64);
        let places = |places: &[&str]| places.iter().map(|place| (*place).to_owned()).collect::<Places>();
        let all = places(&["$.n", "$.o['m m']", "$.l"]);
        let grown = |from: &[Column], seen: &[Column], conflicts, undoubled: &Places| {
            grow(from, seen, Growth { columns: false, types: Some(conflicts), fixed: &[], undoubled }, &all)
        };
        for conflicts in [Conflicts::Reject, Conflicts::Text, Conflicts::Json, Conflicts::Variant] {
            let is_json = conflicts == Conflicts::Json;
            let or_json = |other: ColumnType| if is_json { Json } else { other };
            assert_eq!(grown(&whole(), &floats(), conflicts, &Places::new()), floats());
            let stays = known(or_json(Int64), or_json(Int64), or_json(Int64));
            assert_eq!(grown(&whole(), &floats(), conflicts, &all), stays, "{conflicts:?}");
            let some = known(Float64, or_json(Int64), Float64);
            assert_eq!(grown(&whole(), &floats(), conflicts, &places(&["$.o['m m']"])), some, "{conflicts:?}");
            // An integer that does not fit doubles.
            let stays = known(or_json(Float64), or_json(Float64), or_json(Float64));
            assert_eq!(grown(&floats(), &whole(), conflicts, &Places::new()), stays, "{conflicts:?}");
        }
        assert_eq!(new_doubles(&whole(), &floats()), all);
        assert_eq!(new_doubles(&floats(), &floats()), Places::new());
        assert_eq!(new_doubles(&whole(), &known(Json, Int64, Float64)), places(&["$.l"]));
        assert_eq!(with_doubles_at("$.o['m m']", &whole()), known(Int64, Float64, Int64));
        assert_eq!(with_doubles_at("$.l", &whole()), known(Int64, Int64, Float64));
    }
}
