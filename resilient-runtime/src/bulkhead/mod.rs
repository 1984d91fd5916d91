//! Bulkheads limit the number of concurrent executions and bound the queue for the rest, so that one slow dependency
//! cannot take all resources of the process.
//!
//! The queue is first in, first out: a free permit goes to the call that has waited longest. Permits and places in the
//! queue are returned on drop: at the end, on a panic, and when a future is dropped.

mod keyed;
mod permit;
mod size;
#[cfg(all(test, feature = "config"))]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use resilient_policy::BulkheadSettings;
use tokio::sync::Semaphore;

pub(crate) use keyed::Bulkheads;
pub(crate) use permit::{BulkheadEntry, PermitFuture, PermitGuard};

use size::Size;

use crate::adjusted::Adjusted;
use crate::answer::Answer;
use crate::error::{LimitKind, ResilienceError};

/// The maximum number of permits of a semaphore on every platform.
const MOST_SLOTS: u32 = (1 << 29) - 1;

/// A bulkhead: limits the number of concurrent executions. It can be a `static`.
///
/// Without [`queue`](Self::queue), a call that finds no free permit is rejected at once. Without [`wait`](Self::wait),
/// a queued call waits until there is a permit; in a `#[resilient]` function, at most until the deadline of the call.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use std::time::Duration;
/// use resilient_runtime::{Bulkhead, ResilienceError};
///
/// static REPORTS: Bulkhead = Bulkhead::new(2).queue(8).wait(Duration::from_secs(1));
///
/// let answer: Result<u32, ResilienceError> = REPORTS.call(async { Ok(7) }).await;
/// assert_eq!(answer, Ok(7));
///
/// let permit = REPORTS.acquire().await?;
/// assert_eq!((REPORTS.running(), REPORTS.waiting()), (1, 0));
/// drop(permit);
/// assert_eq!(REPORTS.running(), 0);
/// # Ok::<_, ResilienceError>(()) }).unwrap();
/// ```
///
/// Dropping a future stops it and returns its permit. A thread that `tokio::task::spawn_blocking` started does not
/// stop. To limit such work, move the permit of a `static` bulkhead into its closure, so that the permit is held until
/// the closure ends.
pub struct Bulkhead {
    settings: BulkheadSettings,
    adjusted: Adjusted<BulkheadSettings>,
    size: Size,
    /// The number of calls that may wait.
    queue: AtomicU32,
    /// The free permits, and the queue for them.
    slots: Semaphore,
    /// The number of calls that run or wait.
    inside: AtomicUsize,
}

impl Bulkhead {
    /// Creates a bulkhead for at most `max` concurrent executions, without a queue. Zero counts as 1.
    #[must_use]
    pub const fn new(max: u32) -> Self {
        Self::with(BulkheadSettings::new(max))
    }

    /// Creates a bulkhead with these settings.
    #[must_use]
    pub const fn with(settings: BulkheadSettings) -> Self {
        let settings = in_range(settings);
        Self {
            settings,
            adjusted: Adjusted::new(),
            size: Size::new(settings.max),
            queue: AtomicU32::new(settings.queue),
            slots: Semaphore::const_new(settings.max as usize),
            inside: AtomicUsize::new(0),
        }
    }

    /// Lets up to `queue` calls wait for a permit, first in, first out.
    #[must_use]
    pub const fn queue(mut self, queue: u32) -> Self {
        self.settings = self.settings.queue(queue);
        self.queue = AtomicU32::new(queue);
        self
    }

