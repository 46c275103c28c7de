//! What a resource says about merging becomes one consistent whole.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::hints::Hint;
use super::table::{check_plain, unknown_column};
use super::values::expression;
use crate::config::document::Mapping as _;
use crate::config::document::merge::{DeleteMode, Disposition, DispositionDocument};
use crate::config::document::problems::Problems;
use crate::config::document::resource::ResourceDocument;
use crate::schema::RecordSchema;
use crate::spec::{
    DeleteEffect, DeletesSpec, HistorySpec, MarkKind, MarkSpec, MergeSpec, MergeStrategy, Precedence, ResourceSpec,
    SortOrder, StrategyName, WriteDisposition,
};

/// The columns of a history unless the file names others.
const VALIDITY_COLUMNS: [&str; 2] = ["valid_from", "valid_to"];

/// Validates how a resource merges, and which of its records delete; `schema` is that of its schema
/// file.
pub(crate) fn validate_merge(
    resource: &ResourceDocument,
    hints: &[Hint<'_>],
    schema: Option<&RecordSchema>,
    problems: &Problems,
) -> (MergeSpec, Option<DeletesSpec>) {
    let said = &resource.write_disposition;
    if said.disposition != Some(Disposition::Table(WriteDisposition::Merge)) {
        refuse_without_merge(resource, hints, problems);
        return (MergeSpec::default(), None);
    }
    let by_group = if resource.merge_key.is_empty() { StrategyName::Upsert } else { StrategyName::DeleteInsert };
    let name = said.strategy.unwrap_or(by_group);
    check_keys(resource, name, schema, problems);
    let (deletes, effect) = deletes(resource, hints, name, schema, problems).unzip();
    let merge = MergeSpec {
        strategy: strategy(resource, name, problems),
        merge_key: resource.merge_key.clone(),
        precedence: precedence(resource, hints, name, schema, problems),
        deletes: effect,
    };
    for own in merge.own_columns() {
        if schema.is_some_and(|schema| schema.column(&own.name).is_some()) {
            let what = format!(
                "'{}' is a column of the schema, and the merge adds one of that name: give it another one \
                 (validity_column_names, deletes.column)",
                own.name
            );
            problems.add(resource.place(), what);
        }
    }
    (merge, deletes)
}

/// Refuses what only a merge does, where it would be left out silently.
fn refuse_without_merge(resource: &ResourceDocument, hints: &[Hint<'_>], problems: &Problems) {
    let DispositionDocument { strategy, validity_column_names, boundary_timestamp, retire_absent, newer_by, .. } =
        &resource.write_disposition;
    let options = strategy.is_some()
        || validity_column_names.is_some()
        || boundary_timestamp.is_some()
        || retire_absent.is_some()
        || newer_by.is_some();
    let refuse = |place: &str, what: &str| problems.add(place, format!("{what} needs write_disposition merge"));
    if options {
        refuse(resource.write_disposition.place(), "a strategy, or what belongs to one,");
    }
    if let Some(deletes) = &resource.deletes {
        refuse(deletes.place(), "'deletes'");
    }
    for hint in hints {
        if hint.said.dedup_sort.is_some() {
            refuse(hint.said.place(), "'dedup_sort'");
        }
        if hint.said.hard_delete {
            refuse(hint.said.place(), "'hard_delete'");
        }
    }
}

fn check_keys(resource: &ResourceDocument, name: StrategyName, schema: Option<&RecordSchema>, problems: &Problems) {
    let said = &resource.write_disposition;
    let place = said.place();
    match (name, resource.primary_key.is_empty(), resource.merge_key.is_empty()) {
        (StrategyName::Upsert, true, true) if said.strategy.is_none() => {
            problems.add(place, "write_disposition merge needs a primary_key");
        }
        (StrategyName::Upsert | StrategyName::InsertOnly, true, _) => {
            problems.add(place, format!("the strategy {name} needs a primary_key"));
        }
        (StrategyName::DeleteInsert, true, true) => {
            problems.add(place, "the strategy delete-insert needs a primary_key or a merge_key");
        }
        (StrategyName::Upsert | StrategyName::InsertOnly, false, false) => {
            let what = format!("the strategy {name} has no use for a merge_key: leave it out, or take delete-insert");
            problems.add(&format!("{}/merge_key", resource.place()), what);
        }
        (_, _, _) => {}
    }
    if let Some(schema) = schema {
        for key in &resource.merge_key {
            check_plain(&format!("{}/merge_key", resource.place()), "merge_key", key, schema, problems);
        }
    }
}

fn strategy(resource: &ResourceDocument, name: StrategyName, problems: &Problems) -> MergeStrategy {
    let said = &resource.write_disposition;
    let place = said.place();
    let (valid_from, valid_to) = match said.validity_column_names.as_deref() {
        None => {
            let [from, to] = VALIDITY_COLUMNS.map(str::to_owned);
            (from, to)
        }
        Some([from, to]) if from != to && !from.is_empty() && !to.is_empty() => (from.clone(), to.clone()),
        Some(_) => {
            problems.add(place, "validity_column_names are two different names: from when on, and until when");
            return MergeStrategy::Upsert;
        }
    };
    match name {
        StrategyName::Scd2 => {
            let is_incremental = resource.endpoint.incremental().is_some();
            if is_incremental && said.retire_absent == Some(true) {
                problems.add(place, "retire_absent needs whole listings, and an incremental one is none");
            }
            let retires_absent = said.retire_absent.unwrap_or(true);
            let boundary = said.boundary_timestamp.as_ref().and_then(|text| {
                let found = instant(text);
                if found.is_none() {
                    let what = format!("expected a date or an RFC 3339 date-time, found '{text}'");
                    problems.add(&format!("{place}/boundary_timestamp"), what);
                }
                found
            });
            MergeStrategy::Scd2(HistorySpec { valid_from, valid_to, boundary, retires_absent })
        }
        other => {
            for (key, is_given) in [
                ("validity_column_names", said.validity_column_names.is_some()),
                ("boundary_timestamp", said.boundary_timestamp.is_some()),
                ("retire_absent", said.retire_absent.is_some()),
            ] {
                if is_given {
                    problems.add(
                        &format!("{place}/{key}"),
                        format!("'{key}' belongs to the strategy scd2, and this one is {other}"),
                    );
                }
            }
            match other {
                StrategyName::DeleteInsert => MergeStrategy::DeleteInsert,
                StrategyName::InsertOnly => MergeStrategy::InsertOnly,
                StrategyName::Upsert | StrategyName::Scd2 => MergeStrategy::Upsert,
            }
        }
    }
}

/// Returns a date-time with an offset, or the beginning of a day in UTC.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let day = || text.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    DateTime::parse_from_rfc3339(text).map(|instant| instant.to_utc()).ok().or_else(day)
}

/// Returns the one hint of its kind; a second one is a problem.
fn only<'h>(
    hints: &'h [Hint<'h>],
    what: &str,
    has: impl Fn(&Hint<'_>) -> bool,
    problems: &Problems,
) -> Option<&'h Hint<'h>> {
    let mut found = hints.iter().filter(|hint| has(hint));
    let first = found.next();
    if let (Some(first), Some(second)) = (first, found.next()) {
        problems.add(second.said.place(), format!("only one column may have '{what}', and '{}' has it", first.column));
    }
    first
}

