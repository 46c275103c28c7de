//! `endpoint` of a resource as its user wrote it.

use serde_json::Value;

use super::auth::AuthDocument;
use super::containers::{List, MapOf, Nullable, Pairs, Texts, scalar};
use super::incremental::IncrementalDocument;
use super::kind::{Holds, Kind};
use super::paginator::PaginatorDocument;
use super::read::{At, Read, mapping, tagged, words};
use super::values::{Integer, Json, OneOf, Path, Template, Text};
use crate::spec::{Action, GraphqlErrors, Method, RecordFormat};

words! {
    Method { "GET" = Self::Get, "POST" = Self::Post; also "get" = Self::Get, "post" = Self::Post }
    GraphqlErrors { "fail" = Self::Fail, "warn" = Self::Warn, "ignore" = Self::Ignore }
    Action { "ignore" = Self::Ignore, "fail" = Self::Fail, "retry" = Self::Retry }
    RecordFormat {
        "json" = Self::Json, "ndjson" = Self::Ndjson, "csv" = Self::Delimited { delimiter: b',' },
        "csv_semicolon" = Self::Delimited { delimiter: b';' }, "tsv" = Self::Delimited { delimiter: b'\t' }
    }
}

mapping! {
    /// What to ask for.
    EndpointDocument "endpoint" or "path" {
        /// The path below `base_url`, or a whole http(s) URL. May have
        /// [placeholders](#placeholders-and-parents).
        path: Template [usually "the resource's name"] like "posts/{resources.posts.id}/comments",
        /// The method of its requests. `get` and `post` do as well.
        method: OneOf<Method> [Method::Get],
        /// Query parameters by name. A list repeats the parameter, null leaves it out. May have
        /// placeholders.
        params: MapOf<ParamDocument> [list] like r#"{"expand": ["people", "rooms"], "archived": false}"#,
        /// The JSON body. Its strings may have placeholders; one that is nothing but a placeholder
        /// takes the type of the value.
        json: Json [none],
        /// Instead of `json`: a form as a mapping or a list of `[name, value]` pairs, or a text
        /// that is sent as it is. May have placeholders.
        data: DataDocument [none],
        /// Headers beside those of the client. May have placeholders.
        headers: Pairs [list],
        /// [Auth](#auth) of this endpoint; `null` for none, also where the client has one.
        auth: Nullable<AuthDocument> [usually "the client's"],
        /// The path to the records of a page. Without it, the first list (in the order of the page)
        /// under `data`, `items`, `results`, `entries`, `records`, `rows`, `entities`, `payload`,
        /// `content`, `objects` or `values`, at most three keys deep, else the shallowest list,
        /// else the whole body as one record.
        data_selector: Path [usually "looked for"] like "data.items",
        /// How a page has its records. `json`: one document, with the records at the selector.
        /// `ndjson`: one record a line. `csv`, `csv_semicolon`, `tsv`: separated values
        /// ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)) below a line of column names; a
        /// cell is text where its column is, else a number, `true` or `false` where it looks like
        /// one; an empty cell is null.
        record_format: OneOf<RecordFormat> [usually "by content type"],
        /// What `errors` beside `data` mean, as GraphQL has them, where `data_selector` begins with
        /// `data`: `fail` fails the run with the first message, `warn` takes what is there and says
        /// that it may not be all, `ignore` looks at none.
        graphql_errors: OneOf<GraphqlErrors> [GraphqlErrors::Fail],
        /// How the listing is cut into pages: [paginators](#paginators).
        paginator: PaginatorDocument [usually "the client's, else `auto`"],
        /// How only what is new is read: [incremental](#incremental).
        incremental: IncrementalDocument [none],
        /// What to do about certain answers: [response actions](#response-actions).
        response_actions: List<ActionDocument> [list],
    }
}

impl EndpointDocument {
    /// Returns how only what is new is read: its own key, or dlt's older form among the parameters.
    pub(crate) fn incremental(&self) -> Option<&IncrementalDocument> {
        self.incremental.as_ref().or_else(|| {
            self.params.iter().find_map(|(_, param)| match param {
                ParamDocument::Bound(BoundParamDocument::Incremental(incremental)) => Some(&**incremental),
                ParamDocument::Bound(BoundParamDocument::Resolve(_)) | ParamDocument::Texts(_) => None,
            })
        })
    }
}

mapping! {
    /// What to do about certain answers. It needs a condition; an answer must fit both where both
    /// are given.
    ActionDocument "response_action" {
        /// The answer's status.
        status_code: Integer<100, 599> [usually "any"],
        /// A text within the answer's body.
        content: Text [usually "any"],
        /// `ignore` ends the listing (of this parent's record, or window) without this answer,
        /// `fail` fails the run, `retry` sends the request again within the bounds of
        /// `client.retry`.
        action: OneOf<Action> [required],
    }
}

tagged! {
    /// dlt's older forms of a parameter.
    BoundParamDocument "bound_param" by "type", short: false {
        "resolve" => Resolve(ResolveDocument),
        "incremental" => Incremental(IncrementalDocument),
    }
}

mapping! {
    /// A field of the parent's record, for a `{name}` of the path.
    ResolveDocument "resolve" {
        /// The parent resource.
        resource: Text [required],
        /// The field of its records.
        field: Path [required] like "id",
    }
}

/// A parameter: its values, or one of dlt's older forms.
#[derive(Debug, Clone)]
pub(crate) enum ParamDocument {
    Texts(Vec<String>),
    Bound(BoundParamDocument),
}

impl Read for ParamDocument {
    type Value = Self;
    const KIND: Kind = Kind::Either(&[Texts::KIND, BoundParamDocument::KIND]);

    fn read(value: &Value, at: &At<'_>) -> Option<Self> {
        match value {
            Value::Object(_) => BoundParamDocument::read(value, at).map(Self::Bound),
            _ => Texts::read(value, at).map(Self::Texts),
        }
    }
}

/// `data`: a form, or text.
#[derive(Debug, Clone)]
pub(crate) enum DataDocument {
    Form(Vec<(String, String)>),
    Raw(String),
}

impl Read for DataDocument {
    type Value = Self;
    const KIND: Kind = Kind::Either(&[
        Kind::String(Holds::Template),
        Pairs::KIND,
        Kind::List { of: &Kind::Pair(&Kind::Scalar), min: 0 },
    ]);

    fn read(value: &Value, at: &At<'_>) -> Option<Self> {
        match value {
            Value::Object(_) => Pairs::read(value, at).map(Self::Form),
            Value::Array(_) => {
                List::<Pair>::read(value, at).map(|pairs| Self::Form(pairs.into_iter().flatten().collect()))
            }
            Value::String(text) => Some(Self::Raw(text.clone())),
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                at.expected(&Self::KIND, value);
                None
            }
        }
    }
}

/// A field of a form.
struct Pair;

impl Read for Pair {
    type Value = Option<(String, String)>;
    const KIND: Kind = Kind::Pair(&Kind::Scalar);

    fn read(value: &Value, at: &At<'_>) -> Option<Self::Value> {
        let Some([Value::String(name), value]) = value.as_array().map(Vec::as_slice) else {
            at.expected(&Self::KIND, value);
            return None;
        };
        Some(scalar(value, at).map(|text| (name.clone(), text)))
    }
}
