//! A record in which a value that does not fit stands under another name: that of the column for
//! values of its kind.

use arrow::datatypes::{DataType, Fields};

use crate::decode::json::scanner::{Kind, Scanner};
use crate::decode::value::number::to_f64;
use crate::decode::value::refusal::Step;
use crate::decode::walk::null_out::{places_of, with_null_at};
use lakefeed_model::schema::{Variant, VariantKind, member_path};

/// The columns that values may be moved to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VariantRules<'d> {
    /// The columns of the records.
    pub(crate) fields: &'d Fields,
    /// The places whose values stay, whatever they are.
    pub(crate) fixed: &'d [String],
}

/// A value that can be moved.
#[derive(Debug)]
pub(crate) struct Moving<'s> {
    pub(crate) variant: Variant,
    /// Whether there is a column for it.
    pub(crate) has_column: bool,
    /// Where the value of its column is, from the value outwards.
    steps: &'s [Step],
}

impl<'s> Moving<'s> {
    /// Returns what is to be moved of the record `text`, in which the value at `steps` does not
    /// fit. It is the value of the innermost field around it: a list is moved as a whole, and so is
    /// a map. `None` for what must stay, and for keys that come twice.
    pub(crate) fn of(rules: VariantRules<'_>, text: &str, steps: &'s [Step]) -> Option<Self> {
        let (mut within, mut owner) = (Vec::new(), None);
        let mut level = rules.fields;
        let mut next = Some(level);
        let mut inner = None;
        for (depth, step) in steps.iter().rev().enumerate() {
            match (step, next, inner) {
                (Step::Key(name), Some(fields), _) => {
                    let (_, field) = fields.find(name)?;
                    within.extend(owner.replace((depth, name)).map(|(_, name)| String::clone(name)));
                    level = fields;
                    (next, inner) = parts(field.data_type());
                }
                (Step::Index(_), _, Some(element)) => (next, inner) = parts(element),
                // The keys of a map are data.
                (Step::Key(_) | Step::Index(_), _, _) => break,
            }
        }
        let (depth, column) = owner?;
        let place = within.iter().chain([column]).fold("$".to_owned(), |place, name| member_path(&place, name));
        if rules.fixed.contains(&place) {
            return None;
        }
        let steps = steps.get(steps.len().checked_sub(depth + 1)?..)?;
        let [value] = places_of(text, steps).try_into().ok()?;
        let variant = Variant { within, column: column.clone(), kind: kind_of(text.get(value)?)? };
        let has_column = level.find(&variant.name()).is_some();
        Some(Self { variant, has_column, steps })
    }

    /// Returns the record with null in place of the value.
    pub(crate) fn left_out_of(&self, text: &str) -> Option<String> {
        with_null_at(text, self.steps)
    }

    /// Returns the record with the value under the name of its variant. `None` where something else
    /// has that name already.
    pub(crate) fn moved_in(&self, text: &str) -> Option<String> {
        let [value] = places_of(text, self.steps).try_into().ok()?;
        let member = format!("{}:{},", serde_json::Value::from(self.variant.name()), text.get(value)?);
        let around = self.steps.get(1..)?;
        let mut own = vec![Step::Key(self.variant.name())];
        own.extend(around.iter().cloned());
        if !places_of(text, &own).is_empty() {
            return None;
        }
        let nulled = with_null_at(text, self.steps)?;
        let [object] = places_of(&nulled, around).try_into().ok()?;
        // Behind its brace. It has the value's key, so something follows.
        let (before, after) = nulled.split_at_checked(object.start + 1)?;
        Some(format!("{before}{member}{after}"))
    }
}

/// Returns what a step may lead into: the fields of an object, or the elements of a list.
fn parts(data_type: &DataType) -> (Option<&Fields>, Option<&DataType>) {
    match data_type {
        DataType::Struct(fields) => (Some(fields), None),
        DataType::List(element) => (None, Some(element.data_type())),
        _ => (None, None),
    }
}

