//! The pages of a pass, and what is decided about each of their records before it is typed.

mod drift;
mod pages;
mod parents;
mod resume;
mod slices;
mod transform;

pub(crate) use drift::{Drift, is_by_position};
pub(crate) use pages::{Acceptance, Pages, SlicedPage, input, next_page};
pub(crate) use parents::ParentRows;
pub(crate) use resume::journal;
pub(crate) use slices::SliceSource;
pub(crate) use transform::RecordTransform;
