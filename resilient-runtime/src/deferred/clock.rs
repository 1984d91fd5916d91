//! The wall clock that deferred writes are timed by.

#[cfg(feature = "testing")]
use std::sync::Arc;
use std::sync::OnceLock;
#[cfg(feature = "testing")]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::error::StoreError;
use super::store::DeferredStore;
use super::time::Timestamp;
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
use crate::clock::CAN_BE_PAUSED;

/// A wall clock: the time at its start, plus the monotonic time since.
///
/// A change of the system's clock while the process runs neither delays a try nor makes one early. On Linux, Android,
/// macOS and iOS the clock also counts the time for which the machine was suspended, so that processes that share a store
/// agree. In builds in which tokio's clock can be paused, it is that clock.
#[derive(Debug, Clone)]
pub struct WallClock {
    start: Timestamp,
    began: Monotonic,
    /// For how many milliseconds the machine of a test was suspended.
    #[cfg(feature = "testing")]
    suspended: Arc<AtomicU64>,
}

/// A reading of a clock that never goes back.
#[derive(Debug, Clone, Copy)]
enum Monotonic {
    /// Of tokio's clock, which stands still while the machine is suspended on most systems.
    Tokio(Instant),
    /// Of the clock that counts the time since the machine started.
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    SinceBoot(Duration),
}

impl Monotonic {
    fn now() -> Self {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        if !CAN_BE_PAUSED {
            return Self::SinceBoot(since_boot());
        }
        Self::Tokio(Instant::now())
    }

    fn elapsed(self) -> Duration {
        match self {
            Self::Tokio(began) => began.elapsed(),
            #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
            Self::SinceBoot(began) => since_boot().saturating_sub(began),
        }
    }
}

/// Returns the time since the machine started, with the time for which it was suspended.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn since_boot() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    #[cfg(not(target_vendor = "apple"))]
    let clock = ClockId::Boottime;
    // Elsewhere the clock of this name stops during a suspension.
    #[cfg(target_vendor = "apple")]
    let clock = ClockId::Monotonic;
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

impl WallClock {
    /// Starts a clock at the time of the system.
    #[must_use]
    pub fn new() -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self::starting_at(Timestamp::default().after(since_1970))
    }

    /// Starts a clock at this time.
    #[must_use]
    pub fn starting_at(start: Timestamp) -> Self {
        Self::of(start, Monotonic::now())
    }

    fn of(start: Timestamp, began: Monotonic) -> Self {
        Self {
            start,
            began,
            #[cfg(feature = "testing")]
            suspended: Arc::default(),
        }
    }

    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = self.start.after(self.began.elapsed());
        #[cfg(feature = "testing")]
        let now = now.after(Duration::from_millis(self.suspended.load(Ordering::Relaxed)));
        now
    }

    /// Simulates a suspension of the machine of this length, during which timers stand still and this clock and its
    /// clones do not.
    #[cfg(feature = "testing")]
    pub fn suspend(&self, length: Duration) {
        let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        self.suspended.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self::new()
    }
}

/// The clock with which a process uses a store.
///
/// The wall clocks of two processes differ if the system's clock was set between their starts. Therefore the processes of
/// one machine agree on the time of its start, which the first of them leaves in the store.
#[derive(Debug)]
pub(crate) struct StoreClock {
    own: WallClock,
    /// The run of the operating system, unless the clock is not to be agreed on.
    run: Option<String>,
    agreed: OnceLock<WallClock>,
}

impl StoreClock {
    /// A clock that the processes of this machine agree on, if the system has a name for its run.
    pub(crate) fn of_this_machine() -> Self {
        Self { own: WallClock::new(), run: current_run(), agreed: OnceLock::new() }
    }

    /// This clock, which is not agreed on with other processes.
    pub(crate) const fn of(own: WallClock) -> Self {
        Self { own, run: None, agreed: OnceLock::new() }
    }

    /// Returns the current time.
    pub(crate) fn now(&self) -> Timestamp {
        self.agreed.get().unwrap_or(&self.own).now()
    }

