//! The processing steps of a resource: filters and maps.

use serde_json::Value;

use crate::decode::RawRecord;
use crate::expression::ExpressionError;
use crate::spec::ProcessingStep;

/// What a processing step makes of a record.
pub(super) enum Stepped {
    Stays,
    Becomes(String),
    Goes,
}

/// Applies a step. What a map does not set keeps its own text, byte for byte.
pub(super) fn apply(step: &ProcessingStep, record: RawRecord<'_>) -> Result<Stepped, ExpressionError> {
    let value: Value = match serde_json::from_str(&record.text()) {
        Ok(value @ Value::Object(_)) => value,
        // It will be refused for what it is.
        Ok(_) => return Ok(Stepped::Stays),
        Err(error) => return Err(ExpressionError::Failed(format!("an expression cannot see the record: {error}"))),
    };
    let set = match step {
        ProcessingStep::Filter(condition) => {
            return match condition.evaluate(&value)? {
                Value::Bool(true) => Ok(Stepped::Stays),
                Value::Bool(false) => Ok(Stepped::Goes),
                other => Err(ExpressionError::Failed(format!("a filter must be true or false, this one is {other}"))),
            };
        }
        ProcessingStep::Map(set) => set,
    };
    let mut members: Vec<String> = Vec::new();
    for (key, raw) in record.members() {
        if set.iter().all(|(name, _)| *name != key) {
            members.push(format!("{}:{raw}", Value::String(key)));
        }
    }
    for (name, expression) in set {
        members.push(format!("{}:{}", Value::String(name.clone()), expression.evaluate(&value)?));
    }
    Ok(Stepped::Becomes(format!("{{{}}}", members.join(","))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Expression;

    fn map(name: &str, text: &str) -> ProcessingStep {
        ProcessingStep::Map(vec![(name.to_owned(), Expression::parse(text).unwrap())])
    }

    #[test]
    fn a_map_sets_its_field_and_leaves_the_others_as_they_are_written() {
        let record = "{ \"n\":  12345678901234567890.10, \"a\\u0062\": 1e300, \"s\": \"x\", \"s\": \"y\" }";
        let Ok(Stepped::Becomes(text)) = apply(&map("s", "record.s + '!'"), RawRecord::new(record)) else {
            panic!("it stays")
        };
        assert_eq!(text, "{\"n\":12345678901234567890.10,\"ab\":1e300,\"s\":\"y!\"}");
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_map_does_not_touch_is_untouched(
            numbers in proptest::collection::vec("-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?", 1..6)
        ) {
            let members: Vec<String> =
                numbers.iter().enumerate().map(|(place, number)| format!("\"f{place}\":{number}")).collect();
            let record = format!("{{{}}}", members.join(","));
            let Ok(Stepped::Becomes(text)) = apply(&map("new", "1 + 1"), RawRecord::new(&record)) else {
                panic!("it stays")
            };
            proptest::prop_assert_eq!(text, format!("{{{},\"new\":2}}", members.join(",")));
        }
    }
}
