//! How two types of one column become one that loses nothing. Pure.
//!
//! | one | other | together |
//! | --- | --- | --- |
//! | whole numbers | doubles | doubles, where every whole number is one exactly (whoever converts values sees to that) |
//! | whole numbers, decimals | decimals | the decimal with the digits of both, 38 at most |
//! | dates | timestamps | timestamps; a date is its midnight, in UTC where there is a zone |
//! | objects | objects | the fields of both |
//! | lists | lists | lists of both elements |
//! | anything else | | a conflict |

use super::{Column, ColumnType, IntegerType};

/// What becomes of a column whose values no type holds without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflicts {
    /// The column stays; records with values of another type are refused.
    Reject,
    /// A column of dates or times becomes text when other texts come; other conflicts are refused.
    Text,
    /// The column becomes JSON text.
    Json,
    /// The column stays; values of another type go to a column beside it.
    Variant,
}

/// The narrowest type that holds the values of both exactly; `None` for a conflict that cannot be solved as `conflicts` says.
pub fn widen(one: &ColumnType, other: &ColumnType, conflicts: Conflicts) -> Option<ColumnType> {
    if one == other {
        return Some(one.clone());
    }
    let lossless = match (one, other) {
        (ColumnType::Int64 | ColumnType::Integer(_), ColumnType::Int64 | ColumnType::Integer(_)) => {
            integers(one, other)
        }
        (ColumnType::Int64 | ColumnType::Integer(_) | ColumnType::Float32, ColumnType::Float64)
        | (ColumnType::Float64, ColumnType::Int64 | ColumnType::Integer(_) | ColumnType::Float32) => {
            Some(ColumnType::Float64)
        }
        (ColumnType::Int64, ColumnType::Decimal128 { precision, scale })
        | (ColumnType::Decimal128 { precision, scale }, ColumnType::Int64) => {
            decimal((INT64_DIGITS, 0), (*precision, *scale))
        }
        (
            ColumnType::Decimal128 { precision, scale },
            ColumnType::Decimal128 { precision: other_precision, scale: other_scale },
        ) => decimal((*precision, *scale), (*other_precision, *other_scale)),
        (ColumnType::Date32, stamp) | (stamp, ColumnType::Date32) if stamp.as_timestamp().is_some() => {
            Some(stamp.clone())
        }
        (one, other) if one.as_timestamp().is_some() && other.as_timestamp().is_some() => finer(one, other),
        (ColumnType::Dictionary, ColumnType::Utf8) | (ColumnType::Utf8, ColumnType::Dictionary) => {
            Some(ColumnType::Utf8)
        }
        (ColumnType::Struct(one), ColumnType::Struct(other)) => {
            widen_columns(one, other, conflicts).map(ColumnType::Struct)
        }
        (ColumnType::List(one), ColumnType::List(other)) => {
            widen(one, other, conflicts).map(|element| ColumnType::List(Box::new(element)))
        }
        _ => None,
    };
    lossless.or_else(|| match conflicts {
        Conflicts::Reject | Conflicts::Variant => None,
        Conflicts::Text => (is_text(one) && is_text(other)).then_some(ColumnType::Utf8),
        Conflicts::Json => Some(ColumnType::Json),
    })
}

/// The narrowest whole numbers that hold both.
fn integers(one: &ColumnType, other: &ColumnType) -> Option<ColumnType> {
    let ((one_signed, one_bits), (other_signed, other_bits)) = (bits(one)?, bits(other)?);
    let is_signed = one_signed || other_signed;
    // A number without a sign needs one bit more where there is one.
    let needed = |signed: bool, bits: u8| if is_signed && !signed { bits * 2 } else { bits };
    Some(match (is_signed, needed(one_signed, one_bits).max(needed(other_signed, other_bits))) {
        (true, 16) => ColumnType::Integer(IntegerType::Int16),
        (true, 32) => ColumnType::Integer(IntegerType::Int32),
        (true, 64) => ColumnType::Int64,
        (true, _) => ColumnType::Decimal128 { precision: UINT64_DIGITS, scale: 0 },
        (false, 16) => ColumnType::Integer(IntegerType::UInt16),
        (false, 32) => ColumnType::Integer(IntegerType::UInt32),
        (false, _) => ColumnType::Integer(IntegerType::UInt64),
    })
}

/// Whether whole numbers have a sign, and their bits.
fn bits(column_type: &ColumnType) -> Option<(bool, u8)> {
    match column_type {
        ColumnType::Int64 => Some((true, 64)),
        ColumnType::Integer(kind) => Some(match kind {
            IntegerType::Int8 => (true, 8),
            IntegerType::Int16 => (true, 16),
            IntegerType::Int32 => (true, 32),
            IntegerType::UInt8 => (false, 8),
            IntegerType::UInt16 => (false, 16),
            IntegerType::UInt32 => (false, 32),
            IntegerType::UInt64 => (false, 64),
        }),
        _ => None,
    }
}

/// The one of two dates and times with the finer unit; nanoseconds reach no further than 2262, so they are no wider than others.
fn finer(one: &ColumnType, other: &ColumnType) -> Option<ColumnType> {
    let ((one_unit, one_utc), (other_unit, other_utc)) = (one.as_timestamp()?, other.as_timestamp()?);
    if one_utc != other_utc || one_unit.digits().max(other_unit.digits()) > 6 {
        return None;
    }
    Some(if one_unit.digits() < other_unit.digits() { other.clone() } else { one.clone() })
}

