//! Where lakefeed panicked, so that an error about it can be reported with its place.

use std::panic::PanicHookInfo;
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, ErrorKind};

/// The place of the last panic: file, line and column.
static LAST: Mutex<Option<String>> = Mutex::new(None);

/// Remembers the place of a panic from now on; it is shown as before, too.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_said_of_a_defect_once() {
        let panicked = || *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some("x.rs:7:1".to_owned());
        panicked();
        let hints = with_place(Error::defect("broken")).hints().join("; ");
        assert!(hints.contains("panicked at x.rs:7:1"), "{hints}");
        assert!(!with_place(Error::defect("another")).hints().join("; ").contains("panicked"), "it is said twice");
        panicked();
        assert!(with_place(Error::storage("away")).hints().is_empty());
        // It was no defect's, and is no later one's either.
        assert!(!with_place(Error::defect("later")).hints().join("; ").contains("panicked"));
    }
}
