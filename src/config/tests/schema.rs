//! The JSON Schema of a pipeline file: the committed one is fresh, and it accepts and refuses what
//! reading does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::reference;
use super::validator::Validator;
use crate::config::document::json_schema::{example, kind_schema};
use crate::config::document::kind::{Entry, Form, Holds, Kind, Need};
use crate::config::document::problems::Problems;
use crate::config::document::{Document, Mapping as _};
use crate::config::format::{Format, read_value};
use crate::config::interpolate::{Missing, interpolate};
use crate::config::json_schema;

/// Generated documents that schema and reading are compared over.
const DOCUMENTS: u64 = 10_000;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a committed file with what it should be; `UPDATE_SCHEMAS=1` writes it.
#[expect(clippy::disallowed_methods, reason = "the test itself writes the committed file when it is asked to")]
pub(super) fn assert_fresh(path: &str, expected: &str) {
    let path = root().join(path);
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == expected, "rewrite {} with UPDATE_SCHEMAS=1 cargo test --lib", path.display());
}

#[test]
fn the_committed_json_schema_is_fresh() {
    assert_fresh("schemas/pipeline.schema.json", &json_schema());
}

/// An editor finds the schema by the first line of a file.
#[test]
fn every_example_names_the_schema() {
    let mut count = 0;
    for path in files_below(&root().join("examples")) {
        let line = match Format::of(&path) {
            Some(Format::Yaml) => "# yaml-language-server: $schema=../schemas/pipeline.schema.json\n",
            Some(Format::Toml) => "#:schema ../schemas/pipeline.schema.json\n",
            Some(Format::Json) | None => continue,
        };
        count += 1;
        assert!(std::fs::read_to_string(&path).unwrap().starts_with(line), "{} does not begin so", path.display());
    }
    assert!(count > 8, "{count}");
}

/// Returns a validator by the generated schema.
fn validator() -> Validator {
    Validator::of(serde_json::from_str(&json_schema()).unwrap())
}

/// What is wrong with the form of a document, its meaning apart.
fn problems_of_form(document: &Value) -> Vec<String> {
    let problems = Problems::default();
    let mut document = document.clone();
    document.as_object_mut().into_iter().for_each(|members| members.retain(|key, _| !key.starts_with("x-")));
    interpolate(&mut document, ".", &super::Listed::default(), Missing::Open, &problems);
    Document::of(document, &problems);
    if problems.is_empty() {
        return Vec::new();
    }
    let found = problems.into_error("document", |_, _| None).to_string();
    found.lines().skip(1).filter(|line| !is_out_of_range(line)).map(str::to_owned).collect()
}

/// Whether a problem is the range of a number that is written as a string, which a schema does not
/// see.
fn is_out_of_range(problem: &str) -> bool {
    let Some((expected, found)) = problem.split_once(", found '") else { return false };
    let digits = found.trim_end_matches('\'').trim();
    let is_integer = expected.contains("expected an integer") || expected.ends_with("expected 1");
    let is_number = expected.contains("expected a number");
    (is_integer && digits.parse::<u64>().is_ok())
        || (is_number && digits.parse::<f64>().is_ok_and(|number| number >= 0.0))
}

/// Asserts that schema and reading agree about a document; whether they accept it.
fn agree(validator: &Validator, document: &Value, origin: &str) -> bool {
    let problems = problems_of_form(document);
    let found = validator.validate(document);
    assert_eq!(
        found.is_ok(),
        problems.is_empty(),
        "{origin}\n{document:#}\nreading: {}\nschema: {found:?}",
        problems.join("\n")
    );
    found.is_ok()
}

/// Every pipeline file of the repository: examples, those of the documents, of tests and
/// conformance cases.
fn pipelines() -> Vec<(String, Value)> {
    let mut found: Vec<(String, Value)> =
        reference::examples().into_iter().map(|value| ("docs/pipeline-file.md".to_owned(), value)).collect();
    for folder in ["examples", "tests", "benches"] {
        for path in files_below(&root().join(folder)) {
            let Some(format) = Format::of(&path) else { continue };
            let text = std::fs::read_to_string(&path).unwrap();
            let Ok(value) = read_value(&text, format) else { continue };
            collect(&path.display().to_string(), value, &mut found);
        }
    }
    found
}

