//! Any bytes as a page: the decoder never panics, agrees with `serde_json` on what is JSON, keeps nothing of a page that
//! fails, and an inferred schema takes every record that it came from.
//!
//! `cargo +nightly fuzz run decode_page`

#![no_main]

use lakefeed::decode::{DecodeError, DecodeOptions, Inferrer, PageDecoder, UnknownFields};
use lakefeed::schema::{Column, ColumnType, RecordSchema};
use lakefeed::spec::JsonPath;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

const OPTIONS: DecodeOptions = DecodeOptions { depth_max: 1_024, unknown_fields: UnknownFields::Ignore };

fuzz_target!(|bytes: &[u8]| {
    let mut decoder = PageDecoder::new(&schema(), None, vec![JsonPath::keys(["total"])], OPTIONS);
    match decoder.decode(0, bytes) {
        Ok(decoded) => {
            assert!(is_json(bytes));
            let taken = decoder.rows() + decoded.rejects.len();
            assert_eq!(u64::try_from(taken).unwrap(), decoded.meta.records);
        }
        Err(error) => {
            let about_content = matches!(
                error,
                DecodeError::SelectorMissing { .. }
                    | DecodeError::SelectorNotRecords { .. }
                    | DecodeError::TooDeep { .. }
            );
            assert!(about_content || !is_json(bytes) || lookup_is_no_text(&error), "{error}");
            assert_eq!(decoder.rows(), 0);
        }
    }
    decoder.flush().unwrap();

    let mut inferrer = Inferrer::new(None, Vec::new(), &[], OPTIONS.depth_max);
    if inferrer.observe(bytes).is_ok()
        && let Ok(Some(schema)) = inferrer.finish()
    {
        let mut decoder = PageDecoder::new(&schema, None, Vec::new(), OPTIONS);
        drop(decoder.decode(0, bytes).unwrap());
        decoder.flush().unwrap();
    }
});

/// `serde_json` has no byte order mark, and does not look at the encoding of what it ignores.
fn is_json(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// A value for the paginator must be Unicode text, although JSON allows half of a surrogate pair.
fn lookup_is_no_text(error: &DecodeError) -> bool {
    matches!(error, DecodeError::Syntax { expected, .. } if expected.starts_with("Unicode text"))
}

fn schema() -> RecordSchema {
    let column = |name: &str, column_type| Column { name: name.to_owned(), column_type, nullable: true };
    RecordSchema::new(vec![
        column("a", ColumnType::Utf8),
        column("b", ColumnType::Int64),
        column("c", ColumnType::Float64),
        column("d", ColumnType::Decimal128 { precision: 38, scale: 9 }),
        column("e", ColumnType::TimestampUtc),
        column("f", ColumnType::Json),
        column("g", ColumnType::Struct(vec![column("a", ColumnType::Date32), column("b", ColumnType::Time64)])),
        column("h", ColumnType::List(Box::new(ColumnType::List(Box::new(ColumnType::Boolean))))),
        column("i", ColumnType::TimestampNaive),
    ])
    .unwrap()
}
