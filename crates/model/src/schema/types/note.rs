//! What is known of a field beside its type: its id, description, and the names that it had before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is known of a field beside its type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    /// Its id, which stays when its name changes; from 1. Fields of a table have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i32>,
    /// What it means, from the schema file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Names that the column had before; of columns, not of fields within.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The keys that lead to its value, from the record for a column, from the object for a field
    /// within; where its table has a shape of its own ([`TableShape`](crate::schema::TableShape)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Vec<String>>,
    /// The table that the field became: it is a list, and no column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<String>,
}

/// Notes by the JSON path of their field: `$.a.b`; the elements of a list are at `$.a[]`.
pub type Notes = BTreeMap<String, Note>;
