//! The clock of Redis.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{ErrorKind, RedisResult, ServerErrorKind};

/// The clock of the Redis that a connection leads to, from its last answer to `TIME`. A clone shares it.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<Mutex<Option<Reading>>>);

/// The time since 1970, and when the answer with it arrived.
#[derive(Clone, Copy)]
struct Reading {
    time: Duration,
    arrived: Instant,
}

impl Clock {
    /// Reads the clock. A user without the right to do so leaves it unknown.
    pub(crate) async fn read(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        match ::redis::cmd("TIME").query_async::<(u64, u32)>(connection).await {
            Ok((seconds, micros)) => {
                let time = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros.into()));
                self.set(time, Instant::now());
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn set(&self, time: Duration, arrived: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Reading { time, arrived });
    }

    /// Returns the present time since 1970, or `None` if it is unknown. It is late by the time that the answer was on its
    /// way, and never early.
    pub(crate) fn now(&self) -> Option<Duration> {
        let reading = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reading.map(|Reading { time, arrived }| time.saturating_add(arrived.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_continues_from_the_last_answer() {
        let clock = Clock::default();
        assert_eq!(clock.now(), None);
        let minute = Duration::from_secs(60);
        let before = Instant::now();
        clock.set(minute * 10, before.checked_sub(minute).unwrap());
        let now = clock.clone().now().unwrap();
        assert!(now >= minute * 11 && now <= minute * 11 + before.elapsed(), "{now:?}");
        clock.set(minute, Instant::now());
        assert!(clock.now().unwrap() < minute * 2, "Redis has set its clock back");
        clock.set(Duration::MAX, before);
        assert_eq!(clock.now(), Some(Duration::MAX));
    }
}
