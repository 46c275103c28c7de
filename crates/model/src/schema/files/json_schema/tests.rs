use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::types::record::TimeUnit;

fn file(column: &Value) -> Result<SchemaFile, Vec<String>> {
    let schema = json!({"properties": {"x": column}, "$defs": {
        "day": {"type": "string", "format": "date"},
        "ring": {"properties": {"left": {"$ref": "#/$defs/ring"}, "right": {"$ref": "#/$defs/ring"}}},
        "named": {"type": "object", "properties": {"name": {"type": "string"}}},
    }});
    SchemaFile::parse(&schema.to_string()).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// The type of the one column `x` as text, or the problems.
fn check(column: &Value) -> Result<String, Vec<String>> {
    file(column).map(|file| file.schema.columns()[0].column_type.to_string())
}

#[test]
fn words_of_json_schema_are_types() {
    for (column, expected) in [
        (json!({"type": "string"}), "utf8"),
        (json!({"type": ["string", "null"], "format": "date-time"}), "timestamp[us, UTC]"),
        (json!({"type": "string", "format": "uuid"}), "utf8"),
        (json!({"type": "string", "format": "duration"}), "utf8"),
        (json!({"type": "string", "format": "byte"}), "binary"),
        (json!({"type": "string", "contentEncoding": "base64url"}), "binary"),
        (json!({"type": "string", "format": "uint64"}), "uint64"),
        (json!({"type": "integer", "minimum": 0}), "int64"),
        (json!({"type": "integer", "format": "int32"}), "int64"),
        (json!({"type": "integer", "format": "uint64"}), "uint64"),
        (json!({"type": "integer", "format": "unix-time"}), "timestamp[us, UTC]"),
        (json!({"type": ["integer", "number"]}), "float64"),
        (json!({"type": "number", "format": "float"}), "float64"),
        (json!({"type": "boolean", "description": "…"}), "boolean"),
        (json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), "int64"),
        (json!({"oneOf": [{"const": null}, {"$ref": "#/$defs/day"}]}), "date32"),
        (json!({"oneOf": [{"type": "integer"}, {"type": "string"}]}), "json"),
        (json!({"oneOf": [{"type": "integer"}, {"type": "number"}]}), "float64"),
        (json!({"oneOf": [{"$ref": "#/$defs/day"}, {"type": "string", "format": "date-time"}]}), "utf8"),
        (
            json!({"type": "object", "properties": {"a": {"type": "integer"}}, "anyOf": [{"required": ["a"]}, {"required": []}]}),
            "struct<a: int64>",
        ),
        (json!({"$ref": "#/$defs/day"}), "date32"),
        (json!({"$ref": "#/$defs/day", "x-arrow": "timestamp[s]"}), "timestamp[s]"),
        (json!({"$ref": "#/$defs/ring", "x-nested": "json"}), "json"),
        (json!({"allOf": [{"$ref": "#/$defs/day"}], "description": "…"}), "date32"),
        (
            json!({"allOf": [{"$ref": "#/$defs/named"}, {"properties": {"id": {"type": "integer"}}}], "type": "object"}),
            "struct<name: utf8, id: int64>",
        ),
        (
            json!({"allOf": [{"$ref": "#/$defs/named"}], "properties": {"name": {"type": "string"}, "b": {"type": "boolean"}}}),
            "struct<name: utf8, b: boolean>",
        ),
        (json!({"type": "array", "items": {"type": "string"}}), "list<utf8>"),
        (json!({"type": "array", "prefixItems": [{"type": "string"}], "items": false}), "json"),
        (json!({"type": "array"}), "json"),
        (json!({"type": "object"}), "json"),
        (json!({"type": "object", "additionalProperties": true}), "json"),
        (json!({"type": "object", "additionalProperties": {"type": "number"}}), "map<utf8, float64>"),
        (json!({"additionalProperties": {"$ref": "#/$defs/named"}}), "map<utf8, struct<name: utf8>>"),
        (
            json!({"patternProperties": {"^a": {"type": "string"}}, "additionalProperties": {"type": "string"}}),
            "map<utf8, utf8>",
        ),
        (json!({"enum": ["a", "b", null]}), "utf8"),
        (json!({"enum": [1, 2]}), "int64"),
        (json!({"const": 1.5}), "float64"),
        (json!({"const": true}), "boolean"),
        (json!({"enum": ["a", 1]}), "json"),
        (json!({"type": "object", "x-nested": "json", "properties": {"a": {}}}), "json"),
        (json!({"x-arrow": "decimal128(18, 2)"}), "decimal128(18, 2)"),
        (json!({"type": "string", "x-arrow": "timestamp[us, UTC]"}), "timestamp[us, UTC]"),
        (json!({"type": "string", "x-arrow": "dictionary<utf8>"}), "dictionary<utf8>"),
        (json!({"type": "object", "x-arrow": "map<utf8, int64>"}), "map<utf8, int64>"),
        (json!({"type": "string", "x-vendor": 1, "somebodysNote": 2}), "utf8"),
        (json!(true), "json"),
    ] {
        assert_eq!(check(&column), Ok(expected.to_owned()), "{column}");
    }
}

