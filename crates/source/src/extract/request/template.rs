//! From an endpoint with places to fill in to the request of one slice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use http::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::client::{ApiRequest, RequestBody};
use crate::spec::{BodySpec, EndpointSpec, EndpointUrl, Header, Placeholder, Template, TemplatePart, join_url};
use lakefeed_model::checkpoint::CursorBindings;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::secret::Secret;
use lakefeed_model::spec::{CursorValue, JsonPath};

/// What the places of an endpoint are filled with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bindings<'a> {
    /// The record of the parent that the slice belongs to.
    pub parent: Option<&'a ParentRow>,
    /// The cursor of the resource.
    pub cursor: Option<&'a CursorBindings>,
}

/// The fields of a parent's record that its children want, each as its raw JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ParentRow {
    values: BTreeMap<String, String>,
}

impl ParentRow {
    /// Returns a row of fields with their raw JSON strings.
    pub fn new(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { values: values.into_iter().collect() }
    }

    /// Returns the raw JSON text of a field.
    pub fn raw(&self, field: &JsonPath) -> Option<&str> {
        self.values.get(&field.to_string()).map(String::as_str)
    }

    /// Returns every field with its raw JSON text.
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }
}

/// Returns the request of a slice: the endpoint's with its places filled in.
///
/// # Errors
/// When a value that the path or the body needs is not there, or does not fit.
pub fn render(endpoint: &EndpointSpec, bindings: Bindings<'_>) -> Result<ApiRequest> {
    let url = match &endpoint.url {
        EndpointUrl::Fixed(url) => url.clone(),
        EndpointUrl::Templated { base, path } => bindings.url(base, path)?,
    };
    let mut headers = Vec::new();
    for Header { name, value } in &endpoint.headers {
        let template = Template::parse(value.expose()).map_err(|error| Error::config(error.to_string()))?;
        if let Some(text) = bindings.text(&template)? {
            HeaderValue::try_from(&text).map_err(|_| {
                Error::source_unreadable(format!("header {name} got characters that a header cannot carry"))
            })?;
            headers.push(Header { name: name.clone(), value: Secret::new(text) });
        }
    }
    Ok(ApiRequest {
        method: endpoint.method,
        url,
        query: bindings.pairs(&endpoint.params)?,
        headers,
        body: match &endpoint.body {
            BodySpec::None => RequestBody::None,
            BodySpec::Json(json) => RequestBody::Json(bindings.json(json)?.unwrap_or(Value::Null)),
            BodySpec::Form(fields) => RequestBody::Form(bindings.pairs(fields)?),
            BodySpec::Raw(text) => RequestBody::Raw(bindings.text(text)?.unwrap_or_default()),
        },
        actions: Arc::from(endpoint.response_actions.as_slice()),
        auth: endpoint.auth.clone(),
    })
}

