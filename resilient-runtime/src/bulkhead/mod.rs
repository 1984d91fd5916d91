//! Bulkheads: a bounded number of executions at a time, and a bounded queue for the rest, so that
//! one slow dependency cannot take everything that the process has.
//!
//! Who comes first is let in first: a slot that becomes free goes to whoever has waited longest,
//! and nobody who comes later overtakes. A slot and a place in the queue are given back whatever
//! happens: at the end, at a panic, and where a future is dropped.

mod keyed;
mod place;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use resilient_policy::BulkheadSettings;
use tokio::sync::Semaphore;

pub(crate) use keyed::Bulkheads;
pub(crate) use place::{Place, Queued, Slot};

use crate::answer::Answer;
use crate::error::{LimitKind, ResilienceError};

/// The most slots that a semaphore has on every platform.
const MOST_SLOTS: u32 = (1 << 29) - 1;

/// A bulkhead: at most so many executions at a time. It can sit in a `static`.
///
/// Without [`queue`](Self::queue) nobody waits: what finds no free slot is rejected at once.
/// Without [`wait`](Self::wait) who queues waits until there is a slot; within a `#[resilient]`
/// function that is at most until the call's deadline.
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
/// A future that is dropped stops, and its slot is free. A thread that
/// `tokio::task::spawn_blocking` has started does not stop: where such work is to be limited, move
/// the permit of a `static` bulkhead into its closure, so that the slot is held until it ends.
pub struct Bulkhead {
    settings: BulkheadSettings,
    /// The free slots. Who waits for one stands in line here.
    slots: Semaphore,
    /// How many run or wait.
    inside: AtomicUsize,
}

impl Bulkhead {
    /// At most `max` at a time, at least one, and nobody waits.
    #[must_use]
    pub const fn new(max: u32) -> Self {
        Self::with(BulkheadSettings::new(max))
    }

    /// A bulkhead with these settings.
    #[must_use]
    pub const fn with(mut settings: BulkheadSettings) -> Self {
        // What the rules refuse can only come from code that did not ask them.
        if settings.max == 0 {
            settings.max = 1;
        } else if settings.max > MOST_SLOTS {
            settings.max = MOST_SLOTS;
        }
        Self { settings, slots: Semaphore::const_new(settings.max as usize), inside: AtomicUsize::new(0) }
    }

    /// Lets up to `queue` wait for a slot, first come, first served.
    #[must_use]
    pub const fn queue(mut self, queue: u32) -> Self {
        self.settings = self.settings.queue(queue);
        self
    }

    /// Sets how long one waits at most before it is rejected. Timers need a Tokio runtime.
    #[must_use]
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.settings = self.settings.wait(wait);
        self
    }

    /// The settings that hold.
    #[must_use]
    pub const fn settings(&self) -> BulkheadSettings {
        self.settings
    }

    /// How many run.
    #[must_use]
    pub fn running(&self) -> usize {
        (self.settings.max as usize).saturating_sub(self.slots.available_permits())
    }

    /// How many wait for a slot.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let running = self.running();
        self.inside.load(Ordering::Relaxed).saturating_sub(running)
    }

    /// Waits for a slot, which is free again once the permit is dropped. Dropping the future while
    /// it waits gives up its place in the queue.
    ///
    /// # Errors
    /// [`ResilienceError::Overloaded`] at once where neither a slot nor a place in the queue is
    /// free, or after the longest wait. It names no time after which there would be one.
    pub async fn acquire(&self) -> Result<BulkheadPermit<'_>, ResilienceError> {
        let Some(place) = Place::enter(self) else { return Err(overloaded()) };
        let slot = match (place.try_slot(), self.settings.wait) {
            (Ok(slot), _) => slot,
            (Err(place), None) => place.slot().await,
            (Err(place), Some(wait)) => tokio::time::timeout(wait, place.slot()).await.map_err(|_| overloaded())?,
        };
        Ok(BulkheadPermit(slot))
    }

    /// Runs a future in a slot, or answers with [`ResilienceError::Overloaded`] where it gets
    /// none; see [`acquire`](Self::acquire). Its slot is free again when it ends, panics or is
    /// dropped.
    pub async fn call<R: Answer>(&self, future: impl Future<Output = R>) -> R {
        match self.acquire().await {
            Ok(_permit) => future.await,
            Err(rejected) => R::refused(rejected),
        }
    }

    /// Takes a place among those that run or wait, if one is left.
    fn enter(&self) -> bool {
        let most = (self.settings.max as usize).saturating_add(self.settings.queue as usize);
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
            .field("settings", &self.settings)
            .field("running", &self.running())
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

/// A slot of a [`Bulkhead`], free again once this is dropped.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::Bulkhead;
///
/// let reports = Bulkhead::new(1);
/// let permit = reports.acquire().await.unwrap();
/// assert!(reports.acquire().await.is_err()); // nobody waits
/// drop(permit);
/// assert!(reports.acquire().await.is_ok());
/// # }
/// ```
#[must_use = "a permit that is dropped at once holds no slot"]
pub struct BulkheadPermit<'b>(Slot<&'b Bulkhead>);

impl fmt::Debug for BulkheadPermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BulkheadPermit").field(self.0.bulkhead()).finish()
    }
}

/// What somebody hears who got no slot. When there will be one, nobody knows.
pub(crate) const fn overloaded() -> ResilienceError {
    ResilienceError::Overloaded { limit: LimitKind::Bulkhead, retry_after: None }
}
