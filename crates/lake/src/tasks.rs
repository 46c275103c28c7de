//! Work that is done at the same time, or that takes long.

use std::future::Future;

use tokio::task::JoinSet;

use lakefeed_model::error::{Error, Result};

/// Files that are worked on at the same time, at most.
const FILES_IN_FLIGHT_MAX: usize = 4;

pub(crate) fn files_in_flight() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(FILES_IN_FLIGHT_MAX)
}

/// Runs work as a task of its own, which starts when it is first polled, and ends when nobody waits
/// for it any more.
pub(crate) async fn spawn<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let mut task = JoinSet::new();
    task.spawn(work);
    match task.join_next().await {
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) => Err(Error::defect("a part of the work ended unexpectedly").with_source(error)),
        None => Err(Error::defect("a part of the work was lost")),
    }
}

/// Runs work that keeps a processor busy for long where it does not hold up the other tasks of the
/// runtime. Work of a few milliseconds is better done in place: to hand a worker over costs more
/// than it spares, and threads that come and go spread what they hold over as many arenas of the
/// allocator.
pub(crate) fn compute<R>(work: impl FnOnce() -> R) -> R {
    let multi_threaded = tokio::runtime::Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread);
    if multi_threaded { tokio::task::block_in_place(work) } else { work() }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::{self, error::TryRecvError};

    use super::*;

    /// A run that was dropped must not go on writing.
    #[tokio::test]
    async fn a_task_ends_with_the_one_who_waits() {
        let (held, mut gone) = oneshot::channel::<()>();
        let mut work = Box::pin(spawn(async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok(())
        }));
        assert!(futures::poll!(work.as_mut()).is_pending());
        tokio::task::yield_now().await;
        drop(work);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gone.try_recv(), Err(TryRecvError::Closed), "the work goes on");
    }
}
