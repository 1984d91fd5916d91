//! The start of a machine, on the clock that all machines share.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use redis::{Script, cmd};
use resilient_runtime::deferred::Timestamp;

use super::client::Client;
use super::error::Fault;
use super::reply::{score, text};

static START: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/start.lua")));

/// The number of runs of operating systems whose start is kept.
const MOST_RUNS: u32 = 1_000;

/// How often the time of Redis is read, to find out how far the clocks differ. The shortest way of a reply is the most
/// exact.
const READINGS: u32 = 3;

/// The present time on the clocks of this machine and of Redis.
#[derive(Debug, Clone, Copy)]
struct Reading {
    here: Duration,
    there: Duration,
    /// Half of the time that the request and the reply took, by which the reading may be wrong.
    error: Duration,
}

/// Returns when the machine started in this run: the estimate of the first process, on the clock of Redis.
pub(super) async fn start(client: &Client, run: &str, estimate: Timestamp) -> Result<Timestamp, Fault> {
    let mut connection = client.redis.data()?;
    let known = cmd("HGET").arg(&client.names.starts).arg(run).query_async(&mut connection).await?;
    if let Some(known) = score(known)? {
        return Ok(Timestamp::from_millis(known));
    }
    let mut best = read(client).await?;
    for _ in 1..READINGS {
        let reading = read(client).await?;
        if reading.error < best.error {
            best = reading;
        }
    }
    let mut call = START.key(&client.names.starts);
    call.key(&client.names.runs).arg(run).arg(best.adapt(estimate).millis()).arg(MOST_RUNS);
    let started = client.invoke(&call).await?;
    let millis = text(started)?.and_then(|millis| millis.parse().ok()).ok_or(Fault::Row("a start that is no time"))?;
    Ok(Timestamp::from_millis(millis))
}

async fn read(client: &Client) -> Result<Reading, Fault> {
    let mut connection = client.redis.data()?;
    let (before, began) = (SystemTime::now(), Instant::now());
    let (seconds, micros): (u64, u64) = cmd("TIME").query_async(&mut connection).await?;
    let error = began.elapsed() / 2;
    let here = before.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).saturating_add(error);
    let there = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros));
    Ok(Reading { here, there, error })
}

impl Reading {
    /// Returns a time of this machine's clock on the clock of Redis.
    fn adapt(&self, time: Timestamp) -> Timestamp {
        let Self { here, there, error } = *self;
        let (ahead, behind) = (there.saturating_sub(here), here.saturating_sub(there));
        if ahead.max(behind) <= error { time } else { time.after(ahead).before(behind) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_whose_clock_differs_gets_its_start_on_the_clock_of_redis() {
        let (estimate, milli) = (Timestamp::from_millis(1_000_000), Duration::from_millis(1));
        let adapted = |here: u32, there: u32| {
            Reading { here: milli * here, there: milli * there, error: milli * 10 }.adapt(estimate).millis()
        };
        assert_eq!(adapted(100_000, 130_000), 1_030_000);
        assert_eq!(adapted(130_000, 100_000), 970_000);
        assert_eq!(adapted(100_000, 100_400), 1_000_400);
        assert_eq!(adapted(100_000, 100_009), 1_000_000, "the way of a reply");
        let (here, there) = (Duration::from_secs(1), Duration::ZERO);
        assert_eq!(Reading { here, there, error: milli }.adapt(Timestamp::default()), Timestamp::default());
    }
}
