//! Drives one listing: asks the paginator, sends through the client, holds the limits, and proves
//! the listing complete.
//!
//! Decoding is the caller's: it takes each [`Page`], and tells what it held with
//! [`Listing::accept`]. So a page that cannot be decoded never moves the paginator.

mod complete;
mod fetcher;
mod listing;
mod page;
mod prefetch;
mod request;
mod resume;

pub use listing::{Listing, ListingOutcome};
pub use page::{Origin, Page};
pub use request::template::{Bindings, ParentRow, plain_text, render};
pub use resume::response_cache::{Ending, Found, Journal, JournalStore};

#[cfg(test)]
mod every_record;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
