//! What must hold of any bytes as a page: the decoder never panics, agrees with `serde_json` on
//! what is JSON, keeps nothing of a page that fails, and an inferred schema takes every record that
//! it came from. The fuzz target and `tests/it/fuzz.rs` share it.

use lakefeed_model::schema::SchemaFile;
use lakefeed_model::spec::JsonPath;
use lakefeed_source::decode::{
    DecodeError, DecodeOptions, InferOptions, Inferrer, MismatchPolicy, PageDecoder, PageInput, RowTarget,
};
use lakefeed_source::paginate::Questions;
use serde::de::IgnoredAny;

const DEPTH_MAX: u32 = 1_024;

/// Panics when something does not hold.
pub fn check(bytes: &[u8], file: &SchemaFile) {
    let total = Questions { lookups: vec![JsonPath::keys(["total"])], wants_hints: false };
    let rows = decode(bytes, RowTarget { rules: Some(&file.rules), ..RowTarget::from(&file.schema) }, &total);
    // What a field does about a value that does not fit changes no verdict about the page.
    assert_eq!(decode(bytes, RowTarget::from(&file.schema), &total).is_some(), rows.is_some());

    let mut inferrer = Inferrer::new(None, InferOptions::with_depth(DEPTH_MAX));
    if inferrer.observe(&PageInput::json(0, bytes), None).is_ok()
        && let Ok(Some(schema)) = inferrer.finish(&[])
    {
        assert!(decode(bytes, RowTarget::from(&schema), Questions::NONE).is_some());
    }
}

/// The rows of a page, and how many records were refused; none when it is no page.
fn decode(bytes: &[u8], target: RowTarget<'_>, questions: &Questions) -> Option<usize> {
    let mut decoder = PageDecoder::new(target, None, DecodeOptions::with_depth(DEPTH_MAX));
    let page = PageInput { questions, ..PageInput::json(0, bytes) };
    let decoded = match decoder.decode(&page, MismatchPolicy::LENIENT, None) {
        Ok(decoded) => {
            assert!(is_json(bytes));
            let taken = decoder.rows() + decoded.rejects.len();
            assert_eq!(u64::try_from(taken).unwrap(), decoded.meta.records);
            Some(decoder.rows())
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
            None
        }
    };
    let batch = decoder.flush().unwrap();
    assert_eq!(batch.num_rows(), decoded.unwrap_or(0));
    decoded
}

/// `serde_json` has no byte order mark, and does not look at the encoding of what it ignores.
fn is_json(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// A value for the paginator must be Unicode text, although JSON allows half of a surrogate pair.
fn lookup_is_no_text(error: &DecodeError) -> bool {
    matches!(error, DecodeError::Syntax { expected, .. } if expected.starts_with("Unicode text"))
}

/// A schema with every type, under names of one letter, and a rule for each of them.
pub fn everything() -> SchemaFile {
    let types = [
        "utf8",
        "int64",
        "float64",
        "decimal128(38, 9)",
        "timestamp[us, UTC]",
        "json",
        "bool",
        "date32",
        "time64[us]",
        "timestamp[us]",
        "int8",
        "uint64",
        "float32",
        "decimal256(76, 20)",
        "dictionary<utf8>",
        "binary",
        "timestamp[ns, UTC]",
        "timestamp[s]",
        "time32[ms]",
        "duration[us]",
        "list<list<bool>>",
        "map<utf8, int32>",
        "map<utf8, list<date32>>",
    ];
    let column = |(place, name): (usize, &&str)| {
        let rule = ["reject", "null"][place % 2];
        let kind = if place % 3 == 0 && name.contains('[') { ", \"type\": [\"integer\", \"string\"]" } else { "" };
        format!(
            "\"{}\": {{\"x-arrow\": \"{name}\", \"x-on-error\": \"{rule}\"{kind}}}",
            char::from(b'a' + u8::try_from(place).unwrap())
        )
    };
    let columns: Vec<String> = types.iter().enumerate().map(column).collect();
    let nested = format!("\"y\": {{\"properties\": {{{}}}}}", columns.join(", "));
    let list = "\"z\": {\"items\": {\"properties\": {\"a\": {\"type\": \"integer\", \"x-on-error\": \"null\"}}}}";
    SchemaFile::parse(&format!("{{\"properties\": {{{}, {nested}, {list}}}}}", columns.join(", "))).unwrap()
}