fn precedence(
    resource: &ResourceDocument,
    hints: &[Hint<'_>],
    name: StrategyName,
    schema: Option<&RecordSchema>,
    problems: &Problems,
) -> Option<Precedence> {
    let said = &resource.write_disposition;
    let place = format!("{}/newer_by", said.place());
    let sorted = only(hints, "dedup_sort", |hint| hint.said.dedup_sort.is_some(), problems);
    let sorted =
        sorted.and_then(|hint| Some((hint.column.clone(), hint.said.dedup_sort?, hint.said.place().to_owned())));
    let (column, order, guards_table, place) = match (sorted, &said.newer_by) {
        (None, None) => return None,
        (Some((column, order, place)), None) => (column, order, false, place),
        (None, Some(column)) => (column.clone(), SortOrder::Greatest, true, place),
        (Some((column, order, _)), Some(newer_by)) => {
            if column != *newer_by || order != SortOrder::Greatest {
                let what =
                    format!("newer_by '{newer_by}' and dedup_sort '{column}' contradict each other: newer_by alone");
                problems.add(&place, format!("{what} sorts, too, the greatest value first"));
            }
            (column, order, true, place)
        }
    };
    if resource.primary_key.is_empty() {
        problems.add(&place, "versions have a primary_key in common, and there is none");
    }
    if guards_table && name == StrategyName::InsertOnly {
        problems.add(&place, "newer_by has no effect with insert-only, which changes no row that is there");
    }
    if let Some(schema) = schema {
        check_plain(&place, "the column", &column, schema, problems);
    }
    Some(Precedence { column, order, guards_table })
}

fn deletes(
    resource: &ResourceDocument,
    hints: &[Hint<'_>],
    name: StrategyName,
    schema: Option<&RecordSchema>,
    problems: &Problems,
) -> Option<(DeletesSpec, DeleteEffect)> {
    let hint = only(hints, "hard_delete", |hint| hint.said.hard_delete, problems);
    let place = match (&resource.deletes, hint) {
        (None, None) => return None,
        (None, Some(hint)) => hint.said.place(),
        (Some(deletes), _) => deletes.place(),
    };
    if let (Some(hint), Some(schema)) = (hint, schema)
        && schema.column(&hint.column).is_none()
    {
        problems.add(hint.said.place(), unknown_column("the column", &hint.column, schema));
    }
    let by_group = name == StrategyName::DeleteInsert && !resource.merge_key.is_empty();
    if name == StrategyName::InsertOnly {
        problems.add(place, "insert-only changes no row that is there, so nothing can be deleted");
    } else if resource.primary_key.is_empty() && !by_group {
        problems.add(place, "a delete names its row by the primary_key, and there is none");
    }
    let mut spec = DeletesSpec { column: hint.map(|hint| hint.written.to_owned()), ..DeletesSpec::default() };
    let Some(deletes) = &resource.deletes else { return Some((spec, DeleteEffect::Remove)) };
    spec.when = deletes.when.as_ref().and_then(|text| expression(text, &format!("{place}/when"), problems));
    if deletes.when.is_none() && hint.is_none() {
        problems.add(place, "give 'when', or a column with 'hard_delete': without either, nothing is deleted");
    }
    if deletes.mode == DeleteMode::Soft {
        if name != StrategyName::Upsert {
            problems.add(place, format!("mode soft belongs to the strategy upsert, and this one is {name}"));
        }
        let kind = deletes.kind.unwrap_or(MarkKind::Time);
        let default = match kind {
            MarkKind::Time => "deleted_at",
            MarkKind::Truth => "is_deleted",
        };
        let column = deletes.column.clone().unwrap_or_else(|| default.to_owned());
        return Some((spec, DeleteEffect::Mark(MarkSpec { column, kind })));
    }
    if deletes.column.is_some() || deletes.kind.is_some() {
        problems.add(place, "'column' and 'type' say how deleted rows are marked, which needs mode: soft");
    }
    Some((spec, DeleteEffect::Remove))
}

/// Spares absent keys, which are gone only where everything is read: not where only what is new is
/// asked for, by the resource itself or by one that it depends on.
pub(crate) fn spare_incremental(resources: &mut [ResourceSpec]) {
    let find = |resources: &[ResourceSpec], name: &str| resources.iter().position(|resource| resource.name == name);
    for position in 0..resources.len() {
        let mut next = Some(position);
        let mut is_whole = true;
        // A circle is a problem of its own.
        for _ in 0..resources.len() {
            let Some(resource) = next.and_then(|position| resources.get(position)) else { break };
            is_whole &= resource.endpoint.incremental.is_none();
            next = resource.parent.as_ref().and_then(|parent| find(resources, &parent.resource));
        }
        if let Some(resource) = resources.get_mut(position)
            && let MergeStrategy::Scd2(history) = &mut resource.merge.strategy
        {
            history.retires_absent &= is_whole;
        }
    }
}
