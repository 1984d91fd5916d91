//! For whom the tools of a process work: one client that nobody has to tell apart, or several.

use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "rmcp")]
use std::sync::{Arc, OnceLock};

#[cfg(feature = "rmcp")]
use rmcp::model::ClientConfig;

/// What is known of those who call.
#[derive(Default)]
pub(crate) struct Callers {
    /// Whether there is more than one principal, or some that nobody knows.
    several: AtomicBool,
    /// What the first client said of itself. Kept alive, so that no later one can have the same address.
    #[cfg(feature = "rmcp")]
    first: OnceLock<Arc<ClientConfig>>,
    #[cfg(feature = "rmcp")]
    others: AtomicBool,
    /// Who calls, if a test says so.
    #[cfg(feature = "testing")]
    pretended: std::sync::Mutex<Option<crate::identity::Principal>>,
}

impl Callers {
    /// Whether there is more than one principal.
    pub(crate) fn are_several(&self) -> bool {
        self.several.load(Ordering::Relaxed)
    }

    /// Lets all requests come from this principal.
    #[cfg(feature = "testing")]
    pub(crate) fn pretend(&self, principal: Option<crate::identity::Principal>) {
        *self.pretended.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = principal;
    }

    /// The principal that a test has set.
    #[cfg(all(feature = "testing", feature = "rmcp"))]
    pub(crate) fn pretended(&self) -> Option<crate::identity::Principal> {
        self.pretended.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Takes note that there is more than one principal, or some that nobody knows.
    #[cfg(feature = "rmcp")]
    pub(crate) fn note_several(&self) {
        self.several.store(true, Ordering::Relaxed);
    }

    /// Whether the client that greeted the server like this is the only one there has been. A second one is
    /// noticed by its greeting; from then on nobody is known.
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
