//! How two types of one column become one that loses nothing. Pure.
//!
//! | one | other | together |
//! | --- | --- | --- |
//! | integers | doubles | doubles, where every integer is one exactly (whoever converts values sees to that) |
//! | integers, decimals | decimals | the decimal with the digits of both, 38 at most; 76 where one of them is of 256 bits |
//! | dates | timestamps | timestamps, but for those in nanoseconds; a date is its midnight, in UTC where there is a zone |
//! | timestamps | timestamps | the finer unit, but for nanoseconds, and only both with a zone or both without |
//! | strings | dictionaries of strings | strings |
//! | objects | objects | the fields of both |
//! | lists | lists | lists of both elements |
//! | anything else | | a conflict |

use crate::schema::types::record::{Column, ColumnType, IntegerType};

/// What becomes of a column whose values no type holds without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflicts {
    /// The column stays; records with values of another type are refused.
    Reject,
    /// A column of dates or times becomes text when other strings come; other conflicts are
    /// refused.
    Text,
    /// The column becomes JSON text.
    Json,
    /// The column stays; values of another type go to a column beside it.
    Variant,
}

/// Returns the narrowest type that holds the values of both exactly; `None` for a conflict that
/// cannot be solved as `conflicts` says.
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
        (ColumnType::Decimal128 { .. } | ColumnType::Decimal256 { .. }, _)
        | (_, ColumnType::Decimal128 { .. } | ColumnType::Decimal256 { .. }) => decimals(one, other),
        (ColumnType::Date32, stamp) | (stamp, ColumnType::Date32) if stamp.as_timestamp().is_some() => {
            reaches_all_dates(stamp).then(|| stamp.clone())
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
        (ColumnType::Map(one), ColumnType::Map(other)) => {
            widen(one, other, conflicts).map(|value| ColumnType::Map(Box::new(value)))
        }
        _ => None,
    };
    lossless.or_else(|| match conflicts {
        Conflicts::Reject | Conflicts::Variant => None,
        Conflicts::Text => (is_text(one) && is_text(other)).then_some(ColumnType::Utf8),
        Conflicts::Json => Some(ColumnType::Json),
    })
}

/// Returns whether a column of type `wide` holds every value of the type that JSON values have by
/// themselves.
pub(crate) fn holds(wide: &ColumnType, values: &ColumnType) -> bool {
    match (wide, values) {
        (ColumnType::Json, _) => true,
        (ColumnType::Utf8, texts) if is_text(texts) => true,
        (ColumnType::List(wide), ColumnType::List(values)) => holds(wide, values),
        (ColumnType::Struct(wide), ColumnType::Struct(values)) => values.iter().all(|value| {
            let column = wide.iter().find(|column| column.name == value.name);
            column.is_some_and(|column| holds(&column.column_type, &value.column_type))
        }),
        (wide, values) => widen(wide, values, Conflicts::Reject).as_ref() == Some(wide),
    }
}

/// Returns the narrowest integers that hold both.
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

/// Returns whether integers have a sign, and their bits.
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

/// Returns whether it reaches all dates: nanoseconds end in 2262, so they are no wider than others.
fn reaches_all_dates(stamp: &ColumnType) -> bool {
    stamp.as_timestamp().is_some_and(|(unit, _)| unit.digits() <= 6)
}

/// Returns the one of two dates and times with the finer unit.
fn finer(one: &ColumnType, other: &ColumnType) -> Option<ColumnType> {
    let ((one_unit, one_utc), (other_unit, other_utc)) = (one.as_timestamp()?, other.as_timestamp()?);
    if one_utc != other_utc || !reaches_all_dates(one) || !reaches_all_dates(other) {
        return None;
    }
    Some(if one_unit.digits() < other_unit.digits() { other.clone() } else { one.clone() })
}

