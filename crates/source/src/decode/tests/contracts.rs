//! What becomes of a record that has several faults: the gravest says it, in whatever order they
//! come.

use proptest::prelude::*;

use super::*;
use lakefeed_model::reject::RejectCode;
use lakefeed_model::schema::{FieldRule, FieldRules, OnError, RuleStep};

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Kept,
    Refused,
    /// It failed the run, for a field that the schema does not have or for a value.
    Frozen {
        is_unknown: bool,
    },
    /// It failed the run by a rule of its field.
    Failed,
}

/// A record has `id`; `n` and those of `o`, of the objects in `l` and of `m` are integers; `fatal`
/// fails the run, and null stands for a `lax` that does not fit.
fn fate(unknown_fields: UnknownFields, type_mismatches: TypeMismatches, record: &str) -> Fate {
    let numbers = || ColumnType::Struct(vec![column("x", ColumnType::Int64), required("y", ColumnType::Int64)]);
    let schema = schema(vec![
        required("id", ColumnType::Int64),
        column("n", ColumnType::Int64),
        column("fatal", ColumnType::Int64),
        column("lax", ColumnType::Int64),
        column("o", numbers()),
        column("l", ColumnType::List(Box::new(numbers()))),
        column("m", ColumnType::Map(Box::new(ColumnType::Int64))),
    ]);
    let mut rules = FieldRules::default();
    for (field, on_error) in [("fatal", OnError::Fail), ("lax", OnError::Null)] {
        rules.set(vec![RuleStep::Field(field.to_owned())], FieldRule { on_error, ..FieldRule::default() });
    }
    let target = RowTarget { rules: Some(&rules), ..RowTarget::from(&schema) };
    let mut decoder = PageDecoder::new(target, Some(path("$")), OPTIONS);
    let body = format!("[{record}]");
    let policy = MismatchPolicy { unknown_fields, type_mismatches };
    let decoded = decoder.decode(&PageInput::json(0, body.as_bytes()), policy, None);
    let rows = decoder.flush().unwrap().num_rows();
    match decoded {
        Ok(decoded) => match (rows, decoded.rejects.len()) {
            (1, 0) => Fate::Kept,
            (0, 1) => Fate::Refused,
            other => panic!("{other:?} of one record"),
        },
        Err(error) => match error {
            DecodeError::Frozen { is_unknown, .. } => Fate::Frozen { is_unknown },
            DecodeError::Refused { .. } => Fate::Failed,
            other => panic!("{other}"),
        },
    }
}

