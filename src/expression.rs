//! Expressions about a record, in CEL (the Common Expression Language, <https://cel.dev>).
//!
//! CEL has no loops and no effects, so every expression ends. An expression sees the record as `record`; integers beyond 64 bits
//! and numbers with a fraction are doubles *within an expression*. What an expression does not touch is never converted.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cel::{Context, Env, Program};
use serde_json::Value;

/// An expression that was read.
#[derive(Clone)]
pub struct Expression {
    text: String,
    program: Arc<Program>,
    environment: Arc<Env>,
}

/// Why a string is not an expression, or an expression has no value for a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// The text breaks the grammar.
    #[error("is not an expression: {message} at line {line} column {column}")]
    Syntax {
        /// What is wrong.
        message: String,
        /// The line, from 1.
        line: isize,
        /// The column, from 1.
        column: isize,
    },
    /// A variable that does not exist.
    #[error("'{name}' is not known: an expression sees the record as 'record', as in record.{name}")]
    UnknownVariable {
        /// The variable.
        name: String,
    },
    /// The expression fails on this record.
    #[error("{0}")]
    Failed(String),
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it breaks the grammar, or names a variable other than `record`.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let mut environment = Env::stdlib();
        environment
            .add_extension(cel::extensions::strings)
            .map_err(|error| ExpressionError::Failed(error.to_string()))?;
        let environment = Arc::new(environment);
        let program = environment.compile(text).map_err(|errors| {
            let first = errors.errors.first();
            ExpressionError::Syntax {
                message: first.map_or_else(|| "nothing is there".to_owned(), |error| error.msg.clone()),
                line: first.map_or(1, |error| error.pos.0),
                column: first.map_or(1, |error| error.pos.1),
            }
        })?;
        if let Some(name) =
            program.references().variables().into_iter().find(|name| *name != "record" && !is_bound(text, name))
        {
            return Err(ExpressionError::UnknownVariable { name: name.to_owned() });
        }
        Ok(Self { text: text.to_owned(), program: Arc::new(program), environment })
    }

    /// The value for a record.
    ///
    /// # Errors
    /// When a field is missing, or values do not go together.
    pub fn evaluate(&self, record: &Value) -> Result<Value, ExpressionError> {
        let failed = |what: String| ExpressionError::Failed(format!("{}: {what}", self.text));
        let mut context = Context::with_env(Arc::clone(&self.environment));
        context.add_variable_from_value("record", seen(record));
        let value = self.program.execute(&context).map_err(|error| failed(error.to_string()))?;
        value.json().map_err(|error| failed(error.to_string()))
    }
}

/// Whether a macro over a list binds the variable, as in `record.tags.exists(tag, tag == 'a')`. Names of the language's own start with
/// `@` or `_`.
fn is_bound(text: &str, name: &str) -> bool {
    let plain: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    let macros = ["all", "exists", "exists_one", "existsOne", "filter", "map"];
    name.starts_with(['@', '_']) || macros.iter().any(|function| plain.contains(&format!(".{function}({name},")))
}

/// A record as an expression sees it: integers are CEL's `int`, so that they go together with those of the expression.
fn seen(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => cel::Value::Int(whole),
            (None, Some(whole)) => cel::Value::UInt(whole),
            (None, None) => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        Value::Array(elements) => cel::Value::List(Arc::new(elements.iter().map(seen).collect())),
        Value::Object(members) => {
            let members: HashMap<String, cel::Value> =
                members.iter().map(|(key, value)| (key.clone(), seen(value))).collect();
            cel::Value::Map(members.into())
        }
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_see_the_record() {
        let record =
            json!({"status": "confirmed", "n": 9_007_199_254_740_993_i64, "who": {"name": "Ann"}, "tags": ["a", "b"]});
        for (text, expected) in [
            ("record.status == 'confirmed'", json!(true)),
            ("record.n + 1", json!(9_007_199_254_740_994_i64)),
            ("record.who.name.lowerAscii()", json!("ann")),
            ("has(record.gone) ? record.gone : 'none'", json!("none")),
            ("'b' in record.tags", json!(true)),
            ("record.tags.map(tag, tag + '!')", json!(["a!", "b!"])),
            ("{'a': record.status}", json!({"a": "confirmed"})),
            ("record.status.matches('^conf')", json!(true)),
        ] {
            assert_eq!(Expression::parse(text).and_then(|parsed| parsed.evaluate(&record)), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(matches!(Expression::parse("record.a =="), Err(ExpressionError::Syntax { .. })));
        let unknown = Expression::parse("status == 'x'").unwrap_err().to_string();
        assert_eq!(unknown, "'status' is not known: an expression sees the record as 'record', as in record.status");
        let missing = Expression::parse("record.gone > 1").unwrap().evaluate(&json!({})).unwrap_err();
        assert!(missing.to_string().starts_with("record.gone > 1: "), "{missing}");
    }

    proptest! {
        #[test]
        fn foreign_text_never_panics(text in "[a-z0-9.()\\[\\]{}'\"+*<>=!&|?: -]{0,40}") {
            if let Ok(expression) = Expression::parse(&text) {
                drop(expression.evaluate(&json!({"a": 1})));
            }
        }
    }
}
