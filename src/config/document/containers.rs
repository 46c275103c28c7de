//! Kinds of values that hold others: lists, mappings with the user's keys, and what null takes
//! away.

use std::marker::PhantomData;

use serde_json::Value;

use super::kind::Kind;
use super::read::{At, Read};

/// A list; elements that are problems are left out.
pub(crate) struct List<R>(PhantomData<R>);

impl<R: Read> Read for List<R> {
    type Value = Vec<R::Value>;
    const KIND: Kind = Kind::List { of: &R::KIND, min: 0 };

    fn read(value: &Value, at: &At<'_>) -> Option<Self::Value> {
        elements::<R>(value, at, &Self::KIND)
    }

    fn write(values: &Self::Value) -> Value {
        values.iter().map(R::write).collect()
    }
}

/// A list that is not empty.
pub(crate) struct NonEmpty<R>(PhantomData<R>);

impl<R: Read> Read for NonEmpty<R> {
    type Value = Vec<R::Value>;
    const KIND: Kind = Kind::List { of: &R::KIND, min: 1 };

    fn read(value: &Value, at: &At<'_>) -> Option<Self::Value> {
        if value.as_array().is_some_and(Vec::is_empty) {
            at.add("is empty: name at least one");
        }
        elements::<R>(value, at, &Self::KIND)
    }
}

/// A value, or a list of them.
pub(crate) struct OneOrMore<R>(PhantomData<R>);

impl<R: Read> Read for OneOrMore<R> {
    type Value = Vec<R::Value>;
    const KIND: Kind = Kind::Either(&[R::KIND, Kind::List { of: &R::KIND, min: 0 }]);

    fn read(value: &Value, at: &At<'_>) -> Option<Self::Value> {
        match value {
            Value::Array(_) => elements::<R>(value, at, &Self::KIND),
            one => R::read(one, at).map(|read| vec![read]),
        }
    }

    fn write(values: &Self::Value) -> Value {
        values.iter().map(R::write).collect()
    }
}

fn elements<R: Read>(value: &Value, at: &At<'_>, kind: &Kind) -> Option<Vec<R::Value>> {
    let Value::Array(elements) = value else {
        at.expected(kind, value);
        return None;
    };
    Some(
        elements.iter().enumerate().filter_map(|(position, element)| R::read(element, &at.element(position))).collect(),
    )
}

/// A mapping whose keys are the user's; values that are problems are left out.
pub(crate) struct MapOf<R>(PhantomData<R>);

impl<R: Read> Read for MapOf<R> {
    type Value = Vec<(String, R::Value)>;
    const KIND: Kind = Kind::Map(&R::KIND);

    fn read(value: &Value, at: &At<'_>) -> Option<Self::Value> {
        let Value::Object(object) = value else {
            at.expected(&Self::KIND, value);
            return None;
        };
        Some(object.iter().filter_map(|(name, value)| Some((name.clone(), R::read(value, &at.key(name))?))).collect())
    }
}

/// What goes into a request under one name: a string, number or boolean as its text, a list of
/// them, or null for nothing.
pub(crate) struct Texts;

impl Read for Texts {
    type Value = Vec<String>;
    const KIND: Kind = Kind::Either(&[Kind::Scalar, Kind::List { of: &Kind::Scalar, min: 0 }]);

    fn read(value: &Value, at: &At<'_>) -> Option<Vec<String>> {
        let values = match value {
            Value::Array(elements) => elements.iter().collect(),
            one => vec![one],
        };
        Some(values.into_iter().filter_map(|value| scalar(value, at)).collect())
    }
}

/// Returns the text of a scalar; none for null.
pub(crate) fn scalar(value: &Value, at: &At<'_>) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(_) | Value::Object(_) => {
            at.expected(&Kind::Scalar, value);
            None
        }
    }
}

/// Names with what goes into a request under them: headers, form fields.
pub(crate) struct Pairs;

impl Read for Pairs {
    type Value = Vec<(String, String)>;
    const KIND: Kind = MapOf::<Texts>::KIND;

    fn read(value: &Value, at: &At<'_>) -> Option<Self::Value> {
        let named = MapOf::<Texts>::read(value, at)?;
        Some(
            named
                .into_iter()
                .flat_map(|(name, texts)| texts.into_iter().map(move |text| (name.clone(), text)))
                .collect(),
        )
    }
}

/// A mapping that null takes away, also where something else holds without it.
pub(crate) struct Nullable<R>(PhantomData<R>);

impl<R: Read> Read for Nullable<R> {
    type Value = Option<R::Value>;
    const KIND: Kind = R::KIND;
    const TAKES_NULL: bool = true;

    fn read(value: &Value, at: &At<'_>) -> Option<Self::Value> {
        if value.is_null() { Some(None) } else { R::read(value, at).map(Some) }
    }
}
