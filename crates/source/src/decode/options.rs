//! What a decoder is told: values without behaviour.

use lakefeed_model::schema::{FieldRules, RecordSchema};

use crate::paginate::Questions;
use crate::spec::RecordFormat;

/// A page, and what is asked of it.
#[derive(Debug, Clone, Copy)]
pub struct PageInput<'p> {
    /// Its number within the listing, from 0; rejects name it.
    pub number: u64,
    /// Its body, decompressed.
    pub body: &'p [u8],
    /// How the body holds the records.
    pub format: RecordFormat,
    /// What the paginator wants to know of it.
    pub questions: &'p Questions,
    /// An object, as JSON text, whose members every record of the page has behind its own; empty
    /// for none.
    pub members: &'p str,
}

/// What records become: rows of these columns.
#[derive(Debug, Clone, Copy)]
pub struct RowTarget<'t> {
    /// The columns.
    pub schema: &'t RecordSchema,
    /// How single fields are read; `None` where no field has a rule.
    pub rules: Option<&'t FieldRules>,
    /// The paths of fields, such as `$.id`, whose values never move to columns of variants.
    pub fixed_fields: &'t [String],
    /// The columns that a deleting record must have; `None` where no record deletes. Where one may,
    /// batches are those of [`RecordSchema::to_arrow_with_deletes`].
    pub delete_key: Option<&'t [String]>,
}

/// How to decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// The deepest nesting of a page; a deeper one is an error. Never more than 1,024.
    pub depth_max: u32,
    /// What a list or an object that holds nothing says of a field that the schema lacks.
    pub empty_containers: EmptyContainers,
}

/// What a list or an object that holds nothing says of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyContainers {
    /// There is such a field; it is JSON where nothing else is known of it.
    AreValues,
    /// No more than null does.
    AreNull,
}

/// What becomes of what the schema does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MismatchPolicy {
    /// What becomes of a field that the schema does not have.
    pub unknown_fields: UnknownFields,
    /// What becomes of a value that does not fit its column.
    pub type_mismatches: TypeMismatches,
}

/// What becomes of a field that the schema does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownFields {
    /// It is left out.
    Ignore,
    /// Its record is refused, unless its value is null.
    Reject,
    /// The page fails, unless its value is null.
    Fail,
    /// The page is not taken, unless its value is null, and says what it lacks:
    /// [`Decoded::mismatches`](super::Decoded::mismatches).
    Collect,
}

/// What becomes of a value that does not fit its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeMismatches {
    /// Its record is refused.
    Reject,
    /// It is null, where its column may be null; else its record is refused.
    Null,
    /// It goes to the column beside its own for values of its kind
    /// ([`Variant`](lakefeed_model::schema::Variant)). Where there is none, it is treated as a
    /// field that the schema does not have, and the page says that it wants one.
    Variant,
    /// The page fails.
    Fail,
    /// The page is not taken, and says what does not fit:
    /// [`Decoded::mismatches`](super::Decoded::mismatches).
    Collect,
}

impl<'p> PageInput<'p> {
    /// Returns a page that is one JSON document, of which nothing but its records is wanted.
    pub fn json(number: u64, body: &'p [u8]) -> Self {
        Self { number, body, format: RecordFormat::Json, questions: Questions::NONE, members: "" }
    }
}

impl<'t> From<&'t RecordSchema> for RowTarget<'t> {
    fn from(schema: &'t RecordSchema) -> Self {
        Self { schema, rules: None, fixed_fields: &[], delete_key: None }
    }
}

impl DecodeOptions {
    /// Returns options for pages that are nested `depth_max` levels deep at most.
    pub const fn with_depth(depth_max: u32) -> Self {
        Self { depth_max, empty_containers: EmptyContainers::AreValues }
    }
}

impl MismatchPolicy {
    /// Leaves out what the schema does not have, and refuses records with values that do not fit.
    pub const LENIENT: Self = Self { unknown_fields: UnknownFields::Ignore, type_mismatches: TypeMismatches::Reject };
    /// Refuses records with anything that the schema does not take.
    pub const STRICT: Self = Self { unknown_fields: UnknownFields::Reject, type_mismatches: TypeMismatches::Reject };
}