#[test]
fn what_is_frozen_fails_the_run_behind_what_only_refuses_its_record() {
    use TypeMismatches::{Fail as MismatchFails, Null, Reject as MismatchRefuses, Variant};
    use UnknownFields::{Fail, Ignore, Reject};
    let (unknown, value) = (Fate::Frozen { is_unknown: true }, Fate::Frozen { is_unknown: false });
    for (fields, mismatches, record, expected) in [
        (Fail, MismatchRefuses, r#"{"id":1,"n":"x","new":1}"#, &unknown),
        (Fail, MismatchRefuses, r#"{"id":1,"o":{"y":"x","new":1}}"#, &unknown),
        (Fail, MismatchRefuses, r#"{"id":1,"l":[{"y":"x"},{"y":1,"new":1}]}"#, &unknown),
        (Fail, MismatchRefuses, r#"{"id":1,"l":[{},{"y":1,"new":1}]}"#, &unknown),
        (Fail, MismatchRefuses, r#"{"id":1,"l":[{"y":null},{"y":1}],"new":1}"#, &unknown),
        (Fail, MismatchRefuses, r#"{"id":null,"o":[],"new":1}"#, &unknown),
        (Fail, MismatchRefuses, r#"{"id":1,"n":"x","new":null}"#, &Fate::Refused),
        (Fail, Null, r#"{"id":1,"n":"x","new":1}"#, &unknown),
        (Fail, Null, r#"{"id":1,"n":"x"}"#, &Fate::Kept),
        (Fail, Variant, r#"{"id":null,"n":"x"}"#, &unknown),
        (Fail, Variant, r#"{"id":null,"lax":"x"}"#, &Fate::Refused),
        (Reject, MismatchFails, r#"{"id":1,"new":1,"n":"x"}"#, &value),
        (Reject, MismatchFails, r#"{"new":1,"m":{"a":1,"b":"x"}}"#, &value),
        (Ignore, MismatchFails, r#"{"id":null,"l":[{"y":1},{"y":"x"}]}"#, &value),
        (Reject, MismatchFails, r#"{"new":1,"n":1}"#, &Fate::Refused),
        (Reject, MismatchRefuses, r#"{"id":1,"new":1,"fatal":"x"}"#, &Fate::Failed),
        (Reject, MismatchRefuses, r#"{"id":1,"n":"x","fatal":1}"#, &Fate::Refused),
        (Fail, MismatchFails, "[1]", &Fate::Refused),
    ] {
        assert_eq!(&fate(fields, mismatches, record), expected, "{fields:?} {mismatches:?} {record}");
    }
}

#[test]
fn a_delete_with_a_frozen_value_fails_the_run_too() {
    #[derive(Debug)]
    struct Deletes;
    impl RecordGate for Deletes {
        fn admit(&mut self, record: RawRecord<'_>) -> Result<Admission, lakefeed_model::error::Error> {
            Ok(Admission::Delete(record.text().into_owned()))
        }
    }
    let schema = schema(vec![required("id", ColumnType::Int64)]);
    for (type_mismatches, is_refused) in [(TypeMismatches::Reject, true), (TypeMismatches::Fail, false)] {
        let target = RowTarget { delete_key: Some(&["id".to_owned()]), ..RowTarget::from(&schema) };
        let mut decoder = PageDecoder::new(target, Some(path("$")), OPTIONS);
        let policy = MismatchPolicy { type_mismatches, ..MismatchPolicy::LENIENT };
        match decoder.decode(&PageInput::json(0, br#"[{"id":"x"}]"#), policy, Some(&mut Deletes)) {
            Ok(decoded) => {
                let codes: Vec<_> = decoded.rejects.iter().map(|reject| reject.code).collect();
                assert_eq!((is_refused, codes), (true, vec![RejectCode::BadFormat]));
            }
            Err(error) => assert!(!is_refused && error.to_string().contains("$.id"), "{error}"),
        }
    }
}

/// Members of a record, each with or without a fault, and the places that they come in.
fn members() -> impl Strategy<Value = Vec<String>> {
    let numbers = || {
        prop_oneof![
            3 => Just(r#"{"x":1,"y":2}"#),
            1 => Just(r#"{"y":"x","x":1}"#),
            1 => Just(r#"{"y":2,"new":1}"#),
            1 => Just(r#"{"y":"x","new":1}"#),
            1 => Just(r#"{"x":1}"#),
            1 => Just("[]"),
        ]
    };
    let number = || prop_oneof![3 => Just("1"), 1 => Just("\"x\""), 1 => Just("null")];
    let members = (
        number().prop_map(|value| format!("\"id\":{value}")),
        number().prop_map(|value| format!("\"n\":{value}")),
        number().prop_map(|value| format!("\"fatal\":{value}")),
        numbers().prop_map(|value| format!("\"o\":{value}")),
        (numbers(), numbers()).prop_map(|(first, second)| format!("\"l\":[{first},{second}]")),
        (number(), number()).prop_map(|(first, second)| format!("\"m\":{{\"a\":{first},\"b\":{second}}}")),
        prop_oneof![3 => Just("null"), 1 => Just("1"), 1 => Just("{}")].prop_map(|value| format!("\"new\":{value}")),
    );
    members.prop_map(|(id, n, fatal, o, l, m, new)| vec![id, n, fatal, o, l, m, new])
}

proptest! {
    #[test]
    fn the_order_of_its_fields_changes_nothing_for_a_record(
        members in members(),
        shuffled in Just((0..7_usize).collect::<Vec<_>>()).prop_shuffle(),
        fields in prop_oneof![Just(UnknownFields::Ignore), Just(UnknownFields::Reject), Just(UnknownFields::Fail)],
        mismatches in prop_oneof![Just(TypeMismatches::Reject), Just(TypeMismatches::Null), Just(TypeMismatches::Variant), Just(TypeMismatches::Fail)],
    ) {
        let in_order = format!("{{{}}}", members.join(","));
        let other: Vec<_> = shuffled.iter().map(|place| members[*place].as_str()).collect();
        let other = format!("{{{}}}", other.join(","));
        let fates = [&in_order, &other].map(|record| match fate(fields, mismatches, record) {
            // Of several that fail the run, the first is named.
            Fate::Frozen { .. } | Fate::Failed => "fails the run",
            Fate::Refused => "is refused",
            Fate::Kept => "is kept",
        });
        prop_assert_eq!(fates[0], fates[1], "{} {}", in_order, other);
    }
}
