//! `endpoint` of a resource as its user wrote it.

use serde_json::Value;

use super::auth::AuthDocument;
use super::fields::{Fields, json_path, kind, pairs};
use super::incremental::IncrementalDocument;
use super::paginator::PaginatorDocument;
use crate::spec::{Action, Method, Placeholder, RecordFormat, ResponseAction, Template};

/// `resources[n].endpoint`.
#[derive(Debug, Default)]
pub(crate) struct EndpointDocument {
    /// The resource's name unless given.
    pub(crate) path: Option<String>,
    pub(crate) method: Option<Method>,
    pub(crate) params: Vec<(String, Template)>,
    pub(crate) json: Option<Value>,
    pub(crate) data: Option<DataDocument>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) paginator: Option<PaginatorDocument>,
    pub(crate) data_selector: Option<String>,
    pub(crate) incremental: Option<IncrementalDocument>,
    pub(crate) response_actions: Vec<ResponseAction>,
    pub(crate) record_format: Option<RecordFormat>,
    pub(crate) auth: EndpointAuth,
    /// Parameters of dlt's older `type: resolve`, which are there for the path only.
    pub(crate) resolved_params: Vec<String>,
}

/// `endpoint.auth`.
#[derive(Debug, Default)]
pub(crate) enum EndpointAuth {
    /// It is not there, or a problem already: the client's.
    #[default]
    OfClient,
    /// It is null: none, also where the client has one.
    None,
    /// Instead of the client's.
    Own(Box<AuthDocument>),
}

/// `data`: a form, or text.
#[derive(Debug)]
pub(crate) enum DataDocument {
    Form(Vec<(String, Template)>),
    Raw(Template),
}

impl EndpointDocument {
    pub(crate) fn read(mut fields: Fields<'_>) -> Self {
        let methods = [("GET", Method::Get), ("POST", Method::Post), ("get", Method::Get), ("post", Method::Post)];
        let mut endpoint = Self {
            path: fields.text("path"),
            method: fields.choice("method", &methods),
            json: fields.value("json").cloned(),
            headers: pairs(&mut fields, "headers"),
            paginator: PaginatorDocument::read(&mut fields, "paginator"),
            data_selector: fields.text("data_selector"),
            record_format: fields.choice(
                "record_format",
                &[
                    ("json", RecordFormat::Json),
                    ("ndjson", RecordFormat::Ndjson),
                    ("csv", RecordFormat::Delimited { delimiter: b',' }),
                    ("csv_semicolon", RecordFormat::Delimited { delimiter: b';' }),
                    ("tsv", RecordFormat::Delimited { delimiter: b'\t' }),
                ],
            ),
            auth: EndpointAuth::read(&mut fields),
            incremental: fields.object("incremental").and_then(IncrementalDocument::read),
            ..Self::default()
        };
        endpoint.read_params(&mut fields);
        endpoint.data = read_data(&mut fields);
        endpoint.response_actions = read_actions(&mut fields);
        if endpoint.json.is_some() && endpoint.data.is_some() {
            fields.problems.add(&fields.place, "'json' and 'data' exclude each other; give one");
        }
        fields.finish();
        endpoint
    }

    /// `params`: texts, and dlt's older mappings of `type: resolve` and `type: incremental`.
    fn read_params(&mut self, fields: &mut Fields<'_>) {
        let place = fields.place_of("params");
        let problems = fields.problems;
        let Some(params) = fields.object("params") else { return };
        for (name, value) in params.entries() {
            let place = format!("{place}/{name}");
            match value {
                Value::Object(mapping) if mapping.get("type").and_then(Value::as_str) == Some("incremental") => {
                    if self.incremental.is_some() {
                        problems.add(&place, "an endpoint has one incremental; there is another");
                    }
                    self.incremental = Fields::of(place.clone(), value, problems).and_then(IncrementalDocument::read);
                    let start = Placeholder::Incremental(crate::spec::IncrementalValue::StartValue);
                    self.params.push((name.clone(), Template::placeholder(start)));
                }
                Value::Object(_) => {
                    if let Some(parent) = Fields::of(place, value, problems).and_then(read_resolve) {
                        self.params.push((name.clone(), Template::placeholder(parent)));
                        self.resolved_params.push(name.clone());
                    }
                }
                Value::Array(elements) => {
                    for element in elements {
                        self.params.extend(template_of(element, &place, fields).map(|text| (name.clone(), text)));
                    }
                }
                single => self.params.extend(template_of(single, &place, fields).map(|text| (name.clone(), text))),
            }
        }
    }
}