    /// Agrees with the other processes on the time. Call it before anything is stored or claimed. Does nothing once it has
    /// succeeded.
    pub(crate) async fn agree(&self, store: &dyn DeferredStore) -> Result<(), StoreError> {
        // Not `own`, because the system's clock may have been set since it began.
        self.agree_at(store, WallClock::new().now()).await
    }

    async fn agree_at(&self, store: &dyn DeferredStore, now: Timestamp) -> Result<(), StoreError> {
        let Some(run) = self.run.as_deref().filter(|_| self.agreed.get().is_none()) else { return Ok(()) };
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let started = store.start_of_machine(run, now.before(since_boot())).await?;
            let _ = self.agreed.set(WallClock::of(started, Monotonic::SinceBoot(Duration::ZERO)));
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = (run, store, now);
        Ok(())
    }
}

/// Returns the name of this run of the operating system, which is another one after each start of the machine.
fn current_run() -> Option<String> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if !CAN_BE_PAUSED {
        let run = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        return Some(run.trim().to_owned()).filter(|run| !run.is_empty());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_a_clock_that_tests_can_pause() {
        let clock = WallClock::starting_at(Timestamp::from_millis(5));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(clock.now(), Timestamp::from_millis(60_005));
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn the_time_since_the_start_of_the_machine_counts_its_suspensions() {
        use rustix::time::{ClockId, clock_gettime};

        let clock = WallClock::of(Timestamp::from_millis(5), Monotonic::SinceBoot(Duration::ZERO));
        let without = Duration::try_from(clock_gettime(ClockId::Monotonic)).expect("a time");
        let real = clock.now().since(Timestamp::from_millis(5));
        assert!(real + Duration::from_millis(1) >= without, "{real:?} {without:?}");
        assert!(real <= since_boot());
    }

    #[cfg(all(feature = "testing", any(target_os = "linux", target_os = "android")))]
    #[tokio::test]
    async fn processes_of_one_machine_agree_on_the_time_although_the_clock_was_set_between_their_starts() {
        use crate::testing::deferred::MemoryStore;

        let (store, day) = (MemoryStore::default(), Duration::from_secs(86_400));
        let start = |at: u64| StoreClock {
            own: WallClock::starting_at(Timestamp::from_millis(at)),
            run: Some("a run".to_owned()),
            agreed: OnceLock::new(),
        };
        let (first, ahead) = (start(1_796_000_000_000), start(1_796_000_000_000 + 86_400_000));
        assert!(ahead.now().since(first.now()) > day / 2);
        for clock in [&first, &ahead, &first] {
            clock.agree_at(&store, clock.own.now()).await.expect("the store works");
        }
        let (one, other) = (first.now(), ahead.now());
        assert!(other.since(one) < Duration::from_secs(60) && one.since(other) < Duration::from_secs(60));
        // After a start of the machine, its clock decides.
        let later = StoreClock { run: Some("another run".to_owned()), ..start(1_797_000_000_000) };
        later.agree_at(&store, later.own.now()).await.expect("the store works");
        assert!(later.now().since(first.now()) > 10 * day);
    }

    #[cfg(all(feature = "testing", any(target_os = "linux", target_os = "android")))]
    #[tokio::test]
    async fn a_clock_that_was_set_after_the_process_began_counts_as_it_is_when_the_processes_agree() {
        use crate::testing::deferred::MemoryStore;

        let (own, run) = (WallClock::starting_at(Timestamp::from_millis(5)), Some("a run".to_owned()));
        let clock = StoreClock { own, run, agreed: OnceLock::new() };
        clock.agree(&MemoryStore::default()).await.expect("the store works");
        assert!(WallClock::new().now().since(clock.now()) < Duration::from_secs(60));
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn a_build_whose_clock_can_be_paused_agrees_with_no_other_process() {
        assert_eq!(current_run().is_none(), CAN_BE_PAUSED);
    }
}
