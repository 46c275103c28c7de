//! JSON Schema (draft 2020-12) of one record, or a component of an `OpenAPI` document (3.0, 3.1), →
//! [`SchemaFile`].
//!
//! What is read of a schema: `type`, `format`, `properties`, `items`, `additionalProperties`,
//! `enum`, `const`, `contentEncoding`, `anyOf`, `oneOf` and `allOf`, `$ref` within the file, and
//! words of our own: `x-arrow` for an exact type, `x-nested: json` to keep an object or an array as
//! its JSON text, `x-on-error` for what becomes of a value that does not fit. Constraints on values
//! (`minLength`, `pattern`, …) and annotations change nothing, but their form is checked; a word
//! that is nearly one of JSON Schema is taken for a slip.
//!
//! Every column is nullable; the primary key of a resource makes its columns required.

mod formats;

use serde_json::{Map, Value};

pub use self::formats::UNIX_TIMES;

use self::formats::{arrow_fits, count_of_type, string_type, unit_of_format};

use crate::schema::files::keywords::{has_shape, problems_of};
use crate::schema::files::problem::SchemaProblem;
use crate::schema::files::read_notes::read_notes;
use crate::schema::files::rules::{FieldRule, FieldRules, OnError, RuleStep};
use crate::schema::types::record::{Column, ColumnType, IntegerType, RecordSchema, TimeUnit};
use crate::schema::types::type_text::ACCEPTED;

/// References and levels may be nested this deep.
const DEPTH_MAX: usize = 64;
/// Columns of a record at all levels together.
const COLUMNS_MAX: usize = 10_000;

/// What a schema file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFile {
    /// The shape of a record.
    pub schema: RecordSchema,
    /// How its fields are read.
    pub rules: FieldRules,
}

impl SchemaFile {
    /// Reads the text of a JSON Schema.
    ///
    /// # Errors
    /// Every problem of the file.
    pub fn parse(text: &str) -> Result<Self, Vec<SchemaProblem>> {
        let root = serde_json::from_str(text)
            .map_err(|error| vec![SchemaProblem::new("#", format!("is not JSON: {error}"))])?;
        Self::from_json_schema(&root)
    }

    /// Reads a JSON Schema.
    ///
    /// # Errors
    /// Every problem of it.
    pub fn from_json_schema(root: &Value) -> Result<Self, Vec<SchemaProblem>> {
        let draft = root.get("$schema").and_then(Value::as_str).unwrap_or_default();
        if ["draft-03", "draft-04"].iter().any(|old| draft.contains(old)) {
            return Err(vec![SchemaProblem::new(
                "#/$schema",
                format!("{draft} is not read (accepted: draft 2020-12, and what is like it)"),
            )]);
        }
        Reader::new(root, false).record("#", root)
    }

    /// Reads the schema `component` of an `OpenAPI` document.
    ///
    /// # Errors
    /// Every problem of it.
    pub fn from_openapi(root: &Value, component: &str) -> Result<Self, Vec<SchemaProblem>> {
        let version = root.get("openapi").and_then(Value::as_str).unwrap_or_default();
        if !["3.0", "3.1"].iter().any(|known| version.starts_with(known)) {
            let found = if root.get("swagger").is_some() { "it is Swagger 2" } else { "it is not" };
            return Err(vec![SchemaProblem::new(
                "#/openapi",
                format!("expected an OpenAPI document of version 3.0 or 3.1; {found}"),
            )]);
        }
        let path = format!("#/components/schemas/{}", escaped(component));
        let schemas = root.pointer("/components/schemas").and_then(Value::as_object);
        let Some(schema) = schemas.and_then(|schemas| schemas.get(component)) else {
            let names =
                schemas.map(|schemas| schemas.keys().map(String::as_str).take(50).collect::<Vec<_>>().join(", "));
            let names = names.unwrap_or_default();
            return Err(vec![SchemaProblem::new(&path, format!("is not there (components/schemas has: {names})"))]);
        };
        Reader::new(root, true).record(&path, schema)
    }
}

