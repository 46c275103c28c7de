//! Where lakefeed panicked, so that an error about it can be reported with its place.

use std::panic::PanicHookInfo;
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, ErrorKind};

/// The place of the last panic: file, line and column.
static LAST: Mutex<Option<String>> = Mutex::new(None);

/// From now on the place of a panic is remembered; it is shown as before, too.
pub(super) fn remember_places() {
    let show = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = info.location().map(ToString::to_string);
        show(info);
    }));
}

/// Says of a defect where it is, once there was a panic.
pub(super) fn with_place(error: Error) -> Error {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).take();
    match last.filter(|_| error.kind() == ErrorKind::Defect) {
        Some(place) => error.with_hint(format!("it panicked at {place}, in version {}", env!("CARGO_PKG_VERSION"))),
        None => error,
    }
}
