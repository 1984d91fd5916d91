//! Deferred writes: what a store of them implements.
//!
//! A write whose dependency is down can be stored, and delivered later. A [`DeferredStore`] keeps such writes: each is
//! an [`Entry`] with a [`Receipt`], which the caller gets. The crate `resilient-sqlite` has a store in an SQLite file;
//! implement the trait for another database.
//!
//! An entry waits until it is due. A worker claims it for one try, with a lease, and reports the end of the try with
//! the token of the claim. If the worker's process dies, the lease ends and another worker claims the entry: its older
//! token is void then. A write is therefore delivered at least once, and the key of the write, which is also an
//! argument of the tool, lets the upstream recognise a repeated delivery.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # #[cfg(feature = "testing")]
//! # {
//! use std::time::Duration;
//!
//! use resilient_runtime::deferred::{
//!     Claim, ClaimedTool, DeferredSettings, DeferredStore, NewEntry, Put, Receipt, Scope, Timestamp,
//! };
//! use resilient_runtime::testing::deferred::MemoryStore;
//!
//! let store = MemoryStore::default();
//! let now = Timestamp::from_millis(1_796_000_000_000);
//! let due = now.after(Duration::from_secs(30));
//! let write = NewEntry {
//!     receipt: Receipt::random()?,
//!     scope: Scope {
//!         server: "orders".into(),
//!         tool: "create_order".into(),
//!         principal: "user 4711".into(),
//!         key: "request 1".into(),
//!     },
//!     arguments: r#"{"article":7}"#.into(),
//!     correlation_id: "0af7651916cd43dd8448eb211c80319c".into(),
//!     policy: DeferredSettings::new(),
//!     due,
//!     now,
//! };
//! assert!(matches!(store.put(write.clone()).await?, Put::Accepted(_)));
//! // The same key again: the same entry.
//! assert!(matches!(store.put(write).await?, Put::Existing(found) if found.same_arguments));
//!
//! let tools = vec![ClaimedTool { name: "create_order".into(), lease: Duration::from_secs(20) }];
//! let claims = store.claim(&Claim { server: "orders".into(), tools, limit: 4, now: due }).await?;
//! let entry = &claims.entries[0];
//! // Here the worker calls the tool.
//! store.complete(entry.token(), Some(r#"{"id":1}"#.into()), due).await?;
//! assert_eq!(store.counts(None).await?.done, 1);
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! # What is stored
//!
//! The arguments and the principal of a write are stored in clear text, because the delivery needs them. They are
//! erased when the entry ends; only dead letters keep them, for [`DEAD_LETTERS_KEPT`]. Keys are stored as hashes under
//! a [`StoreSecret`]. Results of at most [`MOST_RESULT_BYTES`] are kept until the end of the write's time to live.

mod accepted;
mod bounds;
mod clock;
mod deferral;
mod delivery;
mod entry;
mod error;
mod last_counts;
mod receipt;
mod secret;
mod store;
mod time;
mod transitions;

pub(crate) use accepted::{Accepted, DeferredAnswer, Unanswered};
pub use bounds::Bounds;
pub(crate) use clock::StoreClock;
pub use clock::WallClock;
pub(crate) use deferral::{Deferral, is_used};
pub use delivery::DeliveryInfo;
pub(crate) use delivery::{Delivery, Tried};
pub use entry::{ClaimToken, Control, Entry, NewEntry, Scope, State, Summary};
pub use error::{StoreError, StoreErrorKind};
pub use receipt::{NotAReceipt, Receipt};
pub use secret::StoreSecret;
pub use store::{
    Cancellation, Claim, ClaimedTool, Claims, Counts, DeferredStore, Failure, Filter, Found, NextTry, Put, Retried,
    StoreFuture, Swept, Viewer,
};
pub use time::Timestamp;
pub use transitions::{DEAD_LETTERS_KEPT, MOST_RESULT_BYTES};

pub use resilient_policy::{DeferredSettings, OnExhausted};
