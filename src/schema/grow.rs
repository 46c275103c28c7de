//! How a schema takes in the shape of records that do not fit it. Pure.

use std::collections::BTreeSet;

use super::{Column, ColumnType, Conflicts, widen};

/// What may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth<'a> {
    /// Whether new fields become columns.
    pub columns: bool,
    /// What becomes of columns whose values do not fit; `None` when types stay.
    pub types: Option<Conflicts>,
    /// The places of fields whose type stays whatever comes: those of the key and of the partitioning.
    pub fixed: &'a [String],
}

/// The columns that hold what `known` holds and what was `seen`. A type only changes at the paths of `misfits` (`$.a.b`, without the indexes of
/// lists), since what was seen of a page says little about a column that fits: texts that happen to look like dates are texts still.
pub fn grow(known: &[Column], seen: &[Column], growth: Growth<'_>, misfits: &BTreeSet<String>) -> Vec<Column> {
    grow_level("$", known, seen, growth, misfits)
}

fn grow_level(
    place: &str,
    known: &[Column],
    seen: &[Column],
    growth: Growth<'_>,
    misfits: &BTreeSet<String>,
) -> Vec<Column> {
    let find = |columns: &[Column], name: &str| columns.iter().find(|column| column.name == name).cloned();
    let mut columns = Vec::with_capacity(known.len());
    for column in known {
        let place = member_path(place, &column.name);
        let column_type = match find(seen, &column.name) {
            Some(new) if !growth.fixed.contains(&place) => {
                grow_type(&place, &column.column_type, &new.column_type, growth, misfits)
            }
            Some(_) | None => column.column_type.clone(),
        };
        columns.push(Column { column_type, ..column.clone() });
    }
    if growth.columns {
        let new = seen.iter().filter(|column| find(known, &column.name).is_none());
        columns.extend(new.map(|column| Column { nullable: true, ..column.clone() }));
    }
    columns
}

fn grow_type(
    place: &str,
    known: &ColumnType,
    seen: &ColumnType,
    growth: Growth<'_>,
    misfits: &BTreeSet<String>,
) -> ColumnType {
    match (known, seen) {
        (ColumnType::Struct(known), ColumnType::Struct(seen)) => {
            ColumnType::Struct(grow_level(place, known, seen, growth, misfits))
        }
        (ColumnType::List(known), ColumnType::List(seen)) => {
            ColumnType::List(Box::new(grow_type(place, known, seen, growth, misfits)))
        }
        _ => match growth.types {
            Some(conflicts) if misfits.contains(place) => {
                widen(known, seen, conflicts).unwrap_or_else(|| known.clone())
            }
            Some(_) | None => known.clone(),
        },
    }
}

/// The JSON path of a member, as rejects have it.
pub fn member_path(place: &str, key: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '@');
    if !key.is_empty() && key.chars().all(is_plain) {
        format!("{place}.{key}")
    } else {
        format!("{place}['{}']", key.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

#[cfg(test)]
mod tests {
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
        let growth = |columns, types| Growth { columns, types, fixed: &fixed };
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
}