impl Bindings<'_> {
    fn url(&self, base: &Url, path: &Template) -> Result<Url> {
        let mut text = String::new();
        for part in path.parts() {
            match part {
                TemplatePart::Literal(literal) => text.push_str(literal),
                TemplatePart::Placeholder(placeholder) => {
                    let value = self.value(placeholder)?.ok_or_else(|| {
                        Error::config(format!("the path needs {placeholder}, which has no value yet"))
                            .with_hint("set incremental.initial_value")
                    })?;
                    let value = plain_text(&value);
                    // A record may hold the whole URL of what it leads to.
                    if text.is_empty() && (value.starts_with("http://") || value.starts_with("https://")) {
                        text.push_str(&value);
                    } else {
                        push_segment(&mut text, &value);
                    }
                }
            }
        }
        join_url(base, &text)
            .map_err(|error| Error::source_unreadable(format!("the path does not make a URL ({error})")))
    }

    fn pairs(&self, templates: &[(String, Template)]) -> Result<Vec<(String, String)>> {
        let mut pairs = Vec::with_capacity(templates.len());
        for (name, template) in templates {
            // A parameter that has no value yet is left out: the first run asks for everything.
            if let Some(text) = self.text(template)? {
                pairs.push((name.clone(), text));
            }
        }
        Ok(pairs)
    }

    /// Returns the text of a template; `None` when one of its places has no value yet.
    fn text(&self, template: &Template) -> Result<Option<String>> {
        let mut text = String::new();
        for part in template.parts() {
            match part {
                TemplatePart::Literal(literal) => text.push_str(literal),
                TemplatePart::Placeholder(placeholder) => match self.value(placeholder)? {
                    Some(value) => text.push_str(&plain_text(&value)),
                    None => return Ok(None),
                },
            }
        }
        Ok(Some(text))
    }

    /// Returns JSON with its strings filled in. A string that is exactly one place takes the
    /// value's own type; a member whose value is not there yet is left out.
    fn json(&self, json: &Value) -> Result<Option<Value>> {
        Ok(Some(match json {
            Value::String(text) => {
                let template = Template::parse(text).map_err(|error| Error::config(error.to_string()))?;
                match template.as_placeholder() {
                    Some(Placeholder::Name(_)) => json.clone(),
                    Some(placeholder) => {
                        let Some(raw) = self.value(placeholder)? else { return Ok(None) };
                        serde_json::from_str(&raw).unwrap_or(Value::String(raw))
                    }
                    None => match self.text(&template)? {
                        Some(text) => Value::String(text),
                        None => return Ok(None),
                    },
                }
            }
            Value::Array(elements) => {
                let mut filled = Vec::with_capacity(elements.len());
                for element in elements {
                    filled.extend(self.json(element)?);
                }
                Value::Array(filled)
            }
            Value::Object(members) => {
                let mut filled = serde_json::Map::new();
                for (key, value) in members {
                    if let Some(value) = self.json(value)? {
                        filled.insert(key.clone(), value);
                    }
                }
                Value::Object(filled)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => json.clone(),
        }))
    }

    /// Returns the raw JSON text of a place's value; `None` when there is none yet.
    fn value(&self, placeholder: &Placeholder) -> Result<Option<String>> {
        match placeholder {
            Placeholder::Name(name) => Ok(Some(Value::String(format!("{{{name}}}")).to_string())),
            Placeholder::Parent { resource, field } => match self.parent.and_then(|row| row.raw(field)) {
                None => Err(Error::source_unreadable(format!("a record of {resource} has no field {field}"))),
                Some("null") => {
                    Err(Error::source_unreadable(format!("the field {field} of a record of {resource} is null"))
                        .with_hint(format!("leave such records out with a filter in processing_steps of {resource}")))
                }
                Some(raw) => Ok(Some(raw.to_owned())),
            },
            Placeholder::Incremental(wanted) => {
                let Some(cursor) = self.cursor else { return Ok(None) };
                let value = cursor.value(*wanted).map_err(|error| {
                    Error::config(format!("{placeholder}: {error}")).with_hint("check endpoint.incremental")
                })?;
                Ok(value.map(|value| match value {
                    CursorValue::Number(text) => text,
                    CursorValue::Text(text) => Value::String(text).to_string(),
                }))
            }
        }
    }
}

/// Returns a raw JSON value as plain text: a string without its quotes, anything else as it is
/// written.
pub fn plain_text(raw: &str) -> String {
    match serde_json::from_str::<Value>(raw) {
        Ok(Value::String(text)) => text,
        _ => raw.to_owned(),
    }
}

/// Appends a value as part of one path segment: whatever could end the segment, or lead out of it,
/// is percent-encoded.
fn push_segment(path: &mut String, value: &str) {
    if value == "." || value == ".." {
        path.push_str(&value.replace('.', "%2E"));
        return;
    }
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@!$&'()*+,;=".contains(&byte) {
            path.push(char::from(byte));
        } else if write!(path, "%{byte:02X}").is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
