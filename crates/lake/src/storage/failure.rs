//! What a failure means: the store is away, the table is damaged, or lakefeed has a defect.

use std::error::Error as StdError;
use std::io;

use lakefeed_model::error::Error;

/// Names a failed operation on storage and says what to do about it. A failure that no store had a
/// part in is a defect.
pub(crate) fn failed(action: &str, place: &str, cause: impl Into<Box<dyn StdError + Send + Sync + 'static>>) -> Error {
    let cause = cause.into();
    let message = format!("cannot {action} {place}");
    let is_of_a_store =
        store_error(cause.as_ref()).is_some() || chain(cause.as_ref()).any(<dyn StdError>::is::<io::Error>);
    if !is_of_a_store {
        return Error::defect(message).with_source(cause);
    }
    let advice = advice_for(cause.as_ref());
    let error = Error::storage(message).with_source(cause);
    match advice {
        Some(Advice::Mend(hint)) => error.with_retryable(false).with_hint(hint),
        Some(Advice::TryAgain(hint)) => error.with_hint(hint),
        None => error,
    }
}

/// Names a failed reading of what was committed. What the store does not give now, it may give
/// later; what is gone, or is not what was written, is damage.
pub(crate) fn unreadable(
    action: &str,
    place: &str,
    cause: impl Into<Box<dyn StdError + Send + Sync + 'static>>,
) -> Error {
    let cause = cause.into();
    match store_error(cause.as_ref()) {
        Some(error) if !matches!(error, object_store::Error::NotFound { .. }) => failed(action, place, cause),
        Some(_) | None => Error::damaged(format!("cannot {action} {place}"))
            .with_source(cause)
            .with_hint("restore the file, or build the table anew: lakefeed run PIPELINE --full-refresh"),
    }
}

