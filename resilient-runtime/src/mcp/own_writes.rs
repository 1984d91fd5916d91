//! The deferred writes of the caller of a request, and of no other one.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use resilient_policy::ErrorKind;

use crate::classify::Classify;
use crate::context::CallContext;
use crate::deferred::{
    Cancellation, Deferral, Entry, Receipt, StoreError, StoreErrorKind, StoreFuture, Timestamp, Viewer,
};
use crate::error::ToolError;
use crate::registry::Registry;
use crate::statistics::DeferredResult;
use crate::telemetry;

/// How long a store may take to answer.
const LONGEST: Duration = Duration::from_secs(5);

/// The deferred writes that the caller of the current request may see.
pub(super) struct OwnWrites {
    deferral: Arc<Deferral>,
    /// `None` for a caller who is not the same one after a restart, and has none.
    viewer: Option<Viewer>,
}

impl OwnWrites {
    /// Returns those of the caller, if the server has a store. Call it within the context of the request.
    pub(super) fn of_caller() -> Option<Self> {
        let deferral = Registry::here(Registry::deferral)?;
        let context = CallContext::current();
        let owner = context.as_ref().and_then(CallContext::request).and_then(|request| request.owner());
        let viewer = owner.map(|principal| Viewer::Caller { server: deferral.server.clone(), principal });
        Some(Self { deferral, viewer })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.deferral.clock.now()
    }

    /// Returns the entry with this receipt.
    pub(super) async fn get(&self, receipt: &str) -> Result<Entry, NoWrite> {
        let (receipt, viewer) = self.find(receipt)?;
        within("get", self.deferral.store.get(receipt, viewer)).await?.ok_or(NoWrite::Unknown)
    }

    /// Cancels the entry with this receipt, and returns it as it is then.
    pub(super) async fn cancel(&self, receipt: &str) -> Result<(Cancellation, Entry), NoWrite> {
        let (receipt, viewer) = self.find(receipt)?;
        let mut before = within("get", self.deferral.store.get(receipt, viewer)).await?.ok_or(NoWrite::Unknown)?;
        let cancelled = within("cancel", self.deferral.store.cancel(receipt, viewer, self.now())).await?;
        let cancelled = cancelled.ok_or(NoWrite::Unknown)?;
        // What is done is not an error for the caller, even if the store fails now.
        let after = within("get", self.deferral.store.get(receipt, viewer)).await;
        let entry = match after.and_then(|entry| entry.ok_or(NoWrite::Unknown)) {
            Err(_) if before.cancel(self.now()) == cancelled => before,
            after => after?,
        };
        if cancelled == Cancellation::Cancelled {
            self.deferral.statistics.count(&entry.summary.tool, DeferredResult::Cancelled);
        }
        Ok((cancelled, entry))
    }

    fn find(&self, receipt: &str) -> Result<(Receipt, &Viewer), NoWrite> {
        let receipt = receipt.parse().map_err(|_| NoWrite::Unknown)?;
        Ok((receipt, self.viewer.as_ref().ok_or(NoWrite::Unknown)?))
    }
}

/// Waits for a store that may hang. Logs the first of several failures.
async fn within<T>(operation: &'static str, answer: StoreFuture<'_, T>) -> Result<T, NoWrite> {
    static HAS_FAILED: AtomicBool = AtomicBool::new(false);
    let late = |_| Err(StoreError::new(StoreErrorKind::Busy, "the store did not answer in time"));
    let answered = tokio::time::timeout(LONGEST, answer).await.unwrap_or_else(late);
    let had_failed = HAS_FAILED.swap(answered.is_err(), Ordering::Relaxed);
    answered.map_err(|error| {
        if !had_failed {
            telemetry::deferred::store_failed(operation, &error);
        }
        NoWrite::Store(error.kind())
    })
}

/// Why there is no entry to show.
#[derive(Debug)]
pub(super) enum NoWrite {
    /// The server has no store.
    NoStore,
    /// There is no entry with this receipt, or it belongs to another caller.
    Unknown,
    /// The store failed.
    Store(StoreErrorKind),
}

impl fmt::Display for NoWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStore => f.write_str("this server has no store of deferred writes"),
            Self::Unknown => f.write_str("none of your deferred writes has this receipt, or it ended long ago"),
            Self::Store(kind) => write!(f, "the store of deferred writes did not answer: {}", kind.as_str()),
        }
    }
}

impl Error for NoWrite {}

impl Classify for NoWrite {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoStore | Self::Unknown => ErrorKind::NotFound,
            Self::Store(_) => ErrorKind::Unavailable,
        }
    }
}

impl ToolError for NoWrite {
    fn code(&self) -> Cow<'static, str> {
        match self {
            Self::NoStore | Self::Unknown => "UNKNOWN_RECEIPT".into(),
            Self::Store(_) => "DEFERRED_STORE_UNAVAILABLE".into(),
        }
    }

    fn public_message(&self) -> Cow<'_, str> {
        self.to_string().into()
    }
}