    /// Sets the maximum time that a call waits before it is rejected. Requires a Tokio runtime with timers.
    #[must_use]
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.settings = self.settings.wait(wait);
        self
    }

    /// Returns the effective settings.
    #[must_use]
    pub fn settings(&self) -> BulkheadSettings {
        *self.adjusted.over(&self.settings)
    }

    /// Replaces the settings while calls run. With a lower `max`, running calls keep their permits, and as many are
    /// withheld when calls end. With a higher one, waiting calls get the new permits at once. The queue and the wait
    /// apply to calls that come from now on.
    #[cfg(feature = "config")]
    pub(crate) fn adjust(&self, settings: BulkheadSettings) {
        let settings = in_range(settings);
        self.queue.store(settings.queue, Ordering::Relaxed);
        self.adjusted.set(settings);
        let missing = self.size.set(settings.max);
        self.slots.add_permits(missing);
        // Those that are free need not be withheld later. A call that ends meanwhile may give up one of them first.
        let free = self.slots.forget_permits(self.size.withheld());
        self.slots.add_permits(self.size.give_up(free));
    }

    /// Returns the number of executions that are running.
    #[must_use]
    pub fn running(&self) -> usize {
        self.size.permits().saturating_sub(self.slots.available_permits())
    }

    /// Returns the number of calls that wait for a permit.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let running = self.running();
        self.inside.load(Ordering::Relaxed).saturating_sub(running)
    }

    /// Waits for a permit, which is returned on drop. Dropping the future while it waits leaves the
    /// queue.
    ///
    /// # Errors
    /// [`ResilienceError::Overloaded`], without a time to retry after: at once if there is neither a free permit nor
    /// room in the queue, or after the maximum wait.
    pub async fn acquire(&self) -> Result<BulkheadPermit<'_>, ResilienceError> {
        let Some(entry) = BulkheadEntry::enter(self) else { return Err(overloaded()) };
        let permit = match (entry.try_permit(), self.adjusted.over(&self.settings).wait) {
            (Ok(permit), _) => permit,
            (Err(entry), None) => entry.permit().await,
            (Err(entry), Some(wait)) => tokio::time::timeout(wait, entry.permit()).await.map_err(|_| overloaded())?,
        };
        Ok(BulkheadPermit(permit))
    }

    /// Runs a future with a permit, or returns [`ResilienceError::Overloaded`] if there is none; see
    /// [`acquire`](Self::acquire). The permit is returned when the future ends, panics or is dropped.
    pub async fn call<R: Answer>(&self, future: impl Future<Output = R>) -> R {
        match self.acquire().await {
            Ok(_permit) => future.await,
            Err(rejected) => R::refused(rejected),
        }
    }

    /// Counts a call as running or waiting. Returns `false` if the bulkhead and its queue are full.
    fn enter(&self) -> bool {
        // With a lower `max` than calls run, there is still room in the queue.
        let most = self.size.permits().saturating_add(self.queue.load(Ordering::Relaxed) as usize);
        let enter = |inside: usize| (inside < most).then_some(inside + 1);
        self.inside.fetch_update(Ordering::Acquire, Ordering::Relaxed, enter).is_ok()
    }

    fn leave(&self) {
        self.inside.fetch_sub(1, Ordering::Release);
    }
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead")
            .field("settings", &self.settings())
            .field("running", &self.running())
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

/// Returns the settings with a number of permits that a semaphore can have. The rules reject other values, but code can
/// create settings without checking them.
const fn in_range(mut settings: BulkheadSettings) -> BulkheadSettings {
    if settings.max == 0 {
        settings.max = 1;
    } else if settings.max > MOST_SLOTS {
        settings.max = MOST_SLOTS;
    }
    settings
}

/// A permit of a [`Bulkhead`], returned on drop.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::Bulkhead;
///
/// let reports = Bulkhead::new(1);
/// let permit = reports.acquire().await.unwrap();
/// assert!(reports.acquire().await.is_err()); // there is no queue
/// drop(permit);
/// assert!(reports.acquire().await.is_ok());
/// # }
/// ```
#[must_use = "a permit that is dropped at once holds no slot"]
pub struct BulkheadPermit<'b>(PermitGuard<&'b Bulkhead>);

impl fmt::Debug for BulkheadPermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BulkheadPermit").field(self.0.bulkhead()).finish()
    }
}

/// Returns the error of a call that got no permit. There is no estimate of when one will be free.
pub(crate) const fn overloaded() -> ResilienceError {
    ResilienceError::Overloaded { limit: LimitKind::Bulkhead, retry_after: None, level: None, since_unix_s: None }
}
