//! An observer for tests.

use std::sync::{Mutex, PoisonError};

use lakefeed_model::event::{Observer, RunEvent};

/// An observer that keeps what it hears.
#[derive(Debug, Default)]
pub struct Heard(Mutex<Vec<RunEvent>>);

impl Heard {
    /// Returns the events so far, in order, and forgets them.
    pub fn take(&self) -> Vec<RunEvent> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Heard {
    fn observe(&self, event: &RunEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
    }
}
