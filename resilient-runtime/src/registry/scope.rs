//! A future with a registry of its own.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Registry;

thread_local! {
    static SCOPED: RefCell<Option<Arc<Registry>>> = const { RefCell::new(None) };
}

/// Whether any registry was ever entered: a process without tests never looks further.
static ANY_SCOPED: AtomicBool = AtomicBool::new(false);

impl Registry {
    /// Runs a future whose guarded functions share what is in this registry and nothing else. A
    /// task that it spawns is outside, unless it is scoped as well or carries the call's context.
    pub fn scope<F: Future>(self: Arc<Self>, future: F) -> ScopedRegistry<F> {
        ANY_SCOPED.store(true, Ordering::Relaxed);
        ScopedRegistry { registry: Some(self), future }
    }

    /// Runs something of which all that happens on this thread shares what is in this registry, spawned tasks
    /// among it.
    #[cfg(feature = "testing")]
    pub(crate) fn on_this_thread<T>(self: Arc<Self>, run: impl FnOnce() -> T) -> T {
        ANY_SCOPED.store(true, Ordering::Relaxed);
        let mut slot = Some(self);
        let _entered = enter(&mut slot);
        run()
    }

    /// Whether looking for a registry of its own can find one.
    pub(crate) fn may_be_scoped() -> bool {
        ANY_SCOPED.load(Ordering::Relaxed)
    }

    /// The registry that the running future is scoped to, if it is.
    pub(crate) fn scoped() -> Option<Arc<Self>> {
        if !Self::may_be_scoped() {
            return None;
        }
        SCOPED.try_with(|scoped| scoped.borrow().clone()).ok().flatten()
    }

    /// Asks the registry of the running future: its own, else that of the process.
    pub(crate) fn here<T>(ask: impl FnOnce(&Self) -> T) -> T {
        match Self::scoped() {
            Some(own) => ask(&own),
            None => ask(Self::global()),
        }
    }
}

pin_project! {
    /// A future with a registry of its own. See [`Registry::scope`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use std::sync::Arc;
    /// use resilient_runtime::{Registry, ResilienceError, resilient};
    ///
    /// #[resilient(name = "scoped")]
    /// async fn ask() -> Result<u32, ResilienceError> {
    ///     Ok(1)
    /// }
    ///
    /// let registry = Arc::new(Registry::new());
    /// registry.clone().scope(ask()).await.unwrap();
    /// assert_eq!(registry.function("scoped").unwrap().calls(), 1);
    /// # }
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ScopedRegistry<F> {
        registry: Option<Arc<Registry>>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for ScopedRegistry<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = enter(this.registry);
        this.future.poll(cx)
    }
}

/// Makes `slot` the registry of what runs now until the guard is dropped.
pub(crate) fn enter(slot: &mut Option<Arc<Registry>>) -> Entered<'_> {
    swap(slot);
    Entered(slot)
}

pub(crate) struct Entered<'a>(&'a mut Option<Arc<Registry>>);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        swap(self.0);
    }
}

fn swap(slot: &mut Option<Arc<Registry>>) {
    // A thread that is being torn down runs no guarded functions.
    let _ = SCOPED.try_with(|scoped| std::mem::swap(&mut *scoped.borrow_mut(), slot));
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.lock();
        f.debug_struct("Registry")
            .field("tools", &inner.tools.keys())
            .field("breakers", &inner.breakers.values())
            .finish()
    }
}