/// What to do about a store that fails.
#[derive(Debug, Clone, Copy)]
enum Advice {
    /// Something, before trying again can help.
    Mend(&'static str),
    TryAgain(&'static str),
}

/// Returns an error and its causes.
fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// Returns what the store itself said, however deep it is.
fn store_error<'e>(cause: &'e (dyn StdError + 'static)) -> Option<&'e object_store::Error> {
    chain(cause).find_map(|error| error.downcast_ref::<object_store::Error>())
}

fn advice_for(cause: &(dyn StdError + 'static)) -> Option<Advice> {
    if let Some(advice) = chain(cause).find_map(advice_on) {
        return Some(advice);
    }
    let text = cause.to_string();
    if text.contains("NoSuchBucket") {
        return Some(Advice::Mend("create the bucket first, or mend its name in the destination's URL"));
    }
    if text.contains("error sending request") || text.contains("connect") {
        return Some(Advice::TryAgain("the store cannot be reached: check the endpoint and the network"));
    }
    None
}

fn advice_on(error: &(dyn StdError + 'static)) -> Option<Advice> {
    const NO_SPACE_LEFT: i32 = 28;
    if let Some(error) = error.downcast_ref::<io::Error>() {
        if error.kind() == io::ErrorKind::StorageFull || error.raw_os_error() == Some(NO_SPACE_LEFT) {
            return Some(Advice::TryAgain(
                "the disk is full: free some space and run again; the table is as its last commit left it",
            ));
        }
        if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) {
            return Some(Advice::Mend(
                "the destination is not writable for this user: mend its permissions or choose another",
            ));
        }
    }
    match error.downcast_ref::<object_store::Error>()? {
        object_store::Error::PermissionDenied { .. } => Some(Advice::Mend(
            "the credentials lack a right: reading, writing, listing and deleting below the destination",
        )),
        object_store::Error::Unauthenticated { .. } => {
            Some(Advice::Mend("the store refused the credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"))
        }
        object_store::Error::NotFound { .. } => {
            Some(Advice::Mend("the bucket or folder is not there: create it first, or mend the destination's URL"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use lakefeed_model::error::ErrorKind;

    use super::*;

    fn of_store(source: io::Error) -> object_store::Error {
        object_store::Error::Generic { store: "disk", source: source.into() }
    }

    #[test]
    fn a_full_disk_is_named_however_deep_the_cause_is() {
        let error = failed("write", "lake/events/x", of_store(io::Error::from_raw_os_error(28)));
        assert_eq!(error.to_string(), "cannot write lake/events/x");
        assert!(error.hints()[0].contains("disk is full"), "{error:?}");
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Storage, true));
    }

    #[test]
    fn a_refused_write_speaks_of_permissions_and_another_try_does_not_help() {
        let error = failed("write", "x", of_store(io::ErrorKind::PermissionDenied.into()));
        assert!(error.hints()[0].contains("not writable"), "{error:?}");
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Storage, false));
    }

    #[test]
    fn a_failure_without_a_store_is_a_defect_of_a_writer_and_damage_to_a_reader() {
        let cause = || parquet::errors::ParquetError::General("no such thing".to_owned());
        assert_eq!(failed("encode", "x", cause()).kind(), ErrorKind::Defect);
        assert_eq!(unreadable("read", "x", cause()).kind(), ErrorKind::Damaged);
        let away = parquet::errors::ParquetError::External(Box::new(of_store(io::ErrorKind::TimedOut.into())));
        assert_eq!(unreadable("read", "x", away).kind(), ErrorKind::Storage);
        let gone = object_store::Error::NotFound { path: "x".to_owned(), source: "404".into() };
        assert_eq!(
            unreadable("read", "x", parquet::errors::ParquetError::External(Box::new(gone))).kind(),
            ErrorKind::Damaged
        );
    }

    /// The kind for a writer, whether another try helps, the kind for who reads what was committed,
    /// and a word of the hint.
    #[test]
    fn each_answer_of_a_store_says_what_the_operator_must_do() {
        use ErrorKind::{Damaged, Storage};
        use object_store::Error as Answer;
        fn generic(text: &str) -> Answer {
            Answer::Generic { store: "S3", source: text.into() }
        }
        type Case = (fn(String) -> Answer, bool, ErrorKind, &'static str);
        let cases: [Case; 11] = [
            (|_| generic("500 Internal Server Error"), true, Storage, ""),
            (|_| generic("error sending request for url"), true, Storage, "cannot be reached"),
            (|_| generic("404: NoSuchBucket"), false, Storage, "create the bucket"),
            (|_| of_store(io::Error::from_raw_os_error(28)), true, Storage, "disk is full"),
            (|_| of_store(io::ErrorKind::ReadOnlyFilesystem.into()), false, Storage, "not writable"),
            (|_| of_store(io::ErrorKind::TimedOut.into()), true, Storage, ""),
            (|path| Answer::NotFound { path, source: "404".into() }, false, Damaged, "not there"),
            (|path| Answer::PermissionDenied { path, source: "403".into() }, false, Storage, "lack a right"),
            (|path| Answer::Unauthenticated { path, source: "401".into() }, false, Storage, "refused the credentials"),
            (|path| Answer::Precondition { path, source: "412".into() }, true, Storage, ""),
            (|path| Answer::AlreadyExists { path, source: "409".into() }, true, Storage, ""),
        ];
        for (answer, helps, of_reader, hint) in cases {
            let answer = || answer("lake/events/x".to_owned());
            let told = answer().to_string();
            let error = failed("write", "x", answer());
            assert_eq!((error.kind(), error.is_retryable()), (Storage, helps), "{told}");
            assert_eq!(error.hints().len(), usize::from(!hint.is_empty()), "{told}: {error:?}");
            assert!(error.hints().iter().all(|given| given.contains(hint)), "{told}: {error:?}");
            assert!(error.causes().iter().any(|cause| told.contains(cause.as_str())), "{told}: {error:?}");
            assert_eq!(unreadable("read", "x", answer()).kind(), of_reader, "{told}");
        }
    }
}
