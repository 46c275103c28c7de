//! Which page comes next. Pure, serialisable state machines: no socket, no clock, no task.
//!
//! [`Paginator::next`] runs once per *accepted* page, so retries cannot move it. It ends with a
//! named [`StopReason`]. Its state is data: serialise it to stop, deserialise it and call
//! [`Paginator::first`] to go on.

mod auto;
mod follow;
mod links;
mod offset;
mod page_meta;
mod page_number;
mod paginator;
mod step;

pub use follow::Follow;
pub use links::link_target;
pub use offset::Offset;
pub use page_meta::{Content, HeaderLookup, Lookup, PageMeta, PagingHints, Questions, Scalar};
pub use page_number::PageNumber;
pub use paginator::Paginator;
pub use step::{PageRequest, PaginationError, Step, StopReason};
