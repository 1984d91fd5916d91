//! The functions without any guard.

use crate::Error;

/// Is ready at the first poll.
///
/// # Errors
/// None.
#[expect(clippy::unused_async, reason = "tools are async")]
pub async fn ready(n: u64) -> Result<u64, Error> {
    std::hint::black_box(Ok(n))
}

/// Is ready at the second poll.
///
/// # Errors
/// None.
pub async fn pending(n: u64) -> Result<u64, Error> {
    tokio::task::yield_now().await;
    std::hint::black_box(Ok(n))
}

/// Returns an error.
///
/// # Errors
/// Always.
#[expect(clippy::unused_async, reason = "tools are async")]
pub async fn failing(_: u64) -> Result<u64, Error> {
    std::hint::black_box(Err(Error::Down))
}