impl EndpointAuth {
    fn read(fields: &mut Fields<'_>) -> Self {
        if fields.raw("auth").is_some_and(Value::is_null) {
            return Self::None;
        }
        fields.object("auth").and_then(AuthDocument::read).map_or(Self::OfClient, |auth| Self::Own(Box::new(auth)))
    }
}

/// `{type: resolve, resource: posts, field: id}`, which a placeholder of the path is bound to.
fn read_resolve(mut fields: Fields<'_>) -> Option<Placeholder> {
    fields.choice("type", &[("resolve", ())])?;
    let (resource, field) = (fields.required_text("resource"), fields.required_text("field"));
    let place = fields.place_of("field");
    let problems = fields.problems;
    fields.finish();
    Some(Placeholder::Parent { resource: resource?, field: json_path(&field?, &place, problems)? })
}

/// A text with places to fill in. Numbers and truth values count as their text; null is none.
pub(crate) fn template_of(value: &Value, place: &str, fields: &Fields<'_>) -> Option<Template> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => {
            fields.problems.add(place, format!("expected a text, found {}", kind(value)));
            return None;
        }
    };
    Template::parse(&text).map_err(|error| fields.problems.add(place, error.to_string())).ok()
}

/// `data`: a mapping or a list of pairs is a form, a text is sent as it is.
fn read_data(fields: &mut Fields<'_>) -> Option<DataDocument> {
    let place = fields.place_of("data");
    let value = fields.value("data")?;
    let field = |name: &str, value: &Value| {
        template_of(value, &format!("{place}/{name}"), fields).map(|text| (name.to_owned(), text))
    };
    match value {
        Value::String(_) => template_of(value, &place, fields).map(DataDocument::Raw),
        Value::Object(members) => {
            let mut form = Vec::new();
            for (name, value) in members {
                match value {
                    Value::Array(elements) => form.extend(elements.iter().filter_map(|element| field(name, element))),
                    single => form.extend(field(name, single)),
                }
            }
            Some(DataDocument::Form(form))
        }
        Value::Array(entries) => {
            let mut form = Vec::new();
            for entry in entries {
                match entry.as_array().map(Vec::as_slice) {
                    Some([Value::String(name), value]) => form.extend(field(name, value)),
                    _ => fields.problems.add(&place, "expected a list of [name, value] pairs"),
                }
            }
            Some(DataDocument::Form(form))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            fields.problems.add(&place, format!("expected a form or a text, found {}", kind(value)));
            None
        }
    }
}

fn read_actions(fields: &mut Fields<'_>) -> Vec<ResponseAction> {
    let place = fields.place_of("response_actions");
    let problems = fields.problems;
    let actions = match fields.value("response_actions") {
        None => return Vec::new(),
        Some(Value::Array(actions)) => actions,
        Some(other) => {
            problems.add(&place, format!("expected a list, found {}", kind(other)));
            return Vec::new();
        }
    };
    let read = |(position, action): (usize, &Value)| {
        let mut fields = Fields::of(format!("{place}[{position}]"), action, problems)?;
        let status = fields.convert("status_code", "a status (100 to 599)", |value| {
            let status = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())?;
            http::StatusCode::from_u16(u16::try_from(status).ok()?).ok()
        });
        let content = fields.text("content");
        if !fields.has("action") {
            problems.add(&fields.place, "'action' is missing (accepted: ignore, fail, retry)");
        }
        let chosen =
            fields.choice("action", &[("ignore", Action::Ignore), ("fail", Action::Fail), ("retry", Action::Retry)]);
        if !fields.has("status_code") && content.is_none() {
            problems.add(&fields.place, "give 'status_code', 'content' or both: an action needs a condition");
        }
        fields.finish();
        Some(ResponseAction { status, content, action: chosen? })
    };
    actions.iter().enumerate().filter_map(read).collect()
}