struct Reader<'a> {
    root: &'a Value,
    is_openapi: bool,
    problems: Vec<SchemaProblem>,
    rules: FieldRules,
    /// Where in the record the reader is.
    place: Vec<RuleStep>,
    /// The references that are being followed.
    following: Vec<&'a str>,
    columns: usize,
}

impl<'a> Reader<'a> {
    fn new(root: &'a Value, is_openapi: bool) -> Self {
        let rules = FieldRules::default();
        Self { root, is_openapi, problems: Vec::new(), rules, place: Vec::new(), following: Vec::new(), columns: 0 }
    }

    fn record(mut self, path: &str, schema: &'a Value) -> Result<SchemaFile, Vec<SchemaProblem>> {
        let columns = match self.column_type(path, schema, 0) {
            Some(ColumnType::Struct(columns)) => columns,
            Some(_) => {
                self.problem(path, "a record is an object with `properties`");
                Vec::new()
            }
            None => Vec::new(),
        };
        let (notes, problems) = read_notes(path, schema, self.root, &columns);
        self.problems.extend(problems);
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let schema = RecordSchema::new(columns).map_err(|error| vec![SchemaProblem::new(path, error.to_string())])?;
        Ok(SchemaFile { schema: schema.with_notes(notes), rules: self.rules })
    }

