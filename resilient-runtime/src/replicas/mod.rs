//! What several replicas of a server share: rate limits, and the news of breakers that have opened.
//!
//! A [`SharedState`] keeps what replicas share. The crate `resilient-redis` has one in Redis; implement the trait for
//! another engine, and pass it to [`Resilience::shared`](crate::Resilience::shared).

mod handle;
#[cfg(feature = "rate-limit")]
mod reach;
mod shared;

pub(crate) use handle::{Part, Replicas};
#[cfg(feature = "rate-limit")]
pub(crate) use reach::Wait;
pub use shared::{Opening, OpeningId, PermitRequest, SharedError, SharedFuture, SharedState, Taken};
