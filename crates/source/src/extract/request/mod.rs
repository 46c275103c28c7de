//! From an endpoint to the request of a slice, and from that to the request of a page. Pure.

pub(crate) mod page_request;
pub(crate) mod template;