#[test]
fn what_a_number_counts_is_said_by_its_format_or_by_the_unit_of_its_column() {
    let seconds = Some(TimeUnit::Second);
    for (column, expected) in [
        (json!({"type": "integer", "format": "unix-time"}), seconds),
        (json!({"type": "number", "format": "unix-time-ms"}), Some(TimeUnit::Millisecond)),
        (json!({"type": "integer", "x-arrow": "timestamp[s, UTC]"}), seconds),
        (json!({"type": ["integer", "null"], "format": "unixtime", "x-arrow": "timestamp[ms, UTC]"}), seconds),
        (json!({"type": "integer", "x-arrow": "duration[us]"}), Some(TimeUnit::Microsecond)),
        (json!({"type": "string", "x-arrow": "timestamp[s, UTC]"}), None),
        (json!({"x-arrow": "timestamp[s, UTC]"}), None),
        (json!({"type": "integer", "x-arrow": "int32"}), None),
    ] {
        let rule = file(&column).unwrap().rules.of(&[RuleStep::Field("x".to_owned())]);
        assert_eq!(rule, FieldRule { counts: expected, on_error: OnError::Reject }, "{column}");
    }
    let nested = json!({"type": "array", "items": {"properties": {"at": {"type": "integer", "format": "unix-time", "x-on-error": "null"}}}});
    let place = [RuleStep::Field("x".to_owned()), RuleStep::Element, RuleStep::Field("at".to_owned())];
    assert_eq!(file(&nested).unwrap().rules.of(&place), FieldRule { counts: seconds, on_error: OnError::Null });
}

