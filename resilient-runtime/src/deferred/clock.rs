//! The wall clock that deferred writes are timed by.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::time::Timestamp;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::clock::CAN_BE_PAUSED;

/// A wall clock: the time at its start, plus the monotonic time since.
///
/// A change of the system's clock while the process runs neither delays a try nor makes one early. On Linux and Android
/// the clock also counts the time for which the machine was suspended, so that processes that share a store agree. In
/// builds in which tokio's clock can be paused, it is that clock.
#[derive(Debug, Clone, Copy)]
pub struct WallClock {
    start: Timestamp,
    began: Monotonic,
}

/// A reading of a clock that never goes back.
#[derive(Debug, Clone, Copy)]
enum Monotonic {
    /// Of tokio's clock, which stands still while the machine is suspended on most systems.
    Tokio(Instant),
    /// Of the clock that counts the time since the machine started.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    SinceBoot(Duration),
}

impl Monotonic {
    fn now() -> Self {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if !CAN_BE_PAUSED {
            return Self::SinceBoot(since_boot());
        }
        Self::Tokio(Instant::now())
    }

    fn elapsed(self) -> Duration {
        match self {
            Self::Tokio(began) => began.elapsed(),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::SinceBoot(began) => since_boot().saturating_sub(began),
        }
    }
}

/// Returns the time since the machine started, with the time for which it was suspended.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
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
        Self { start, began: Monotonic::now() }
    }

    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.start.after(self.began.elapsed())
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self::new()
    }
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

        let clock = WallClock { start: Timestamp::from_millis(5), began: Monotonic::SinceBoot(Duration::ZERO) };
        let without = Duration::try_from(clock_gettime(ClockId::Monotonic)).expect("a time");
        let real = clock.now().since(Timestamp::from_millis(5));
        assert!(real + Duration::from_millis(1) >= without, "{real:?} {without:?}");
        assert!(real <= since_boot());
    }
}
