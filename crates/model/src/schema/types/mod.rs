//! What columns are: types, their strings, and how two become one. Reads no file.

pub(crate) mod identify;
pub(crate) mod nesting;
pub(crate) mod note;
pub(crate) mod path;
pub(crate) mod record;
pub(crate) mod type_text;
pub(crate) mod variant;
pub(crate) mod widen;
