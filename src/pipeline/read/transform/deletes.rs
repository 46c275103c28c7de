//! Which records delete, and what is known of one that does.

use serde_json::Value;

use crate::decode::RawRecord;
use crate::expression::{Expression, ExpressionError};
use crate::pipeline::shapes::Shapes;
use crate::schema::{Naming, SEPARATOR};
use crate::spec::{JsonPath, ResourceSpec, WriteDisposition};

/// The part of a transform that tells which records delete.
#[derive(Debug)]
pub(super) struct DeleteRule {
    marker: Option<Marker>,
    when: Option<Expression>,
    /// What must be known of a record that deletes.
    key: Vec<String>,
    /// What else is of use.
    more: Vec<String>,
}

impl DeleteRule {
    pub(super) fn of(resource: &ResourceSpec, shapes: Option<&Shapes>) -> Option<Self> {
        let merges = resource.write_disposition == WriteDisposition::Merge;
        let deletes = resource.deletes.as_ref().filter(|_| merges)?;
        // Keys of records that delete are no deeper; without a schema, nothing is made of the
        // records yet.
        let key = |name: &String| match shapes {
            Some(shapes) => shapes.path_of(name).into_iter().next().unwrap_or_default(),
            None => name.clone(),
        };
        let precedence = resource.merge.precedence.iter().map(|precedence| &precedence.column);
        let more = resource.merge.merge_key.iter().chain(precedence);
        Some(Self {
            marker: deletes.column.as_ref().map(|column| Marker::of(column, resource, shapes)),
            when: deletes.when.clone(),
            key: resource.primary_key.iter().map(key).collect(),
            more: more.filter(|name| !resource.primary_key.contains(name)).map(key).collect(),
        })
    }

    /// Returns what is known of a record that deletes, as JSON; `None` for one that does not.
    pub(super) fn text_of(&self, record: RawRecord<'_>) -> Result<Option<String>, ExpressionError> {
        if !self.is_marked(record) && !self.is_meant(record)? {
            return Ok(None);
        }
        let member = |name: &String, raw: &str| format!("{}:{raw}", Value::String(name.clone()));
        let found = |name: &String| record.find(&JsonPath::keys([name.clone()]));
        // A key that is missing is null here, which refuses the record.
        let key = self.key.iter().map(|name| member(name, found(name).unwrap_or("null")));
        let more = self.more.iter().filter_map(|name| Some(member(name, found(name)?)));
        let members: Vec<String> = key.chain(more).collect();
        Ok(Some(format!("{{{}}}", members.join(","))))
    }

    /// Follows dlt's rule: true in a column of booleans, anything but null in any other.
    fn is_marked(&self, record: RawRecord<'_>) -> bool {
        let value = self.marker.as_ref().and_then(|marker| marker.find(record));
        value.is_some_and(|raw| !matches!(raw, "null" | "false" | "\"false\""))
    }

    fn is_meant(&self, record: RawRecord<'_>) -> Result<bool, ExpressionError> {
        let Some(when) = &self.when else { return Ok(false) };
        match serde_json::from_str(&record.text()) {
            Ok(value @ Value::Object(_)) => match when.evaluate(&value)? {
                Value::Bool(is_meant) => Ok(is_meant),
                other => {
                    let what = format!("deletes.when must be true or false, this one is {other}");
                    Err(ExpressionError::Failed(what))
                }
            },
            // It will be refused for what it is.
            Ok(_) => Ok(false),
            Err(error) => Err(ExpressionError::Failed(format!("an expression cannot see the record: {error}"))),
        }
    }
}

/// The field that marks records that delete.
#[derive(Debug)]
pub(super) enum Marker {
    Field(JsonPath),
    /// The first field that would be the column with that name, part by part: no record had it yet.
    Column {
        name: Vec<String>,
        naming: Naming,
    },
}

impl Marker {
    pub(super) fn of(written: &str, resource: &ResourceSpec, shapes: Option<&Shapes>) -> Self {
        let shape = resource.shape;
        let name = shape.column_name(written, shapes.map(|shapes| shapes.records.as_ref()));
        let is_known = shapes.is_some_and(|shapes| shapes.table.column(&name).is_some());
        match shapes {
            Some(shapes) if is_known => Self::Field(JsonPath::keys(shapes.path_of(&name))),
            _ if shape.is_plain() => Self::Field(JsonPath::keys([written])),
            _ if shape.flattens => {
                Self::Column { name: name.split(SEPARATOR).map(str::to_owned).collect(), naming: shape.naming }
            }
            _ => Self::Column { name: vec![name], naming: shape.naming },
        }
    }

    fn find<'t>(&self, record: RawRecord<'t>) -> Option<&'t str> {
        match self {
            Self::Field(path) => record.find(path),
            Self::Column { name, naming } => {
                let named = |record: RawRecord<'t>, part: &String| {
                    record.members().into_iter().rev().find(|(key, _)| naming.name(key) == *part).map(|(_, raw)| raw)
                };
                let (first, rest) = name.split_first()?;
                rest.iter().try_fold(named(record, first)?, |raw, part| named(RawRecord::new(raw), part))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_deletes_keeps_its_key_and_what_else_is_to_be_known() {
        let transform = |column: Option<&str>, when: Option<&str>| DeleteRule {
            marker: column.map(|name| Marker::Field(JsonPath::keys([name]))),
            when: when.map(|text| Expression::parse(text).unwrap()),
            key: vec!["id".to_owned(), "part".to_owned()],
            more: vec!["rev".to_owned(), "group".to_owned()],
        };
        let cancelled = Some("has(record.status) && record.status == 'cancelled'");
        for (column, when, record, expected) in [
            (Some("gone"), None, "{\"id\":1,\"part\":\"a\",\"gone\":true}", Some("{\"id\":1,\"part\":\"a\"}")),
            (Some("gone"), None, "{\"id\":1,\"gone\":\"2026-11-23\"}", Some("{\"id\":1,\"part\":null}")),
            (
                Some("gone"),
                None,
                "{\"id\":1,\"part\":2,\"gone\":0,\"rev\":7.10}",
                Some("{\"id\":1,\"part\":2,\"rev\":7.10}"),
            ),
            (Some("gone"), None, "{\"id\":1,\"gone\":false}", None),
            (Some("gone"), None, "{\"id\":1,\"gone\":\"false\"}", None),
            (Some("gone"), None, "{\"id\":1,\"gone\":null}", None),
            (Some("gone"), None, "{\"id\":1}", None),
            (None, cancelled, "{\"id\":1,\"part\":2,\"status\":\"cancelled\"}", Some("{\"id\":1,\"part\":2}")),
            (None, cancelled, "{\"id\":1,\"status\":\"open\"}", None),
            (
                Some("gone"),
                cancelled,
                "{\"id\":1,\"part\":2,\"gone\":1,\"group\":null}",
                Some("{\"id\":1,\"part\":2,\"group\":null}"),
            ),
            (None, cancelled, "[1]", None),
        ] {
            let found = transform(column, when).text_of(RawRecord::new(record));
            assert_eq!(found, Ok(expected.map(str::to_owned)), "{record}");
        }
        for (when, why) in [("record.n + 1", "must be true or false"), ("record.gone == 1", "record.gone == 1: ")] {
            let error = transform(None, Some(when)).text_of(RawRecord::new("{\"id\":1,\"n\":1}")).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
