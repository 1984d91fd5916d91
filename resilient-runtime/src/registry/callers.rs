//! Tracks whether a process serves a single client or several.

use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "rmcp")]
use std::sync::{Arc, OnceLock};

#[cfg(feature = "rmcp")]
use rmcp::model::ClientConfig;

/// The clients that this process has seen.
#[derive(Default)]
pub(crate) struct Callers {
    /// Whether there is more than one principal, or one that is unknown.
    several: AtomicBool,
    /// The info that the first client sent on initialization. Kept alive, so that no later one can have its address.
    #[cfg(feature = "rmcp")]
    first: OnceLock<Arc<ClientConfig>>,
    #[cfg(feature = "rmcp")]
    others: AtomicBool,
    /// Returns the principal that a test has set.
    #[cfg(feature = "testing")]
    pretended: std::sync::Mutex<Option<crate::identity::Principal>>,
}

impl Callers {
    /// Returns whether there is more than one principal.
    pub(crate) fn are_several(&self) -> bool {
        self.several.load(Ordering::Relaxed)
    }

    /// Makes all requests come from this principal.
    #[cfg(feature = "testing")]
    pub(crate) fn pretend(&self, principal: Option<crate::identity::Principal>) {
        *self.pretended.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = principal;
    }

    /// Returns the principal that a test has set.
    #[cfg(all(feature = "testing", feature = "rmcp"))]
    pub(crate) fn pretended(&self) -> Option<crate::identity::Principal> {
        self.pretended.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Records that there is more than one principal, or one that is unknown.
    #[cfg(feature = "rmcp")]
    pub(crate) fn note_several(&self) {
        self.several.store(true, Ordering::Relaxed);
    }

    /// Returns whether this client is the only one so far. A second client is recognized by its own
    /// `ClientConfig`; from then on, no client counts as known.
    #[cfg(feature = "rmcp")]
    pub(crate) fn is_the_only_client(&self, greeting: Option<Arc<ClientConfig>>) -> bool {
        if let Some(greeting) = greeting
            && !Arc::ptr_eq(self.first.get_or_init(|| Arc::clone(&greeting)), &greeting)
            && !self.others.swap(true, Ordering::Relaxed)
        {
            self.note_several();
            tracing::warn!(
                event = "config.warning",
                "this process serves several clients without HTTP: `fallback = cached` needs a `Principal` in the \
                 request's extensions to tell them apart",
            );
        }
        !self.others.load(Ordering::Relaxed)
    }
}
