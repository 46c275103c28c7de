//! The operator's wish to stop, as a value that every loop can ask for and wait for.

use tokio::sync::watch;

/// Asks whether the operator wants to stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Interrupt {
    receiver: watch::Receiver<bool>,
}

/// Raises the wish to stop.
#[derive(Debug)]
pub struct InterruptSwitch {
    sender: watch::Sender<bool>,
}

impl Interrupt {
    /// Returns a switch and what it raises.
    pub fn pair() -> (InterruptSwitch, Self) {
        let (sender, receiver) = watch::channel(false);
        (InterruptSwitch { sender }, Self { receiver })
    }

    /// Returns a wish that nobody will ever have.
    pub fn never() -> Self {
        Self::pair().1
    }

    /// Returns whether the wish was raised.
    pub fn is_raised(&self) -> bool {
        *self.receiver.borrow()
    }

    /// Waits until the wish is raised; for ever if its switch is gone without raising it.
    pub async fn raised(&self) {
        let mut receiver = self.receiver.clone();
        if receiver.wait_for(|raised| *raised).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl InterruptSwitch {
    /// Raises the wish. Raising it twice is the same as once.
    pub fn raise(&self) {
        self.sender.send_replace(true);
    }
}
