//! How to decode.

/// How to decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// The deepest nesting of a page; a deeper one is an error. Never more than 1,024.
    pub depth_max: u32,
    /// What becomes of a field that the schema does not have.
    pub unknown_fields: UnknownFields,
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
}

/// What becomes of a value that does not fit its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfits {
    /// Its record is refused.
    Reject,
    /// It is null, where its column may be null; else its record is refused.
    Null,
    /// It goes to the column beside its own for values of its kind ([`Variant`](lakefeed_model::schema::Variant)). Where there is none, it is treated as a field that the schema
    /// does not have, and the page says that it wants one.
    Variant,
    /// The page fails.
    Fail,
}
