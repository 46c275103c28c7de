//! Panics as errors: a defect of lakefeed ends like any other failure, with a report and an exit
//! code.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use super::{Error, Result};

/// Does `work`; a panic in it becomes an [`ErrorKind::Defect`](super::ErrorKind::Defect). What
/// `work` holds is dropped then, as on any other way out of it, so locks are given back and nothing
/// half done is committed.
///
/// For lakefeed's own crates.
#[doc(hidden)]
pub async fn catch_panic<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        // After a panic the work is not polled again.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll,
            Err(payload) => Poll::Ready(Err(Error::defect(format!("lakefeed panicked: {}", words(&*payload))))),
        }
    })
    .await
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it did not say why".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::ErrorKind;
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_defect_and_anything_else_is_as_it_is() {
        assert_eq!(catch_panic(async { Ok(1) }).await.unwrap(), 1);
        let refused = catch_panic(async { Err::<(), _>(Error::refused("no")) }).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Refused);
        let panicked = catch_panic(async {
            tokio::task::yield_now().await;
            Ok(Vec::<u8>::new().first().copied().unwrap())
        });
        let error = panicked.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Defect);
        assert!(error.message().starts_with("lakefeed panicked: called `Option::unwrap()`"), "{error}");
        let odd = catch_panic::<()>(async { std::panic::panic_any(7) }).await.unwrap_err();
        assert_eq!(odd.message(), "lakefeed panicked: it did not say why");
    }
}
