//! What a run that was stopped had fetched already.

pub(crate) mod response_cache;
