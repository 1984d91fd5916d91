//! Rate limits: the generic cell rate algorithm, by the clock of Redis.

use std::sync::LazyLock;
use std::time::Duration;

use ::redis::{RedisResult, Script};
use resilient_runtime::policy::RateLimitSettings;
use resilient_runtime::replicas::{PermitRequest, Taken};

use crate::Redis;

/// The longest interval, and the longest time in which a burst is restored: more than the rules for settings allow. The
/// arithmetic of scripts, in floating-point numbers, is exact with it.
const LONGEST: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Takes a permit. Returns 0, or the microseconds until there is one.
///
/// The state is the theoretical arrival time: when the burst is complete again, in microseconds since 1970 with three
/// decimals. Numbers of scripts have 53 bits, too few for nanoseconds since 1970, so the decimals are counted separately.
/// A state that is further away than the burst allows is from a clock that was set back; it is bounded, so that a limit
/// never waits for the clock. A value that is no state is replaced.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local interval_us, interval_ns = tonumber(ARGV[1]), tonumber(ARGV[2])
local burst_us, burst_ns = tonumber(ARGV[3]), tonumber(ARGV[4])

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local last_us, last_ns = now + burst_us, burst_ns

local us, ns = now, 0
local state = redis.pcall('GET', KEYS[1])
if type(state) == 'string' and #state <= 20 then
  local whole, rest = string.match(state, '^(%d+)%.(%d%d%d)$')
  if whole and tonumber(whole) >= now then
    us, ns = tonumber(whole), tonumber(rest)
  end
end
local is_bounded = us > last_us or (us == last_us and ns > last_ns)
if is_bounded then
  us, ns = last_us, last_ns
end

local next_us, next_ns = us + interval_us, ns + interval_ns
if next_ns >= 1000 then
  next_us, next_ns = next_us + 1, next_ns - 1000
end
local wait = 0
if next_us > last_us or (next_us == last_us and next_ns > last_ns) then
  wait = next_us - last_us
  if next_ns > last_ns then
    wait = wait + 1
  end
else
  us, ns = next_us, next_ns
end

if wait == 0 or is_bounded then
  local lasts = math.floor((us - now) / 1000) + 1
  redis.call('SET', KEYS[1], string.format('%.0f.%03.0f', us, ns), 'PX', string.format('%.0f', lasts))
end
return wait
",
    )
});

/// The numbers that the script needs.
#[derive(Debug, PartialEq, Eq)]
struct Numbers {
    interval: Duration,
    burst: Duration,
}

impl Numbers {
    fn new(settings: &RateLimitSettings) -> Self {
        let interval = settings.interval().min(LONGEST);
        let burst = interval.saturating_mul(settings.bursts().max(1)).min(LONGEST);
        Self { interval, burst }
    }
}

/// Returns the key of a limit. It contains the settings: replicas with different settings, such as during a deployment,
/// do not overwrite each other's states, which mean different things.
fn key(redis: &Redis, request: &PermitRequest) -> String {
    let PermitRequest { limit, key, settings } = request;
    let settings = format_args!("{}x{}", settings.bursts(), settings.interval().as_nanos());
    match key {
        Some(key) => redis.key(format_args!("limit:{limit}:{settings}:{key:032x}")),
        None => redis.key(format_args!("limit:{limit}:{settings}")),
    }
}

/// Takes a permit in one round trip, or three if Redis does not know the script.
pub(crate) async fn take(redis: &Redis, request: &PermitRequest) -> RedisResult<Taken> {
    let Numbers { interval, burst } = Numbers::new(&request.settings);
    let mut invocation = TAKE.key(key(redis, request));
    for time in [interval, burst] {
        invocation.arg(time.as_micros().to_string()).arg(time.subsec_nanos() % 1_000);
    }
    let wait: u64 = invocation.invoke_async(&mut redis.quick()?).await?;
    Ok(match wait {
        0 => Taken::Granted,
        us => Taken::Rejected { retry_after: Duration::from_micros(us).min(LONGEST) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_extreme_settings_are_bounded() {
        let fast = RateLimitSettings::new(u32::MAX, Duration::from_secs(1));
        let expected = Numbers { interval: Duration::from_nanos(1), burst: Duration::from_nanos(u32::MAX.into()) };
        assert_eq!(Numbers::new(&fast), expected);
        let endless = RateLimitSettings::new(1, Duration::MAX).burst(u32::MAX);
        assert_eq!(Numbers::new(&endless), Numbers { interval: LONGEST, burst: LONGEST });
        let none = RateLimitSettings::new(1, Duration::from_secs(2)).burst(0);
        assert_eq!(Numbers::new(&none), Numbers { interval: Duration::from_secs(2), burst: Duration::from_secs(2) });
    }

    #[test]
    fn a_key_has_the_name_the_settings_and_the_hash() {
        let redis = Redis::new("redis://host");
        let settings = RateLimitSettings::new(10, Duration::from_secs(1)).burst(3);
        let mut request = PermitRequest { limit: "search", key: None, settings };
        assert_eq!(key(&redis, &request), "resilient:limit:search:3x100000000");
        request.key = Some(255);
        assert_eq!(key(&redis, &request), "resilient:limit:search:3x100000000:000000000000000000000000000000ff");
    }
}
