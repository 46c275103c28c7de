//! Ids that stay with their fields from one version of a table's schema to the next.

use crate::schema::types::note::{Note, Notes};
use crate::schema::types::path::member_path;
use crate::schema::types::record::{Column, ColumnType, RecordSchema};

impl RecordSchema {
    /// Returns the schema with a note of every field: its id as in `known`, where the field was
    /// there (or one that has its alias), else a new one; its own description, else that of
    /// `known`.
    #[must_use]
    pub fn identified(self, known: Option<&Self>) -> Self {
        let schema = &self;
        let empty = Notes::new();
        let known = known.map_or(&empty, Self::notes);
        // A run of a plain shape says nothing of where its fields come from: they are called as
        // they are.
        let is_shaped = schema.notes().values().any(|note| note.source.is_some());
        let mut next = known.values().filter_map(|note| note.id).max().unwrap_or(0);
        let mut notes = Notes::new();
        let mut name = |place: &str, was: Option<&Note>| {
            let own = schema.notes().get(place).cloned().unwrap_or_default();
            let before = known.get(place).or(was);
            let id = before.and_then(|note| note.id).unwrap_or_else(|| {
                next += 1;
                next
            });
            let description = own.description.or_else(|| before.and_then(|note| note.description.clone()));
            let source = own.source.or_else(|| before.filter(|_| is_shaped)?.source.clone());
            notes.insert(
                place.to_owned(),
                Note { id: Some(id), description, aliases: own.aliases, source, child: own.child },
            );
        };
        for column in schema.columns() {
            let place = member_path("$", &column.name);
            let aliases = schema.notes().get(&place).map(|note| note.aliases.clone()).unwrap_or_default();
            let was = aliases.iter().find_map(|alias| known.get(&member_path("$", alias)));
            name(&place, was);
            within(&place, &column.column_type, &mut |place| name(place, None));
        }
        // Fields that are not in the schema any more say where they came from all the same, and so
        // do lists that are tables.
        for (place, note) in schema.notes().iter().chain(known).filter(|(_, note)| is_shaped && note.source.is_some()) {
            let source = || Note { source: note.source.clone(), child: note.child.clone(), ..Note::default() };
            notes.entry(place.clone()).or_insert_with(source);
        }
        self.with_notes(notes)
    }
}

fn within(place: &str, column_type: &ColumnType, name: &mut dyn FnMut(&str)) {
    match column_type {
        ColumnType::Struct(columns) => {
            for Column { name: member, column_type, .. } in columns {
                let place = member_path(place, member);
                name(&place);
                within(&place, column_type, name);
            }
        }
        ColumnType::List(element) => {
            let place = format!("{place}[]");
            name(&place);
            within(&place, element, name);
        }
        ColumnType::Map(value) => {
            let place = format!("{place}{{}}");
            name(&place);
            within(&place, value, name);
        }
        _ => {}
    }
}
