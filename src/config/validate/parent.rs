//! What the places of an endpoint's texts are filled with: a parent's record, the cursor.

use std::collections::BTreeMap;

use serde_json::Value;

use super::values::{json_path, template};
use crate::config::document::Mapping as _;
use crate::config::document::incremental::IncrementalDocument;
use crate::config::document::problems::Problems;
use crate::config::document::resource::ResourceDocument;
use crate::spec::{BodySpec, Header, IncrementalValue, JsonPath, ParentSpec, Placeholder, Template};

/// What the places of an endpoint's texts ask for.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// The fields of records of other resources, by resource.
    parents: BTreeMap<String, Vec<JsonPath>>,
    uses_cursor: bool,
}

impl Places {
    /// Notes the places of a text.
    pub(crate) fn note(&mut self, template: &Template) {
        for placeholder in template.placeholders() {
            match placeholder {
                Placeholder::Parent { resource, field } => {
                    let fields = self.parents.entry(resource.clone()).or_default();
                    if !fields.contains(field) {
                        fields.push(field.clone());
                    }
                }
                Placeholder::Incremental(_) => self.uses_cursor = true,
                Placeholder::Name(_) => {}
            }
        }
    }

    /// Notes the places of a path. Each must have a value in the first run already, where other
    /// texts may be left out.
    pub(crate) fn note_path(
        &mut self,
        path: &Template,
        incremental: Option<&IncrementalDocument>,
        place: &str,
        problems: &Problems,
    ) {
        self.note(path);
        let Some(incremental) = incremental else { return };
        for placeholder in path.placeholders() {
            let Placeholder::Incremental(value) = placeholder else { continue };
            let (is_there, wanted) = match value {
                IncrementalValue::StartValue | IncrementalValue::InitialValue | IncrementalValue::LastValue => {
                    (incremental.initial_value.is_some(), "initial_value")
                }
                IncrementalValue::EndValue => {
                    (incremental.end_value.is_some() || incremental.step.is_some(), "end_value (or step)")
                }
                IncrementalValue::Lag => (incremental.lag.is_some(), "lag"),
            };
            if !is_there {
                let what = format!("{placeholder} has no value in the first run: set incremental.{wanted}");
                problems.add(place, what);
            }
        }
    }

    /// Notes the places of headers and of a body.
    pub(crate) fn note_request(&mut self, headers: &[Header], body: &BodySpec, place: &str, problems: &Problems) {
        for header in headers {
            let place = format!("{place}/headers/{}", header.name);
            if let Some(template) = template(header.value.expose(), &place, problems) {
                self.note(&template);
            }
        }
        match body {
            BodySpec::None => {}
            BodySpec::Json(json) => each_text(json, &format!("{place}/json"), &mut |text, place| {
                if let Some(template) = template(text, place, problems) {
                    self.note(&template);
                }
            }),
            BodySpec::Form(fields) => fields.iter().for_each(|(_, template)| self.note(template)),
            BodySpec::Raw(template) => self.note(template),
        }
    }

    /// Returns the one resource whose records the endpoint is asked with, if any.
    pub(crate) fn parent(self, resource: &ResourceDocument, problems: &Problems) -> Option<ParentSpec> {
        let endpoint = &resource.endpoint;
        let name = resource.name();
        if self.uses_cursor && endpoint.incremental().is_none() {
            problems.add(endpoint.place(), "'{incremental.…}' needs 'incremental' with a cursor_path");
        }
        if self.parents.len() > 1 {
            let names: Vec<&str> = self.parents.keys().map(String::as_str).collect();
            let names = names.join(", ");
            let what = format!("resource '{name}' has multiple parent resources ({names}); it may depend on one");
            problems.add(endpoint.place(), what);
        }
        let place = format!("{}/include_from_parent", resource.place());
        let Some((parent, fields)) = self.parents.into_iter().next() else {
            if !resource.include_from_parent.is_empty() {
                let what = format!(
                    "resource '{name}' has 'include_from_parent' but is not dependent on another resource: its endpoint needs a {{resources.NAME.FIELD}}"
                );
                problems.add(&place, what);
            }
            return None;
        };
        let include = resource.include_from_parent.iter().filter_map(|field| {
            let path = json_path(field, &place, problems)?;
            Some((path, format!("_{parent}_{}", field.replace('.', "_"))))
        });
        Some(ParentSpec { include: include.collect(), resource: parent, fields })
    }
}

/// Gives every text of a JSON body, with its place.
fn each_text(json: &Value, place: &str, take: &mut impl FnMut(&str, &str)) {
    match json {
        Value::String(text) => take(text, place),
        Value::Array(elements) => {
            for (position, element) in elements.iter().enumerate() {
                each_text(element, &format!("{place}[{position}]"), take);
            }
        }
        Value::Object(members) => {
            members.iter().for_each(|(key, member)| each_text(member, &format!("{place}/{key}"), take));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
