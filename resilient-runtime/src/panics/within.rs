//! The panic barrier around a store, with a limit of time.

use std::fmt::Display;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use super::catch_panic;

/// Waits at most `limit` for a store, which may hang or panic. An error is the text for the log.
pub(crate) async fn answer_within<T, E, F>(limit: Duration, ask: impl FnOnce() -> F) -> Result<T, String>
where
    E: Display,
    F: Future<Output = Result<T, E>> + Unpin,
{
    let panicked = || "the store panicked".to_owned();
    let mut answer = catch_panic(ask).ok_or_else(panicked)?;
    let polled = poll_fn(|cx| match catch_panic(|| Pin::new(&mut answer).poll(cx)) {
        // The text of an error is user code too.
        Some(answer) => answer.map_err(|error| catch_panic(|| error.to_string()).unwrap_or_else(panicked)),
        None => Poll::Ready(Err(panicked())),
    });
    let answered = timeout(limit, polled).await.unwrap_or_else(|_| Err("no answer in time".to_owned()));
    catch_panic(|| drop(answer));
    answered
}