#[test]
fn every_problem_is_named_with_its_place() {
    let text = json!({"properties": {
        "a": {"type": "text"}, "b/c": {"x-arrow": "decimal128(99, 2)"}, "d": {"$ref": "#/nowhere"}, "e": 7,
        "f": {"type": "string", "maxLength": -1}, "g": {"type": "string", "formt": "date"}, "h": {"$dynamicRef": "#a"},
        "i": {"type": "object", "x-arrow": "int64"}, "j": {"type": "string", "x-on-error": "ignore"}, "k": {"$ref": "other.json#/a"},
        "l": {"allOf": [{"type": "string"}, {"type": "integer"}]}, "m": {"anyOf": []}, "n": {"type": "string", "x-arow": "date32"},
        "o": {"allOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"type": "integer"}}}]},
    }})
    .to_string();
    let problems: Vec<String> = SchemaFile::parse(&text).unwrap_err().iter().map(ToString::to_string).collect();
    let expected = [
        "#/properties/a/type: \"text\" is not a type",
        "#/properties/b~1c/x-arrow: \"decimal128(99, 2)\" is not known",
        "#/properties/d/$ref: #/nowhere is not there",
        "#/properties/e: is not a schema",
        "#/properties/f/maxLength: expected an integer that is not negative",
        "#/properties/g/formt: is not a word of JSON Schema; did you mean 'format'?",
        "#/properties/h/$dynamicRef: is not followed",
        "#/properties/i/x-arrow: a value of type object is not int64",
        "#/properties/j/x-on-error: expected \"reject\", \"null\" or \"fail\"",
        "#/properties/k/$ref: only references within the file",
        "#/properties/l/allOf: nothing is both utf8 and int64",
        "#/properties/m/anyOf: expected a list of schemas",
        "#/properties/n/x-arow: is not a word of JSON Schema; did you mean 'x-arrow'?",
        "#/properties/o: the parts of allOf disagree about a: utf8 and int64",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(expected) {
        assert!(problem.starts_with(start), "{problem}");
    }
    assert!(check(&json!({"$ref": "#/$defs/ring"})).unwrap_err()[0].contains("refers to itself"));
    assert!(SchemaFile::parse("{\"type\": \"array\", \"items\": {}}").is_err());
    assert!(SchemaFile::parse("nonsense").is_err());
    assert!(SchemaFile::parse("{\"$schema\": \"http://json-schema.org/draft-04/schema#\"}").is_err());
}

#[test]
fn a_schema_that_doubles_with_each_reference_is_refused_in_time() {
    let mut defs = json!({"s0": {"type": "string"}});
    for level in 1..25 {
        let below = json!({"$ref": format!("#/$defs/s{}", level - 1)});
        defs[format!("s{level}")] = json!({"properties": {"a": below, "b": below}});
    }
    let schema = json!({"$ref": "#/$defs/s24", "$defs": defs});
    assert!(SchemaFile::from_json_schema(&schema).unwrap_err()[0].message.contains("more than 10000 columns"));
}

#[test]
fn components_of_openapi_documents_are_records() {
    let document = json!({"openapi": "3.0.3", "components": {"schemas": {
        "Person": {"type": "object", "properties": {"email": {"type": "string", "nullable": true, "format": "email"}}},
        "Event": {
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "integer", "format": "int64", "minimum": 0, "exclusiveMinimum": true},
                "organizer": {"nullable": true, "allOf": [{"$ref": "#/components/schemas/Person"}]},
                "start": {"type": "string", "format": "date-time", "nullable": true, "example": "2026-11-23T08:00:00Z"},
            },
        },
    }}});
    let file = SchemaFile::from_openapi(&document, "Event").unwrap();
    let columns: Vec<String> = file.schema.columns().iter().map(ToString::to_string).collect();
    assert_eq!(columns, ["id: int64", "organizer: struct<email: utf8>", "start: timestamp[us, UTC]"]);
    for (document, expected) in [
        (
            json!({"openapi": "3.1.0", "components": {"schemas": {"Event": {}}}}),
            "#/components/schemas/Evnt: is not there (components/schemas has: Event)",
        ),
        (json!({"swagger": "2.0"}), "#/openapi: expected an OpenAPI document of version 3.0 or 3.1; it is Swagger 2"),
    ] {
        assert_eq!(SchemaFile::from_openapi(&document, "Evnt").unwrap_err()[0].to_string(), expected);
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        drop(SchemaFile::parse(&text));
    }

    #[test]
    fn no_word_in_a_wrong_place_makes_it_panic(
        word in "type|format|properties|items|anyOf|allOf|\\$ref|x-arrow|x-on-error|x-nested|enum|const|additionalProperties|patternProperties|required",
        value in "null|1|\"x\"|\\[\\]|\\{\\}|\\[1\\]|\"#/a\"|\"#\"|\"#/properties/x\"|\\{\"a\":1\\}",
    ) {
        drop(SchemaFile::parse(&format!("{{\"properties\": {{\"x\": {{\"{word}\": {value}}}}}}}")));
    }
}