/// The columns of both, those of `one` first; what only one of them has may be null. `None` when two of one name are in conflict.
pub fn widen_columns(one: &[Column], other: &[Column], conflicts: Conflicts) -> Option<Vec<Column>> {
    let find = |columns: &[Column], name: &str| columns.iter().find(|column| column.name == name).cloned();
    let mut columns = Vec::with_capacity(one.len());
    for column in one {
        columns.push(match find(other, &column.name) {
            None => Column { nullable: true, ..column.clone() },
            Some(new) => Column {
                column_type: widen(&column.column_type, &new.column_type, conflicts)?,
                nullable: column.nullable || new.nullable,
                ..column.clone()
            },
        });
    }
    for column in other {
        if find(one, &column.name).is_none() {
            columns.push(Column { nullable: true, ..column.clone() });
        }
    }
    Some(columns)
}

/// Digits of the greatest whole number of 64 bits.
/// Digits that a 64-bit number without a sign may have.
const UINT64_DIGITS: u8 = 20;
const INT64_DIGITS: u8 = 19;
const DECIMAL_DIGITS_MAX: u8 = 38;

fn decimal(one: (u8, i8), other: (u8, i8)) -> Option<ColumnType> {
    let scale = one.1.max(other.1);
    let before_the_point = |(precision, scale): (u8, i8)| i16::from(precision) - i16::from(scale);
    let precision = before_the_point(one).max(before_the_point(other)) + i16::from(scale);
    let precision = u8::try_from(precision).ok().filter(|precision| *precision <= DECIMAL_DIGITS_MAX)?;
    Some(ColumnType::Decimal128 { precision, scale })
}

/// Whether values come as JSON strings.
fn is_text(column_type: &ColumnType) -> bool {
    matches!(
        column_type,
        ColumnType::Utf8
            | ColumnType::TimestampUtc
            | ColumnType::TimestampNaive
            | ColumnType::Date32
            | ColumnType::Time64
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scalar() -> impl Strategy<Value = ColumnType> {
        prop_oneof![
            Just(ColumnType::Boolean),
            Just(ColumnType::Int64),
            Just(ColumnType::Float64),
            Just(ColumnType::Utf8),
            Just(ColumnType::TimestampUtc),
            Just(ColumnType::TimestampNaive),
            Just(ColumnType::Date32),
            Just(ColumnType::Time64),
            Just(ColumnType::Json),
            (1_u8..=38, 0_i8..=10)
                .prop_filter("a decimal", |(precision, scale)| scale.unsigned_abs() <= *precision)
                .prop_map(|(precision, scale)| ColumnType::Decimal128 { precision, scale }),
        ]
    }

    fn any_type() -> impl Strategy<Value = ColumnType> {
        scalar().prop_recursive(3, 12, 3, |inner| {
            let column = ("[ab]", inner.clone(), any::<bool>()).prop_map(|(name, column_type, nullable)| Column {
                name,
                column_type,
                nullable,
            });
            prop_oneof![
                inner.prop_map(|element| ColumnType::List(Box::new(element))),
                proptest::collection::vec(column, 1..3).prop_map(|mut columns| {
                    columns.dedup_by(|one, other| one.name == other.name);
                    ColumnType::Struct(columns)
                }),
            ]
        })
    }

    #[test]
    fn types_widen_without_loss_or_not_at_all() {
        use ColumnType::{Boolean, Date32, Float64, Int64, Json, Time64, TimestampNaive, TimestampUtc, Utf8};
        let decimal = |precision, scale| ColumnType::Decimal128 { precision, scale };
        for (one, other, reject, text, json) in [
            (Int64, Float64, Some(Float64), Some(Float64), Some(Float64)),
            (Int64, decimal(10, 2), Some(decimal(21, 2)), Some(decimal(21, 2)), Some(decimal(21, 2))),
            (decimal(38, 0), decimal(10, 2), None, None, Some(Json)),
            (decimal(10, 4), decimal(12, 2), Some(decimal(14, 4)), Some(decimal(14, 4)), Some(decimal(14, 4))),
            (Float64, decimal(10, 2), None, None, Some(Json)),
            (Date32, TimestampUtc, Some(TimestampUtc), Some(TimestampUtc), Some(TimestampUtc)),
            (Date32, TimestampNaive, Some(TimestampNaive), Some(TimestampNaive), Some(TimestampNaive)),
            (TimestampNaive, TimestampUtc, None, Some(Utf8), Some(Json)),
            (Time64, Utf8, None, Some(Utf8), Some(Json)),
            (Int64, Utf8, None, None, Some(Json)),
            (Boolean, Int64, None, None, Some(Json)),
            (Json, Utf8, None, None, Some(Json)),
            (ColumnType::List(Box::new(Int64)), Int64, None, None, Some(Json)),
        ] {
            for (conflicts, expected) in [(Conflicts::Reject, reject), (Conflicts::Text, text), (Conflicts::Json, json)]
            {
                assert_eq!(widen(&one, &other, conflicts), expected, "{one:?} {other:?} {conflicts:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn both_orders_agree_and_both_sides_fit(one in any_type(), other in any_type()) {
            for conflicts in [Conflicts::Reject, Conflicts::Text, Conflicts::Json] {
                let wide = widen(&one, &other, conflicts);
                prop_assert_eq!(wide.is_some(), widen(&other, &one, conflicts).is_some());
                let Some(wide) = wide else { continue };
                // What holds both needs no widening for either.
                prop_assert_eq!(widen(&wide, &one, conflicts), Some(wide.clone()));
                prop_assert_eq!(widen(&wide, &other, conflicts), Some(wide.clone()));
            }
        }
    }
}
