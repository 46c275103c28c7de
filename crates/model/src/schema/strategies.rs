//! Column types for property tests.

use proptest::prelude::*;

use crate::schema::types::record::{Column, ColumnType, IntegerType, OtherUnit, TimeUnit};

/// Returns integers of every width and sign.
pub fn integer() -> impl Strategy<Value = ColumnType> {
    use IntegerType::{Int8, Int16, Int32, UInt8, UInt16, UInt32, UInt64};
    let others = [Int8, Int16, Int32, UInt8, UInt16, UInt32, UInt64].map(ColumnType::Integer);
    prop_oneof![Just(ColumnType::Int64), proptest::sample::select(others.to_vec())]
}

/// Returns decimals of every length.
pub fn decimal() -> impl Strategy<Value = ColumnType> {
    (any::<bool>(), 1_u8..=76, 0_i8..=10).prop_map(|(wide, digits, scale)| {
        let precision = if wide { digits } else { digits.div_ceil(2) };
        let scale = scale.min(i8::try_from(precision).unwrap_or(i8::MAX));
        if wide { ColumnType::Decimal256 { precision, scale } } else { ColumnType::Decimal128 { precision, scale } }
    })
}

/// Returns dates, and dates and times in every unit, with and without a zone.
pub fn moment() -> impl Strategy<Value = ColumnType> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let units = proptest::sample::select(vec![Second, Millisecond, Microsecond, Nanosecond]);
    prop_oneof![
        1 => Just(ColumnType::Date32),
        4 => (units, any::<bool>()).prop_map(|(unit, utc)| ColumnType::timestamp(unit, utc)),
    ]
}

/// Returns texts.
pub fn text() -> impl Strategy<Value = ColumnType> {
    prop_oneof![Just(ColumnType::Utf8), Just(ColumnType::Dictionary)]
}

/// Returns every type without parts.
pub fn scalar() -> impl Strategy<Value = ColumnType> {
    use OtherUnit::{Millisecond, Nanosecond, Second};
    let others = vec![
        ColumnType::Boolean,
        ColumnType::Float64,
        ColumnType::Float32,
        ColumnType::Binary,
        ColumnType::Time64,
        ColumnType::Time(Second),
        ColumnType::Time(Millisecond),
        ColumnType::Time(Nanosecond),
        ColumnType::Duration(TimeUnit::Second),
        ColumnType::Duration(TimeUnit::Nanosecond),
        ColumnType::Json,
    ];
    prop_oneof![
        2 => integer(),
        2 => decimal(),
        2 => moment(),
        1 => text(),
        3 => proptest::sample::select(others),
    ]
}

/// Returns every type, those with parts made of those that `scalars` gives; names are of `names`, a
/// regular expression.
pub fn nested(
    scalars: impl Strategy<Value = ColumnType> + 'static,
    names: &'static str,
) -> impl Strategy<Value = ColumnType> {
    scalars.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            inner.clone().prop_map(|element| ColumnType::List(Box::new(element))),
            inner.clone().prop_map(|value| ColumnType::Map(Box::new(value))),
            proptest::collection::btree_map(names, inner, 1..4).prop_map(|members| {
                let column = |(name, column_type)| Column { name, column_type, nullable: true };
                ColumnType::Struct(members.into_iter().map(column).collect())
            }),
        ]
    })
}

/// Makes two types that may well widen to one.
pub fn related() -> impl Strategy<Value = (ColumnType, ColumnType)> {
    let number =
        || prop_oneof![3 => integer(), 2 => decimal(), 1 => Just(ColumnType::Float64), 1 => Just(ColumnType::Float32)];
    let pair = prop_oneof![
        3 => (number(), number()),
        3 => (moment(), moment()),
        1 => (text(), text()),
        1 => (prop_oneof![moment(), text(), Just(ColumnType::Time64)], text()),
        2 => (scalar(), scalar()),
    ];
    (pair, 0..6).prop_map(|((one, other), wrapping)| {
        let column = |name: &str, column_type| Column { name: name.to_owned(), column_type, nullable: true };
        match wrapping {
            0 => (ColumnType::List(Box::new(one)), ColumnType::List(Box::new(other))),
            1 => {
                let more = column("b", ColumnType::Boolean);
                (ColumnType::Struct(vec![column("a", one)]), ColumnType::Struct(vec![more, column("a", other)]))
            }
            2 => (ColumnType::Map(Box::new(one)), ColumnType::Map(Box::new(other))),
            _ => (one, other),
        }
    })
}
