//! A small calendar API on loopback, with OAuth2 and fault switches: for `lakefeed demo`, the
//! examples, the tests and the benches.
//!
//! It shares no code with the client side, so that neither can hide a fault of the other.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /oauth/token`, client credentials | a token that expires; 401 `invalid_client` for wrong ones |
//! | `GET /v1/events?offset=0&limit=100`, bearer token | `{"items": […], "total": N, "offset": …, "limit": …}`; 401 without a valid token; with `detail=full` each event has nested objects and lists; compressed with gzip on request |
//! | `GET /healthz` | `ok` |

mod faults;
mod server;
mod world;

pub use faults::{Fault, Faults};
pub use server::{DemoOptions, DemoServer};
pub use world::{Changes, Event, World};
