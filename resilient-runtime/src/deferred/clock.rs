//! The wall clock that deferred writes are timed by.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::time::Timestamp;

/// A wall clock: the time at its start, plus the monotonic time since.
///
/// A change of the system's clock while the process runs neither delays a try nor makes one early.
#[derive(Debug, Clone, Copy)]
pub struct WallClock {
    start: Timestamp,
    began: Instant,
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
        Self { start, began: Instant::now() }
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
