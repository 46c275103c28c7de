//! One JSON value as the value of a type, exactly or not at all, and the reason when not. Knows no
//! column.

pub(crate) mod duration;
pub(crate) mod lenient;
pub(crate) mod number;
pub(crate) mod read;
pub(crate) mod refusal;
pub(crate) mod timestamp;