/// Returns the columns of both, those of `one` first; what only one of them has may be null. `None`
/// when two of one name are in conflict.
fn widen_columns(one: &[Column], other: &[Column], conflicts: Conflicts) -> Option<Vec<Column>> {
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

const DECIMAL128_DIGITS_MAX: u8 = 38;
const DECIMAL256_DIGITS_MAX: u8 = 76;

/// Returns the digits of a number with a fixed count of them, in all and after the point, and how
/// many the type could have.
fn digits(column_type: &ColumnType) -> Option<(u8, i8, u8)> {
    match column_type {
        ColumnType::Decimal128 { precision, scale } => Some((*precision, *scale, DECIMAL128_DIGITS_MAX)),
        ColumnType::Decimal256 { precision, scale } => Some((*precision, *scale, DECIMAL256_DIGITS_MAX)),
        whole => {
            let digits = match bits(whole)? {
                (_, 8) => 3,
                (_, 16) => 5,
                (_, 32) => 10,
                (true, _) => 19,
                (false, _) => UINT64_DIGITS,
            };
            Some((digits, 0, DECIMAL128_DIGITS_MAX))
        }
    }
}

/// Digits that a 64-bit number without a sign may have.
const UINT64_DIGITS: u8 = 20;

/// Returns the decimal with the digits of both. One of more than 38 digits only comes of one that
/// could have had so many.
fn decimals(one: &ColumnType, other: &ColumnType) -> Option<ColumnType> {
    let (one, other) = (digits(one)?, digits(other)?);
    let scale = one.1.max(other.1);
    let before_the_point = |(precision, scale, _): (u8, i8, u8)| i16::from(precision) - i16::from(scale);
    let precision = before_the_point(one).max(before_the_point(other)) + i16::from(scale);
    let most = one.2.max(other.2);
    let precision = u8::try_from(precision).ok().filter(|precision| *precision <= most)?;
    Some(if most == DECIMAL128_DIGITS_MAX {
        ColumnType::Decimal128 { precision, scale }
    } else {
        ColumnType::Decimal256 { precision, scale }
    })
}

/// Returns whether values are strings in JSON that say the same wherever they stand.
fn is_text(column_type: &ColumnType) -> bool {
    let is_plain = matches!(
        column_type,
        ColumnType::Utf8 | ColumnType::Dictionary | ColumnType::Date32 | ColumnType::Time64 | ColumnType::Time(_)
    );
    is_plain || column_type.as_timestamp().is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schema::strategies::{decimal, integer, moment, nested, related, scalar, text};
    use crate::schema::types::record::TimeUnit;

    #[test]
    fn types_widen_without_loss_or_not_at_all() {
        use ColumnType::{Boolean, Date32, Float64, Int64, Json, Time64, TimestampNaive, TimestampUtc, Utf8};
        let decimal = |precision, scale| ColumnType::Decimal128 { precision, scale };
        let small = ColumnType::Integer;
        for (one, other, reject, text, json) in [
            (Int64, Float64, Some(Float64), Some(Float64), Some(Float64)),
            (Int64, decimal(10, 2), Some(decimal(21, 2)), Some(decimal(21, 2)), Some(decimal(21, 2))),
            (decimal(38, 0), decimal(10, 2), None, None, Some(Json)),
            (decimal(10, 4), decimal(12, 2), Some(decimal(14, 4)), Some(decimal(14, 4)), Some(decimal(14, 4))),
            (Float64, decimal(10, 2), None, None, Some(Json)),
            (
                decimal(20, 0),
                small(IntegerType::UInt64),
                Some(decimal(20, 0)),
                Some(decimal(20, 0)),
                Some(decimal(20, 0)),
            ),
            (small(IntegerType::Int8), decimal(4, 2), Some(decimal(5, 2)), Some(decimal(5, 2)), Some(decimal(5, 2))),
            (Date32, ColumnType::timestamp(TimeUnit::Nanosecond, true), None, Some(Utf8), Some(Json)),
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

    const ALL: [Conflicts; 4] = [Conflicts::Reject, Conflicts::Text, Conflicts::Json, Conflicts::Variant];

    fn fits(wide: &ColumnType, narrow: &ColumnType, conflicts: Conflicts) -> bool {
        widen(wide, narrow, conflicts).as_ref() == Some(wide)
    }

    /// With the fields of objects in the order of their names.
    fn in_order(column_type: &ColumnType) -> ColumnType {
        match column_type {
            ColumnType::List(element) => ColumnType::List(Box::new(in_order(element))),
            ColumnType::Map(value) => ColumnType::Map(Box::new(in_order(value))),
            ColumnType::Struct(members) => {
                let ordered = |column: &Column| Column { column_type: in_order(&column.column_type), ..column.clone() };
                let mut members: Vec<Column> = members.iter().map(ordered).collect();
                members.sort_by(|one, other| one.name.cmp(&other.name));
                ColumnType::Struct(members)
            }
            other => other.clone(),
        }
    }

    fn any_pair() -> impl Strategy<Value = (ColumnType, ColumnType)> {
        prop_oneof![3 => related(), 1 => (nested(scalar(), "[ab]"), nested(scalar(), "[ab]"))]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn both_orders_agree_and_both_sides_fit((one, other) in any_pair()) {
            for conflicts in ALL {
                prop_assert_eq!(widen(&one, &one, conflicts), Some(one.clone()));
                let wide = widen(&one, &other, conflicts);
                let turned = widen(&other, &one, conflicts);
                prop_assert_eq!(wide.as_ref().map(in_order), turned.as_ref().map(in_order));
                let Some(wide) = wide else { continue };
                // What holds both needs no widening for either.
                prop_assert!(fits(&wide, &one, conflicts) && fits(&wide, &other, conflicts), "{wide:?} {conflicts:?}");
            }
        }

        /// Whichever two come first, what comes out holds all three, and is the same among the
        /// types of one kind.
        #[test]
        fn three_types_widen_in_any_order(
            (is_one_kind, one, other, third) in prop_oneof![
                (Just(true), integer(), integer(), integer()),
                (Just(true), decimal(), decimal(), decimal()),
                (Just(true), moment(), moment(), moment()),
                (Just(true), text(), text(), text()),
                (Just(false), scalar(), scalar(), scalar()),
                (Just(false), prop_oneof![integer(), decimal()], prop_oneof![integer(), decimal()], integer()),
            ],
        ) {
            for conflicts in ALL {
                let first = widen(&one, &other, conflicts).and_then(|wide| widen(&wide, &third, conflicts));
                let last = widen(&other, &third, conflicts).and_then(|wide| widen(&one, &wide, conflicts));
                for wide in [&first, &last].into_iter().flatten() {
                    for narrow in [&one, &other, &third] {
                        prop_assert!(fits(wide, narrow, conflicts), "{wide:?} {narrow:?} {conflicts:?}");
                    }
                }
                if is_one_kind && conflicts == Conflicts::Reject && first.is_some() && last.is_some() {
                    prop_assert_eq!(first, last);
                }
            }
        }
    }
}
