//! The function itself, guarded by nothing.

use crate::Error;

/// Has its answer at once.
///
/// # Errors
/// None.
#[expect(clippy::unused_async, reason = "as a tool is")]
pub async fn ready(n: u64) -> Result<u64, Error> {
    std::hint::black_box(Ok(n))
}

/// Has its answer at the second poll.
///
/// # Errors
/// None.
pub async fn pending(n: u64) -> Result<u64, Error> {
    tokio::task::yield_now().await;
    std::hint::black_box(Ok(n))
}

/// Fails.
///
/// # Errors
/// Always.
#[expect(clippy::unused_async, reason = "as a tool is")]
pub async fn failing(_: u64) -> Result<u64, Error> {
    std::hint::black_box(Err(Error::Down))
}
