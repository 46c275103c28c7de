//! Members that all records of a page have behind their own: they are what they would be in the
//! records' text.

use proptest::prelude::*;

use super::*;
use lakefeed_model::error::Error;
use lakefeed_model::schema::{FieldRule, FieldRules, OnError, RuleStep};

#[test]
fn members_come_last_in_the_text_of_a_record() {
    for (record, members, expected) in [
        ("{}", "", "{}"),
        ("{}", "{}", "{}"),
        ("{}", "{\"_p_id\":1}", "{\"_p_id\":1}"),
        ("{\"a\":1 } ", "{\"_p_id\":1,\"b\":{}}", "{\"a\":1,\"_p_id\":1,\"b\":{}}"),
        ("[1]", "{\"_p_id\":1}", "[1]"),
        ("\"}\"", "{\"_p_id\":1}", "\"}\""),
    ] {
        assert_eq!(RawRecord::with_members(record, members).text(), expected, "{record} {members}");
    }
}

/// A gate that keeps, drops, rewrites or refuses records by the number that the last `a` of them
/// is.
#[derive(Debug)]
struct ByNumber;

impl RecordGate for ByNumber {
    fn admit(&mut self, record: RawRecord<'_>) -> Result<Admission, Error> {
        Ok(match record.find(&path("a")) {
            Some("1") => Admission::Drop,
            Some("2") => Admission::Rewrite(record.text().replace("\"b\":", "\"c\":")),
            Some("3") => Admission::Delete("{\"a\":\"x\"}".to_owned()),
            Some("4") => {
                let (path, reason) = ("$".to_owned(), record.text().into_owned());
                Admission::Refuse { code: lakefeed_model::reject::RejectCode::Expression, path, reason }
            }
            _ => Admission::Keep,
        })
    }
}

fn object(most: usize) -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        3 => proptest::sample::select(vec!["1", "2", "3", "4", "7"]),
        1 => proptest::sample::select(vec!["null", "0.5", "\"x\"", "[]", "[7]", "{\"b\":7}", "{\"b\":\"x\",\"n\":1}"]),
    ];
    let member = (proptest::sample::select(vec!["a", "b", "c", "lax", "new"]), scalar);
    let member = member.prop_map(|(key, value)| format!("\"{key}\":{value}"));
    proptest::collection::vec(member, 0..most).prop_map(|members| format!("{{{}}}", members.join(",")))
}

/// All that a page becomes.
fn outcome(page: &PageInput<'_>, policy: MismatchPolicy, is_gated: bool) -> (Vec<String>, RecordBatch, RecordSchema) {
    let known = schema(vec![
        required("a", ColumnType::Int64),
        column("b", ColumnType::Int64),
        column("b__v_text", ColumnType::Utf8),
        column("c", ColumnType::Struct(vec![column("b", ColumnType::Int64)])),
        column("lax", ColumnType::Int64),
    ]);
    let mut rules = FieldRules::default();
    rules.set(vec![RuleStep::Field("lax".to_owned())], FieldRule { on_error: OnError::Null, ..FieldRule::default() });
    let key = ["a".to_owned()];
    let target = RowTarget { rules: Some(&rules), delete_key: Some(&key), ..RowTarget::from(&known) };
    let mut decoder = PageDecoder::new(target, Some(path("$")), OPTIONS);
    let mut gate = ByNumber;
    let told = match decoder.decode(page, policy, is_gated.then_some(&mut gate as &mut dyn RecordGate)) {
        Err(error) => vec![error.to_string()],
        Ok(Decoded { meta, rejects, nulled, dropped, discarded, variants, mismatches }) => {
            let mut told = vec![format!("{} {dropped} {discarded} {variants:?} {mismatches:?}", meta.records)];
            told.extend(rejects.iter().chain(&nulled).map(|reject| format!("{reject:?}")));
            told
        }
    };
    let mut inferrer = Inferrer::new(Some(path("$")), InferOptions::with_depth(64));
    let gate = is_gated.then_some(&mut gate as &mut dyn RecordGate);
    inferrer.observe(page, gate).unwrap();
    let seen = inferrer.finish(&[]).ok().flatten().unwrap_or_else(|| known.clone());
    (told, decoder.flush().unwrap(), seen)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_page_becomes_what_it_would_with_the_members_in_its_records(
        records in proptest::collection::vec(prop_oneof![9 => object(5), 1 => Just("[7]".to_owned())], 1..5),
        members in object(3), is_gated in any::<bool>(),
        unknown_fields in proptest::sample::select(vec![
            UnknownFields::Ignore, UnknownFields::Reject, UnknownFields::Fail, UnknownFields::Collect,
        ]),
        type_mismatches in proptest::sample::select(vec![
            TypeMismatches::Reject, TypeMismatches::Null, TypeMismatches::Variant, TypeMismatches::Fail,
            TypeMismatches::Collect,
        ]),
    ) {
        let whole: Vec<_> = records.iter().map(|record| RawRecord::with_members(record, &members).text()).collect();
        let (body, expected) = (format!("[{}]", records.join(",")), format!("[{}]", whole.join(",")));
        let policy = MismatchPolicy { unknown_fields, type_mismatches };
        let found = outcome(&PageInput { members: &members, ..PageInput::json(7, body.as_bytes()) }, policy, is_gated);
        let expected = outcome(&PageInput::json(7, expected.as_bytes()), policy, is_gated);
        prop_assert_eq!(found, expected);
    }

    /// What expressions, cursors, keys and deletes look at.
    #[test]
    fn a_record_shows_members_like_its_own(record in object(5), members in object(3)) {
        let found = RawRecord::with_members(&record, &members);
        let text = found.text();
        let expected = RawRecord::new(&text);
        for wanted in ["a", "b", "c", "c.b", "a.b", "new", "b[0]", "lax[-1]"] {
            prop_assert_eq!(found.find(&path(wanted)), expected.find(&path(wanted)), "{} of {}", wanted, text);
        }
        prop_assert_eq!(found.members(), expected.members());
        prop_assert_eq!(found.keys(), expected.keys());
    }
}