/// Takes whatever is a pipeline, within another document too.
fn collect(origin: &str, value: Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(ref members) if members.contains_key("client") && members.contains_key("resources") => {
            found.push((origin.to_owned(), value));
        }
        Value::Object(members) => members.into_iter().for_each(|(_, value)| collect(origin, value, found)),
        Value::Array(elements) => elements.into_iter().for_each(|value| collect(origin, value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn schema_and_reading_agree_on_every_pipeline_of_the_repository() {
    let validator = validator();
    let pipelines = pipelines();
    let accepted = pipelines.iter().filter(|(origin, document)| agree(&validator, document, origin)).count();
    assert!(accepted > 300 && pipelines.len() > accepted, "{accepted} of {}", pipelines.len());
}

/// Numbers that follow from a seed.
struct Luck(u64);

impl Luck {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// A value of a kind.
fn value_of(kind: &Kind, luck: &mut Luck) -> Value {
    if luck.one_in(20)
        && matches!(kind, Kind::Boolean | Kind::Integer { .. } | Kind::Number { .. } | Kind::Words { .. })
    {
        return json!("${env:UNKNOWN}");
    }
    match kind {
        Kind::Any => luck.of(&[json!({"a": [1, null]}), json!("text"), json!([]), json!(5)]).clone(),
        Kind::Boolean => luck.of(&[json!(true), json!(false), json!("true"), json!("false")]).clone(),
        Kind::Integer { min, max, .. } => {
            let number = min + u64::try_from(luck.below(1_000)).unwrap() % (max - min).saturating_add(1);
            if luck.one_in(4) { json!(number.to_string()) } else { json!(number) }
        }
        Kind::Number { max, .. } if max.is_finite() => luck.of(&[json!(0.25), json!(1), json!("0.5")]).clone(),
        Kind::Number { .. } | Kind::AnyNumber => luck.of(&[json!(1), json!(2.5), json!(1e3)]).clone(),
        Kind::String(Holds::Path) => luck.of(&[json!("items"), json!("a.b[0]"), json!("")]).clone(),
        Kind::String(_) => luck.of(&[json!("text"), json!("https://${env:HOST}/x"), json!("")]).clone(),
        Kind::Duration => luck.of(&[json!(90), json!("15m"), json!(" 6 h "), json!("${env:STEP}")]).clone(),
        Kind::Words { words, aliases } => {
            let all: Vec<&str> = words.iter().chain(*aliases).copied().collect();
            json!(luck.of(&all))
        }
        Kind::Scalar => luck.of(&[json!("text"), json!(5), json!(1.5), json!(true), Value::Null]).clone(),
        Kind::List { of, min } => (0..min + luck.below(3)).map(|_| value_of(of, luck)).collect(),
        Kind::Pair(of) => json!(["name", value_of(of, luck)]),
        Kind::Map(of) => (0..luck.below(3)).map(|number| (format!("key/{number}"), value_of(of, luck))).collect(),
        Kind::Mapping(form) => match form.short.and_then(|short| form.keys().find(|key| key.name == short)) {
            Some(key) if luck.one_in(3) => match value_of(&key.kind, luck) {
                Value::String(text) => json!(text),
                _ => mapping(form, &[], luck),
            },
            _ => mapping(form, &form.required().collect::<Vec<_>>(), luck),
        },
        Kind::Partial(form) => mapping(form, &[], luck),
        Kind::Named(form, name) => mapping(form, &[name], luck),
        Kind::Union(union) => {
            let variant = luck.of(union.variants);
            let word = *luck.of(&[&[variant.word], variant.aliases].concat());
            let required: Vec<&str> = variant.form.required().collect();
            if union.is_short && required.is_empty() && luck.one_in(3) {
                return json!(word);
            }
            let mut mapping = mapping(variant.form, &required, luck);
            if union.default != Some(variant.word) || luck.one_in(2) {
                mapping[union.tag] = json!(word);
            }
            mapping
        }
        Kind::Either(kinds) => value_of(luck.of(kinds), luck),
        Kind::Pattern(..) => json!("0.5%"),
        Kind::Only(value) => example(value),
    }
}

fn mapping(form: &Form, required: &[&str], luck: &mut Luck) -> Value {
    let mut members = Map::new();
    for entry in form.entries() {
        match entry {
            Entry::Key(key) if required.contains(&key.name) || luck.one_in(4) => {
                let name = if luck.one_in(2) { key.name } else { key.aliases.first().copied().unwrap_or(key.name) };
                let value = if !required.contains(&key.name) && luck.one_in(10) {
                    Value::Null
                } else {
                    value_of(&key.kind, luck)
                };
                members.insert(name.to_owned(), value);
            }
            Entry::Ignored(name) if luck.one_in(30) => {
                members.insert((*name).to_owned(), json!({"any": "thing"}));
            }
            Entry::Refused(name) if luck.one_in(30) => {
                members.insert((*name).to_owned(), Value::Null);
            }
            Entry::Key(_) | Entry::All(_) | Entry::Ignored(_) | Entry::Refused(_) => {}
        }
    }
    Value::Object(members)
}

/// The JSON pointers of all values.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(place, element)| pointers(element, &format!("{at}/{place}"), found));
        }
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Makes one value of a document wrong, most of the time.
fn spoil(document: &mut Value, luck: &mut Luck) {
    let mut places = Vec::new();
    pointers(document, "", &mut places);
    let place = luck.of(&places);
    let value = document.pointer_mut(place).unwrap();
    match (luck.below(4), &mut *value) {
        (0, Value::Object(members)) => {
            let key = *luck.of(&["nobody_knows", "x-anchors", "session", "type", "name", "primary_key"]);
            members.insert(key.to_owned(), luck.of(&[json!(1), json!({}), json!("x"), Value::Null]).clone());
        }
        (1, Value::Object(members)) if !members.is_empty() => {
            let keys: Vec<String> = members.keys().cloned().collect();
            members.shift_remove(luck.of(&keys));
        }
        (2, Value::String(text)) => "nobody knows".clone_into(text),
        _ => {
            let others = [
                Value::Null,
                json!(false),
                json!(-1),
                json!(0),
                json!(1.5),
                json!(7),
                json!("text"),
                json!("12"),
                json!([]),
                json!(["a"]),
                json!({}),
                json!({"a": "b"}),
            ];
            *value = luck.of(&others).clone();
        }
    }
}

/// The documents follow from the same descriptions that reading and schema come of: every key and
/// every word of them, and a third of them with something wrong.
#[test]
fn schema_and_reading_agree_on_generated_documents() {
    let validator = validator();
    let form = &Document::FORM;
    let required: Vec<&str> = form.required().collect();
    let mut accepted = 0;
    for seed in 0..DOCUMENTS {
        let mut luck = Luck(seed);
        let mut document = mapping(form, &required, &mut luck);
        if seed % 3 != 0 {
            let good = agree(&validator, &document, &format!("seed {seed}"));
            assert!(good, "seed {seed} is refused: {document:#}\n{:?}", problems_of_form(&document));
        }
        (0..seed % 3).for_each(|_| spoil(&mut document, &mut luck));
        accepted += usize::from(agree(&validator, &document, &format!("seed {seed}, spoilt")));
    }
    assert!((3_000..8_000).contains(&accepted), "{accepted} of {DOCUMENTS} are accepted");
}

/// Defaults and examples are what the file may say.
#[test]
fn every_default_and_example_is_of_its_kind() {
    let whole: Value = serde_json::from_str(&json_schema()).unwrap();
    let mut count = 0;
    for (name, form) in reference::forms() {
        for key in form.keys() {
            let default = match key.need {
                Need::Default(value) => Some(value()),
                Need::Required | Need::Optional | Need::Usually(_) => None,
            };
            let values: Vec<Value> = default.into_iter().chain(key.examples.iter().map(|text| example(text))).collect();
            if values.is_empty() {
                continue;
            }
            let mut schema = kind_schema(&key.kind, &mut Map::new());
            schema["$defs"] = whole["$defs"].clone();
            let validator = Validator::of(schema);
            for value in values {
                count += 1;
                assert_eq!(validator.validate(&value), Ok(()), "{name}.{}: {value}", key.name);
            }
        }
    }
    assert!(count > 60, "{count}");
}

/// Two words for one key are not both given.
#[test]
fn schema_and_reading_agree_on_odd_documents() {
    let validator = validator();
    let with = |part: Value| json!({"client": {"base_url": "https://h", "auth": part}, "resources": ["a"]});
    let oauth2 = |more: Value| {
        let mut auth = json!({"type": "oauth2", "client_id": "i", "client_secret": "s"});
        auth.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        with(auth)
    };
    let cases = BTreeMap::from([
        ("both words", (oauth2(json!({"token_url": "https://a", "access_token_url": "https://a"})), false)),
        ("the other word", (oauth2(json!({"access_token_url": "https://a", "scopes": "a"})), true)),
        ("one of them null", (oauth2(json!({"token_url": null, "access_token_url": "https://a"})), true)),
        ("none of them", (oauth2(json!({"token_url": null})), false)),
        ("both optional words", (oauth2(json!({"token_url": "https://a", "scope": "a", "scopes": ["b"]})), false)),
        ("no type", (with(json!({"token": "t"})), true)),
        ("a null type", (with(json!({"type": null, "token": "t"})), true)),
        ("no mapping", (json!([]), false)),
        ("nothing", (Value::Null, false)),
    ]);
    for (name, (document, is_good)) in cases {
        assert_eq!(agree(&validator, &document, name), is_good, "{name}");
    }
}
