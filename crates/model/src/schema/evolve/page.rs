//! How a schema takes in everything that a page of records shows, at once. Pure.

use super::grow::{Growth, grow};
use super::mismatch::{Mismatch, MismatchKind, MismatchedField};
use crate::schema::types::path::{Places, member_path};
use crate::schema::types::record::{Column, ColumnType};
use crate::schema::types::widen::holds;

/// Returns the columns that hold what `known` holds and what a page shows: its records have the
/// shape `seen`, and `known` does not take those of `mismatches`.
///
/// A type becomes wide enough for all records of the page together, where one type is; otherwise
/// for one record after the other, where it can. A field counts when those before it in its record
/// have found a place: a record that is refused anyway widens nothing for what comes behind.
pub fn grow_by_page(known: &[Column], seen: &[Column], mismatches: &[Mismatch], growth: Growth<'_>) -> Vec<Column> {
    let mut columns = grow(known, seen, growth, &Places::new());
    for record in mismatches.iter().filter(|record| record.counts()) {
        // What the page has values of several kinds for may hide fields in the objects among them.
        columns = grow(&columns, &record.columns, growth, &Places::new());
    }
    let mut pending: Vec<(&[MismatchedField], &[Column])> =
        mismatches.iter().map(|record| (record.fields.as_slice(), record.columns.as_slice())).collect();
    while !pending.is_empty() {
        let first = pending.iter().filter_map(|(fields, _)| fields.first());
        let places: Places =
            first.filter(|field| field.kind == MismatchKind::Type).map(|field| field.path.clone()).collect();
        columns = grow(&columns, seen, growth, &places);
        // Each record loses its first field here, or leaves.
        pending.retain_mut(|(fields, alone)| {
            let waiting = fields.len();
            while let Some((field, rest)) = fields.split_first() {
                if !takes(known, &columns, field, alone) {
                    match field.kind {
                        MismatchKind::Final => return false,
                        // First comes what the page says of it.
                        MismatchKind::Type if fields.len() < waiting => return true,
                        MismatchKind::Type | MismatchKind::New => {}
                    }
                    // One value that fits nothing must not keep others from widening their column.
                    columns = grow(&columns, alone, growth, &Places::from([field.path.clone()]));
                    if !takes(known, &columns, field, alone) {
                        return false;
                    }
                }
                *fields = rest;
            }
            false
        });
    }
    columns
}

/// Returns whether `columns`, which have grown from `known`, take a field that `known` did not
/// take, of a record that has the columns `alone` by itself.
fn takes(known: &[Column], columns: &[Column], field: &MismatchedField, alone: &[Column]) -> bool {
    let Some(now) = type_at("$", columns, &field.path) else { return false };
    let has_changed = type_at("$", known, &field.path) != Some(now);
    let holds = match (field.kind, type_at("$", alone, &field.path)) {
        (MismatchKind::New | MismatchKind::Type, Some(alone)) => holds(now, alone),
        (MismatchKind::New, None) => true,
        (MismatchKind::Type, None) | (MismatchKind::Final, _) => *now == ColumnType::Json,
    };
    has_changed && holds
}

/// Returns the type of the field at the path `wanted`, which is among `columns`, the members of
/// what is at `place`; JSON where something around it is JSON.
fn type_at<'c>(place: &str, columns: &'c [Column], wanted: &str) -> Option<&'c ColumnType> {
    columns.iter().find_map(|column| {
        let place = member_path(place, &column.name);
        let rest = wanted.strip_prefix(&place)?;
        if rest.is_empty() {
            return Some(&column.column_type);
        }
        let mut inner = &column.column_type;
        while let ColumnType::List(element) = inner {
            inner = element;
        }
        match inner {
            ColumnType::Struct(members) => type_at(&place, members, wanted),
            ColumnType::Json if rest.starts_with(['.', '[']) => Some(inner),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::types::widen::Conflicts;

    fn column(name: &str, column_type: ColumnType) -> Column {
        Column { name: name.to_owned(), column_type, nullable: true }
    }

    /// A record of these columns, of whose fields `known` does not take some.
    fn record(known: &[Column], columns: &[Column], paths: &[&str]) -> Mismatch {
        let field = |path: &&str| {
            let kind = match type_at("$", known, path) {
                _ if path.ends_with("final") => MismatchKind::Final,
                Some(_) => MismatchKind::Type,
                None => MismatchKind::New,
            };
            MismatchedField { path: (*path).to_owned(), kind }
        };
        Mismatch { fields: paths.iter().map(field).collect(), columns: columns.to_vec() }
    }

    #[test]
    fn a_field_counts_when_those_before_it_have_found_a_place() {
        use ColumnType::{Boolean, Float64, Int64, Json, Utf8};
        let both = || ColumnType::Struct(vec![column("x", Int64), column("y", Utf8)]);
        let object = |x| ColumnType::Struct(vec![column("x", x)]);
        let known = [column("a", Int64), column("b", Int64), column("o", object(Int64))];
        let seen = [column("a", Float64), column("b", Float64), column("new", Utf8)];
        let [a, b] = ["a", "b"].map(|name| move |column_type| column(name, column_type));
        let new = || column("new", Utf8);
        let record = |columns: &[Column], paths: &[&str]| record(&known, columns, paths);
        for (conflicts, records, expected) in [
            (Conflicts::Reject, vec![record(&[new()], &["$.new"])], [Int64, Int64, object(Int64)]),
            (
                Conflicts::Reject,
                vec![record(&[new(), a(Float64), b(Float64)], &["$.new", "$.a", "$.b"])],
                [Float64, Float64, object(Int64)],
            ),
            // Nothing shows what is at this path.
            (Conflicts::Reject, vec![record(&[a(Float64)], &["$.never", "$.a"])], [Int64, Int64, object(Int64)]),
            // This record alone does, since the others have something else there.
            (
                Conflicts::Reject,
                vec![record(&[column("o", both())], &["$.o.y"]), record(&[column("o", Boolean)], &["$.o"])],
                [Int64, Int64, both()],
            ),
            // No type holds both, so what is behind does not count; another record may widen it all
            // the same.
            (
                Conflicts::Reject,
                vec![record(&[a(Boolean), b(Float64)], &["$.a", "$.b"]), record(&[a(Float64)], &["$.a"])],
                [Float64, Int64, object(Int64)],
            ),
            (Conflicts::Json, vec![record(&[a(Boolean), b(Float64)], &["$.a", "$.b"])], [Json, Float64, object(Int64)]),
            // What was in an object is in the JSON that it became.
            (
                Conflicts::Json,
                vec![
                    record(&[column("o", Boolean)], &["$.o"]),
                    record(&[column("o", object(Boolean)), a(Boolean)], &["$.o.x", "$.o.final", "$.a"]),
                    record(&[column("b", Boolean)], &["$.final", "$.b"]),
                ],
                [Json, Int64, Json],
            ),
        ] {
            let growth = Growth { columns: true, types: Some(conflicts), fixed: &[], undoubled: &Places::new() };
            let grown = grow_by_page(&known, &seen, &records, growth);
            let types: Vec<_> = grown.iter().map(|column| column.column_type.clone()).collect();
            assert_eq!(types, [&expected[..], &[Utf8]].concat(), "{conflicts:?} {records:?}");
        }
    }
}