    fn problem(&mut self, path: &str, message: impl Into<String>) {
        let problem = SchemaProblem::new(path, message);
        // What is referred to from several places has its problems once.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Returns the type that a (sub)schema means; `None` when it is a problem.
    fn column_type(&mut self, path: &str, schema: &'a Value, depth: usize) -> Option<ColumnType> {
        if depth > DEPTH_MAX {
            self.problem(path, "is nested too deep");
            return None;
        }
        let schema = match schema {
            Value::Object(schema) => schema,
            // `true` is the schema of anything.
            Value::Bool(true) => return Some(ColumnType::Json),
            _ => {
                self.problem(path, "is not a schema: expected an object");
                return None;
            }
        };
        for (word, message) in problems_of(schema, self.is_openapi) {
            self.problem(&format!("{path}/{}", escaped(&word)), message);
        }
        self.read_on_error(path, schema);
        if let Some(text) = schema.get("x-arrow") {
            return self.arrow_type(path, schema, text);
        }
        if self.stays_json(path, schema) {
            return Some(ColumnType::Json);
        }
        if let Some(reference) = schema.get("$ref") {
            return self.referenced(path, reference, depth);
        }
        if let Some(parts) = self.parts(path, schema, "allOf")? {
            return self.all_of(path, schema, &parts, depth);
        }
        for word in ["anyOf", "oneOf"] {
            if let Some(alternatives) = self.parts(path, schema, word)? {
                return self.alternative(&alternatives, depth);
            }
        }
        self.own_type(path, schema, depth)
    }

    /// Returns the type that the schema's own words mean.
    fn own_type(&mut self, path: &str, schema: &'a Map<String, Value>, depth: usize) -> Option<ColumnType> {
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        match self.kind(path, schema)? {
            "string" => Some(string_type(schema, format)),
            "integer" | "number" if unit_of_format(format).is_some() => {
                self.set_counts(unit_of_format(format));
                Some(ColumnType::TimestampUtc)
            }
            "integer" if format == "uint64" => Some(ColumnType::Integer(IntegerType::UInt64)),
            "integer" => Some(ColumnType::Int64),
            "number" => Some(ColumnType::Float64),
            "boolean" => Some(ColumnType::Boolean),
            "object" => self.object(path, schema, depth),
            "array" => match schema.get("items") {
                Some(items) if !schema.contains_key("prefixItems") => {
                    let element = self.element(&format!("{path}/items"), items, depth)?;
                    Some(ColumnType::List(Box::new(element)))
                }
                _ => Some(ColumnType::Json),
            },
            "any" => Some(ColumnType::Json),
            unknown => {
                self.problem(
                    &format!("{path}/type"),
                    format!(
                        "{unknown:?} is not a type (accepted: string, integer, number, boolean, object, array, null)"
                    ),
                );
                None
            }
        }
    }

    /// Returns the one type beside null. A schema without `type` says it by its other words, or
    /// means anything.
    fn kind(&mut self, path: &str, schema: &'a Map<String, Value>) -> Option<&'a str> {
        match schema.get("type") {
            Some(Value::String(kind)) if kind == "null" => Some("any"),
            Some(Value::String(kind)) => Some(kind),
            Some(Value::Array(kinds)) => {
                let mut others = kinds.iter().filter(|kind| *kind != "null");
                match (others.next(), others.next()) {
                    (None, _) => Some("any"),
                    (Some(Value::String(kind)), None) => Some(kind),
                    (Some(Value::String(one)), Some(Value::String(other)))
                        if [one.as_str(), other.as_str()].iter().all(|kind| ["integer", "number"].contains(kind)) =>
                    {
                        Some("number")
                    }
                    // Several types: what has no fixed shape stays JSON text.
                    (Some(_), Some(_)) => Some("any"),
                    (Some(_), None) => {
                        self.problem(&format!("{path}/type"), "expected the name of a type");
                        None
                    }
                }
            }
            Some(_) => {
                self.problem(&format!("{path}/type"), "expected the name of a type, or a list of names");
                None
            }
            None => Some(kind_by_words(schema)),
        }
    }

    fn object(&mut self, path: &str, schema: &'a Map<String, Value>, depth: usize) -> Option<ColumnType> {
        let properties = match schema.get("properties") {
            None => return self.map(path, schema, depth),
            Some(Value::Object(properties)) if properties.is_empty() => return self.map(path, schema, depth),
            Some(Value::Object(properties)) => properties,
            Some(_) => {
                self.problem(&format!("{path}/properties"), "expected an object");
                return None;
            }
        };
        let mut columns = Vec::new();
        for (name, property) in properties {
            let place = format!("{path}/properties/{}", escaped(name));
            if name.is_empty() {
                self.problem(&place, "a column needs a name");
            }
            self.columns += 1;
            if self.columns > COLUMNS_MAX {
                self.problem(
                    "#",
                    format!("the record has more than {COLUMNS_MAX} columns; x-nested: json keeps an object as text"),
                );
                return None;
            }
            self.place.push(RuleStep::Field(name.clone()));
            let column_type = self.column_type(&place, property, depth + 1);
            self.place.pop();
            columns.extend(column_type.map(|column_type| Column { name: name.clone(), column_type, nullable: true }));
        }
        (columns.len() == properties.len()).then_some(ColumnType::Struct(columns))
    }

    /// Returns an object without `properties`: a map where its values have one type, else JSON
    /// text.
    fn map(&mut self, path: &str, schema: &'a Map<String, Value>, depth: usize) -> Option<ColumnType> {
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        let patterns = patterns.into_iter().flatten();
        let patterns =
            patterns.map(|(pattern, schema)| (format!("{path}/patternProperties/{}", escaped(pattern)), schema));
        let others = schema.get("additionalProperties").filter(|others| has_shape(others));
        let others = others.map(|schema| (format!("{path}/additionalProperties"), schema));
        let mut types = Vec::new();
        for (place, schema) in patterns.chain(others) {
            types.push(self.element(&place, schema, depth)?);
        }
        types.dedup();
        Some(match (types.pop(), types.is_empty()) {
            (Some(value), true) if value != ColumnType::Json => ColumnType::Map(Box::new(value)),
            _ => ColumnType::Json,
        })
    }

    /// Returns the type of the elements of a list or a map.
    fn element(&mut self, path: &str, schema: &'a Value, depth: usize) -> Option<ColumnType> {
        self.place.push(RuleStep::Element);
        let element = self.column_type(path, schema, depth + 1);
        self.place.pop();
        element
    }

    /// Returns the parts of `allOf`, `anyOf` or `oneOf` that say something about the shape, with
    /// their places; none when there are none.
    #[expect(clippy::option_option, reason = "the outer one is a problem, as everywhere here")]
    fn parts(
        &mut self,
        path: &str,
        schema: &'a Map<String, Value>,
        word: &str,
    ) -> Option<Option<Vec<(String, &'a Value)>>> {
        let Some(value) = schema.get(word) else { return Some(None) };
        let Some(parts) = value.as_array().filter(|parts| !parts.is_empty()) else {
            self.problem(&format!("{path}/{word}"), "expected a list of schemas");
            return None;
        };
        let parts = parts.iter().enumerate().filter(|(_, part)| has_shape(part) && !is_null(part));
        let parts: Vec<_> = parts.map(|(position, part)| (format!("{path}/{word}/{position}"), part)).collect();
        Some((!parts.is_empty()).then_some(parts))
    }

    /// Returns what fits all of several schemas: objects with the fields of each.
    fn all_of(
        &mut self,
        path: &str,
        schema: &'a Map<String, Value>,
        parts: &[(String, &'a Value)],
        depth: usize,
    ) -> Option<ColumnType> {
        let mut whole: Option<ColumnType> = None;
        let own = ["properties", "items", "type"].iter().any(|word| schema.contains_key(*word));
        let own = if own { Some(self.own_type(path, schema, depth)?) } else { None };
        let mut types = Vec::new();
        for (place, part) in parts {
            types.push(self.column_type(place, part, depth + 1)?);
        }
        // `type: object` beside the parts says nothing new.
        types.extend(own.filter(|own| *own != ColumnType::Json));
        for part in types {
            whole = match (whole, part) {
                (None, part) => Some(part),
                (Some(ColumnType::Struct(mut columns)), ColumnType::Struct(more)) => {
                    for column in more {
                        match columns.iter().find(|known| known.name == column.name) {
                            None => columns.push(column),
                            Some(known) if known.column_type == column.column_type => {}
                            Some(known) => {
                                let (name, one, other) = (&column.name, &known.column_type, &column.column_type);
                                self.problem(
                                    path,
                                    format!("the parts of allOf disagree about {name}: {one} and {other}"),
                                );
                                return None;
                            }
                        }
                    }
                    Some(ColumnType::Struct(columns))
                }
                (Some(one), other) if one == other => Some(one),
                (Some(one), other) => {
                    self.problem(&format!("{path}/allOf"), format!("nothing is both {one} and {other}"));
                    return None;
                }
            };
        }
        whole
    }

    /// Returns what fits one of several schemas.
    fn alternative(&mut self, alternatives: &[(String, &'a Value)], depth: usize) -> Option<ColumnType> {
        let mut types = Vec::new();
        for (place, alternative) in alternatives {
            types.push(self.column_type(place, alternative, depth + 1)?);
        }
        types.dedup();
        if types.len() == 1 {
            return types.pop();
        }
        let all = |wanted: &[ColumnType]| types.iter().all(|found| wanted.contains(found));
        Some(if all(&[ColumnType::Int64, ColumnType::Float64]) {
            ColumnType::Float64
        } else if all(&[ColumnType::Utf8, ColumnType::TimestampUtc, ColumnType::Date32, ColumnType::Time64])
            && !self.counts()
        {
            ColumnType::Utf8
        } else {
            // Several shapes: what has no fixed one stays JSON text.
            ColumnType::Json
        })
    }

    fn referenced(&mut self, path: &str, reference: &'a Value, depth: usize) -> Option<ColumnType> {
        let place = format!("{path}/$ref");
        let Some(pointer) = reference.as_str().and_then(|text| text.strip_prefix('#')) else {
            self.problem(&place, "only references within the file are supported (\"#/$defs/…\")");
            return None;
        };
        let root = self.root;
        let Some(target) = root.pointer(pointer) else {
            self.problem(&place, format!("#{pointer} is not there"));
            return None;
        };
        if self.following.contains(&pointer) {
            self.problem(
                &place,
                format!("#{pointer} refers to itself; x-nested: json beside it keeps it as JSON text"),
            );
            return None;
        }
        self.following.push(pointer);
        let column_type = self.column_type(&format!("#{pointer}"), target, depth + 1);
        self.following.pop();
        column_type
    }

    fn arrow_type(&mut self, path: &str, schema: &'a Map<String, Value>, text: &Value) -> Option<ColumnType> {
        let place = format!("{path}/x-arrow");
        let Some(found) = text.as_str().and_then(ColumnType::parse) else {
            self.problem(&place, format!("{text} is not known (accepted: {ACCEPTED})"));
            return None;
        };
        let kind = if schema.contains_key("type") { self.kind(path, schema)? } else { "any" };
        if !arrow_fits(kind, &found) {
            self.problem(&place, format!("a value of type {kind} is not {found}"));
            return None;
        }
        self.set_counts(count_of_type(schema, &found));
        Some(found)
    }

    /// Returns whether `x-nested: json` says that the value stays JSON text.
    fn stays_json(&mut self, path: &str, schema: &Map<String, Value>) -> bool {
        let word = ["x-nested", "nested"].into_iter().find(|word| schema.contains_key(*word));
        let Some(word) = word else { return false };
        let is_json = schema.get(word).is_some_and(|value| value == "json");
        if !is_json {
            self.problem(&format!("{path}/{word}"), "expected \"json\"");
        }
        is_json
    }

    fn read_on_error(&mut self, path: &str, schema: &Map<String, Value>) {
        let Some(value) = schema.get("x-on-error") else { return };
        match value.as_str().and_then(OnError::parse) {
            Some(on_error) => {
                let rule = self.rules.of(&self.place);
                self.rules.set(self.place.clone(), FieldRule { on_error, ..rule });
            }
            None => self.problem(&format!("{path}/x-on-error"), "expected \"reject\", \"null\" or \"fail\""),
        }
    }

    /// Says what a number counts at the place where the reader is.
    fn set_counts(&mut self, counts: Option<TimeUnit>) {
        let rule = self.rules.of(&self.place);
        self.rules.set(self.place.clone(), FieldRule { counts, ..rule });
    }

    fn counts(&self) -> bool {
        self.rules.of(&self.place).counts.is_some()
    }
}

/// Returns whether a schema means null and nothing else.
fn is_null(schema: &Value) -> bool {
    let is = |word: &str, value: &Value| schema.get(word) == Some(value);
    is("type", &Value::from("null")) || is("const", &Value::Null) || is("enum", &Value::from(vec![Value::Null]))
}

/// Returns the type of a schema without `type`, by its other words.
fn kind_by_words(schema: &Map<String, Value>) -> &'static str {
    let has = |word: &str| schema.contains_key(word);
    if has("properties") || has("additionalProperties") || has("patternProperties") {
        return "object";
    }
    if has("items") || has("prefixItems") {
        return "array";
    }
    let one = schema.get("const").map(std::slice::from_ref);
    let values = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice).or(one).unwrap_or_default();
    let mut values = values.iter().filter(|value| !value.is_null()).peekable();
    if values.peek().is_none() {
        return if has("contentEncoding") { "string" } else { "any" };
    }
    let values: Vec<_> = values.collect();
    let all = |fits: fn(&Value) -> bool| values.iter().all(|value| fits(value));
    match () {
        () if all(Value::is_string) => "string",
        () if all(Value::is_boolean) => "boolean",
        () if all(|value| value.is_i64() || value.is_u64()) => "integer",
        () if all(Value::is_number) => "number",
        () => "any",
    }
}

/// Returns a name as a step of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
