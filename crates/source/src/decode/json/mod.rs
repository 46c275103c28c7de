//! The grammar of RFC 8259 over the bytes of a page. Knows no type of a column.

pub(crate) mod keys;
pub(crate) mod members;
pub(crate) mod scanner;
pub(crate) mod text;
