//! What a [`Transport`](crate::Transport) is given and returns, and the one over real sockets.

pub use lakefeed_source::client::{Purpose, ReqwestTransport, SendLimits, TransportError, TransportErrorKind};
pub use lakefeed_source::spec::Timeouts;
