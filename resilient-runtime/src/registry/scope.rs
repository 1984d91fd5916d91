//! Futures that run with a separate registry.

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

/// Whether a function may have another binding than its first one: a registry was entered, or settings have changed.
/// Until then, a call reads only this.
static BINDINGS_VARY: AtomicBool = AtomicBool::new(false);

impl Registry {
    /// Runs a future with this registry instead of the global one: its guarded functions share nothing with others.
    /// Tasks that the future spawns are not included, unless they are scoped as well or carry the call's context.
    pub fn scope<F: Future>(self: Arc<Self>, future: F) -> ScopedRegistry<F> {
        Self::vary_bindings();
        ScopedRegistry { registry: Some(self), future }
    }

    /// Runs a closure with this registry. Everything that runs on this thread meanwhile uses it, including tasks that
    /// the closure spawns.
    #[cfg(feature = "testing")]
    pub(crate) fn on_this_thread<T>(self: Arc<Self>, run: impl FnOnce() -> T) -> T {
        Self::vary_bindings();
        let mut slot = Some(self);
        let _entered = enter(&mut slot);
        run()
    }

    /// Makes each call look its binding up.
    pub(super) fn vary_bindings() {
        BINDINGS_VARY.store(true, Ordering::Relaxed);
    }

    /// Returns whether a function may have another binding than its first one. If not, no registry is scoped.
    pub(crate) fn bindings_vary() -> bool {
        BINDINGS_VARY.load(Ordering::Relaxed)
    }

    /// Returns the registry that the running future is scoped to, if any.
    pub(crate) fn scoped() -> Option<Arc<Self>> {
        if !Self::bindings_vary() {
            return None;
        }
        SCOPED.try_with(|scoped| scoped.borrow().clone()).ok().flatten()
    }

    /// Calls `read` with the registry that the running future is scoped to, or else with that of the process.
    pub(crate) fn here<T>(read: impl FnOnce(&Self) -> T) -> T {
        match Self::scoped() {
            Some(own) => read(&own),
            None => read(Self::global()),
        }
    }
}

pin_project! {
    /// A future that runs with a separate registry. See [`Registry::scope`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use std::sync::Arc;
    /// use resilient_runtime::{Registry, ResilienceError, resilient};
    ///
    /// #[resilient(name = "scoped")]
    /// async fn read() -> Result<u32, ResilienceError> {
    ///     Ok(1)
    /// }
    ///
    /// let registry = Arc::new(Registry::new());
    /// registry.clone().scope(read()).await.unwrap();
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

/// Makes `slot` the current registry of this thread until the guard is dropped.
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
    // The thread-local is gone while a thread is torn down, and no guarded functions run then.
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