fn kind_of(value: &str) -> Option<VariantKind> {
    let mut scanner = Scanner::new(value.as_bytes(), 1).ok()?;
    Some(match scanner.kind().ok()? {
        Kind::Null => return None,
        Kind::Boolean => VariantKind::Bool,
        Kind::Text => VariantKind::Text,
        Kind::Object | Kind::Array => VariantKind::Json,
        Kind::Number => {
            let number = scanner.number().ok()?;
            match number.is_integer {
                true if number.text.parse::<i64>().is_ok() => VariantKind::Bigint,
                false if to_f64(number).is_ok() => VariantKind::Double,
                // More digits than either has.
                true | false => VariantKind::Json,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lakefeed_model::schema::{Column, ColumnType, RecordSchema};

    #[test]
    fn a_value_goes_under_the_name_of_its_kind_and_nothing_else_changes() {
        let column =
            |name: &str, column_type: ColumnType| Column { name: name.to_owned(), column_type, nullable: true };
        let n = || column("n", ColumnType::Int64);
        let schema = RecordSchema::new(vec![
            n(),
            column("key", ColumnType::Int64),
            column("o", ColumnType::Struct(vec![n(), column("n__v_text", ColumnType::Utf8)])),
            column("l", ColumnType::List(Box::new(ColumnType::Int64))),
            column("lo", ColumnType::List(Box::new(ColumnType::Struct(vec![n()])))),
            column("m", ColumnType::Map(Box::new(ColumnType::Int64))),
        ])
        .unwrap()
        .to_arrow();
        let rules = VariantRules { fields: schema.fields(), fixed: &["$.key".to_owned()] };
        let key = |name: &str| Step::Key(name.to_owned());
        for (text, steps, expected) in [
            (r#"{ "n": "x" }"#, vec![key("n")], Some((r#"{"n__v_text":"x", "n": null }"#, false))),
            (r#"{"a":1,"n":true}"#, vec![key("n")], Some((r#"{"n__v_bool":true,"a":1,"n":null}"#, false))),
            (r#"{"n":{"a":[1]}}"#, vec![key("n")], Some((r#"{"n__v_json":{"a":[1]},"n":null}"#, false))),
            (r#"{"n":0.5}"#, vec![key("n")], Some((r#"{"n__v_double":0.5,"n":null}"#, false))),
            (r#"{"n":7}"#, vec![key("n")], Some((r#"{"n__v_bigint":7,"n":null}"#, false))),
            (r#"{"n":1e999}"#, vec![key("n")], Some((r#"{"n__v_json":1e999,"n":null}"#, false))),
            (
                r#"{"n":99999999999999999999}"#,
                vec![key("n")],
                Some((r#"{"n__v_json":99999999999999999999,"n":null}"#, false)),
            ),
            (r#"{"o":{"n":"x"}}"#, vec![key("n"), key("o")], Some((r#"{"o":{"n__v_text":"x","n":null}}"#, true))),
            (r#"{"l":[1,"x"]}"#, vec![Step::Index(1), key("l")], Some((r#"{"l__v_json":[1,"x"],"l":null}"#, false))),
            (
                r#"{"lo":[{"n":"x"}]}"#,
                vec![key("n"), Step::Index(0), key("lo")],
                Some((r#"{"lo":[{"n__v_text":"x","n":null}]}"#, false)),
            ),
            (r#"{"m":{"a":"x"}}"#, vec![key("a"), key("m")], Some((r#"{"m__v_json":{"a":"x"},"m":null}"#, false))),
            (r#"{"key":"x"}"#, vec![key("key")], None),
            (r#"{"n":"x","n":1}"#, vec![key("n")], None),
            (r#"{"n":"x","n__v_text":"y"}"#, vec![key("n")], None),
            (r#"{"other":"x"}"#, vec![key("other")], None),
            (r#""x""#, vec![], None),
        ] {
            let moving = Moving::of(rules, text, &steps);
            let moved = moving.and_then(|moving| Some((moving.moved_in(text)?, moving.has_column)));
            let moved = moved.as_ref().map(|(text, has_column)| (text.as_str(), *has_column));
            assert_eq!(moved, expected, "{text}");
        }
    }
}
