//! What `nested: child_tables` cannot go with, and the names of the tables that it makes.

use super::table::table_name;
use crate::config::document::Mapping as _;
use crate::config::document::problems::Problems;
use crate::config::document::resource::ResourceDocument;
use crate::schema::{Parts, RecordSchema, SEPARATOR, TableShape, member_path};
use crate::spec::{MergeSpec, StrategyName};

/// Notes what a resource says that its child tables cannot follow. `whole` is the shape of its
/// table with the lists, where it is known.
pub(crate) fn check_child_tables(
    resource: &ResourceDocument,
    shape: TableShape,
    merge: &MergeSpec,
    whole: Option<&RecordSchema>,
    problems: &Problems,
) {
    if !shape.has_child_tables {
        return;
    }
    let refuse =
        |what: &str| problems.add(&format!("{}/nested", resource.place()), format!("nested child_tables {what}"));
    if resource.primary_key.is_empty() {
        refuse("needs a primary_key: rows of child tables have the key of their record");
    }
    match merge.strategy.name() {
        StrategyName::Upsert | StrategyName::DeleteInsert => {}
        other => refuse(&format!(
            "cannot go with the strategy {other}: child tables keep the items of the newest version of each record alone"
        )),
    }
    if !merge.merge_key.is_empty() {
        refuse("cannot go with a merge_key: which records leave with a group is not known when their items are merged");
    }
    if let Some(precedence) = &merge.precedence {
        let hint = if precedence.guards_table { "newer_by" } else { "dedup_sort" };
        refuse(&format!("cannot go with {hint}: the items of the last version that comes are kept, whatever it says"));
    }
    if merge.mark().is_some() {
        refuse("cannot go with deletes of mode soft: items have no mark");
    }
    let Some(whole) = whole else { return };
    match Parts::of(&table_name(resource), whole, &resource.primary_key) {
        Err(error) => problems.add(resource.place(), error.to_string()),
        Ok(parts) => {
            let is_list = |name: &str| parts.own.column(name).is_none();
            for column in whole.columns().iter().filter(|column| is_list(&column.name)) {
                let note = whole.notes().get(&member_path("$", &column.name));
                if note.is_some_and(|note| !note.aliases.is_empty()) {
                    let what = format!("cannot rename the list '{}': x-aliases is for columns", column.name);
                    refuse(&what);
                }
            }
        }
    }
}

/// Refuses what collides: child tables are called after the table of their records, so no other
/// table may be called as if it were one.
pub(crate) fn refuse_names_of_child_tables(resources: &[ResourceDocument], problems: &Problems) {
    for parent in resources.iter().filter(|resource| resource.nested.has_child_tables) {
        let start = table_name(parent) + SEPARATOR;
        for other in resources.iter().filter(|other| table_name(other).starts_with(&start)) {
            let what = format!(
                "table '{}' could be a child table of '{}', whose lists are tables called {start}…; give another table_name",
                table_name(other),
                parent.name()
            );
            problems.add(&format!("{}/table_name", other.place()), what);
        }
    }
}
