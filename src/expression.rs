//! Expressions about a record, in CEL (the Common Expression Language, <https://cel.dev>).
//!
//! CEL has no loops and no effects, so every expression ends. An expression sees the record as
//! `record`; integers beyond 64 bits and numbers with a fraction are doubles *within an
//! expression*. What an expression does not touch is never converted.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr};
use cel::{Context, Env, ExecutionError, IdedExpr, Program};
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
    /// A function that does not exist.
    #[error("the function '{name}' is not known; docs/expressions.md has those that are")]
    UnknownFunction {
        /// The function.
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
    /// When it breaks the grammar, or names a variable other than `record`, or a function that does
    /// not exist.
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
        check_names(program.expression(), &mut vec!["record"], &environment)?;
        Ok(Self { text: text.to_owned(), program: Arc::new(program), environment })
    }

    /// Returns the value for a record.
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

/// Looks up every variable and function of an expression; `bound` are the variables that it sees.
fn check_names<'e>(
    expression: &'e IdedExpr,
    bound: &mut Vec<&'e str>,
    environment: &Arc<Env>,
) -> Result<(), ExpressionError> {
    match &expression.expr {
        Expr::Unspecified | Expr::Literal(_) => Ok(()),
        Expr::Ident(name) => {
            // Types have names, too.
            if bound.contains(&name.as_str()) || is_known(name, environment) {
                return Ok(());
            }
            Err(ExpressionError::UnknownVariable { name: name.clone() })
        }
        Expr::Select(select) => check_names(&select.operand, bound, environment),
        Expr::Call(call) => {
            call.args.iter().try_for_each(|argument| check_names(argument, bound, environment))?;
            let name = &call.func_name;
            // Operators have no name that could be misspelt.
            let is_operator = !name.starts_with(|first: char| first.is_ascii_alphabetic());
            let called = match call.target.as_deref() {
                None => format!("{name}()"),
                // `optional.of(x)` is a function of that name.
                Some(IdedExpr { expr: Expr::Ident(space), .. })
                    if is_known(&format!("{space}.{name}()"), environment) =>
                {
                    return Ok(());
                }
                Some(target) => {
                    check_names(target, bound, environment)?;
                    format!("''.{name}()")
                }
            };
            if is_operator || is_known(&called, environment) {
                return Ok(());
            }
            Err(ExpressionError::UnknownFunction { name: name.clone() })
        }
        Expr::List(list) => list.elements.iter().try_for_each(|element| check_names(element, bound, environment)),
        Expr::Map(map) => check_entries(&map.entries, bound, environment),
        Expr::Struct(message) => check_entries(&message.entries, bound, environment),
        Expr::Comprehension(macro_call) => {
            check_names(&macro_call.iter_range, bound, environment)?;
            check_names(&macro_call.accu_init, bound, environment)?;
            let outside = bound.len();
            bound.extend([macro_call.iter_var.as_str(), macro_call.accu_var.as_str()]);
            bound.extend(macro_call.iter_var2.as_deref());
            let inside = [&macro_call.loop_cond, &macro_call.loop_step, &macro_call.result];
            let checked = inside.into_iter().try_for_each(|part| check_names(part, bound, environment));
            bound.truncate(outside);
            checked
        }
    }
}

fn check_entries<'e>(
    entries: &'e [IdedEntryExpr],
    bound: &mut Vec<&'e str>,
    environment: &Arc<Env>,
) -> Result<(), ExpressionError> {
    entries.iter().try_for_each(|entry| match &entry.expr {
        EntryExpr::StructField(field) => check_names(&field.value, bound, environment),
        EntryExpr::MapEntry(entry) => {
            check_names(&entry.key, bound, environment)?;
            check_names(&entry.value, bound, environment)
        }
    })
}

/// Returns whether the language has the names in `text`: evaluated without a record, it may fail,
/// but not for want of them.
fn is_known(text: &str, environment: &Arc<Env>) -> bool {
    let outcome = environment.compile(text).map(|program| program.execute(&Context::with_env(Arc::clone(environment))));
    outcome.is_ok_and(|value| !matches!(value, Err(ExecutionError::UndeclaredReference(_))))
}

/// Returns a record as an expression sees it: integers are CEL's `int`, so that they go together
/// with those of the expression.
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
            ("type(record.n) == int && size(record.tags) == 2 && record.tags.size() == 2", json!(true)),
            ("[1, 2].map(n, n > 1, n * 2).exists_one(m, m == 4)", json!(true)),
            ("optional.of(record.n).hasValue()", json!(true)),
            ("int(timestamp('2026-11-23T00:00:00Z').getFullYear())", json!(2026)),
        ] {
            assert_eq!(Expression::parse(text).and_then(|parsed| parsed.evaluate(&record)), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(matches!(Expression::parse("record.a =="), Err(ExpressionError::Syntax { .. })));
        let unknown = Expression::parse("status == 'x'").unwrap_err().to_string();
        assert_eq!(unknown, "'status' is not known: an expression sees the record as 'record', as in record.status");
        for (text, name) in [
            ("lowerascii(record.a)", "lowerascii"),
            ("record.a.lowerascii()", "lowerascii"),
            ("lowerAscii(record.a)", "lowerAscii"),
            ("{'a': [record.b.startWith('x')]}", "startWith"),
            ("record.list.all(n, n.nope())", "nope"),
        ] {
            let found = Expression::parse(text).unwrap_err();
            let is_named = matches!(&found, ExpressionError::UnknownFunction { name: found } if found == name);
            assert!(is_named, "{text}: {found:?}");
        }
        for text in ["record.list.all(n, n > 1) && n > 1", "record.list.all(n, m)", "int(1) == 1 || kind"] {
            let found = Expression::parse(text).unwrap_err();
            assert!(matches!(found, ExpressionError::UnknownVariable { .. }), "{text}: {found}");
        }
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
