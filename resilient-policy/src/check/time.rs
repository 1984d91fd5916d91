//! The time that a call takes, and the rules about it.

use std::time::Duration;

use crate::duration::format_duration;
use crate::policy::{Policy, Source};
use crate::problem::Problem;
use crate::retry::Retry;
use crate::setting::Jitter;

/// Checks `attempt_timeout` against `timeout`: if both are equal, no time is left for a retry; if it is longer, no
/// attempt can reach it.
pub(super) fn attempts_fit(policy: &Policy, found: &mut Vec<Problem>) {
    let Some(attempt) = policy.attempt_timeout else { return };
    let (attempt_text, timeout_text) = (format_duration(attempt), format_duration(policy.timeout));
    if policy.retry.is_some() && attempt >= policy.timeout {
        found.push(Problem::new(
            "attempt_timeout",
            format!(
                "the first attempt can use the whole timeout: `attempt_timeout` ({attempt_text}) must be shorter than \
                 `timeout` ({timeout_text}) for a retry to be possible"
            ),
        ));
    } else if attempt > policy.timeout {
        found.push(Problem::new(
            "attempt_timeout",
            format!("`attempt_timeout` ({attempt_text}) is longer than `timeout` ({timeout_text}) and never reached"),
        ));
    }
}

/// Checks that the last retry starts before the timeout, if each attempt fails at once and jitter makes each delay as
/// short as possible.
pub(super) fn last_retry_can_start(policy: &Policy, found: &mut Vec<Problem>) {
    let Some(retry) = &policy.retry else { return };
    let mut waited = Duration::ZERO;
    let mut fitting = 0_u32;
    for n in 0..retry.max {
        waited = waited.saturating_add(retry.shortest_delay(n));
        if waited < policy.timeout {
            fitting += 1;
        }
    }
    if fitting < retry.max {
        let schedule: Vec<_> = retry.schedule().map(format_duration).collect();
        found.push(Problem::new(
            "retry.max",
            format!(
                "retry {} can never start: the delays before it are {}{}, but the timeout is {}; {}",
                retry.max,
                schedule.join(" + "),
                if retry.jitter == Jitter::Equal { " (at least half of that with jitter)" } else { "" },
                format_duration(policy.timeout),
                match fitting {
                    0 => format!(
                        "no retry fits: expected a `timeout` above {}, or a shorter `base` in `retry(..)`",
                        format_duration(retry.shortest_delay(0))
                    ),
                    1 => "1 retry fits".into(),
                    _ => format!("{fitting} retries fit"),
                },
            ),
        ));
    }
}

/// Returns the maximum time from the start of a call to its answer, if no dependency asks for longer delays.
///
/// This is the time of the guarded part and, after it, the limits of a fallback function and of storing a write. The
/// guarded part takes at most the timeout, or the sum of all attempts, their waits in the queue and the longest delays
/// between them if that is less.
///
/// ```
/// use std::time::Duration;
/// use resilient_policy::{Policy, longest_answer};
///
/// assert_eq!(longest_answer(&Policy::new().timeout(Duration::from_secs(7))), Duration::from_secs(7));
/// ```
#[must_use]
pub fn longest_answer(policy: &Policy) -> Duration {
    let guarded = match policy.attempt_limit() {
        None => policy.timeout,
        Some(attempt) => {
            let queued = policy.bulkhead.map(|bulkhead| bulkhead.settings).filter(|settings| settings.queue > 0);
            let queued = queued.map_or(Duration::ZERO, |settings| settings.wait.unwrap_or(policy.timeout));
            let attempts = attempt.saturating_add(queued).saturating_mul(policy.retries() + 1);
            let delays = policy.retry.iter().flat_map(Retry::schedule).fold(Duration::ZERO, Duration::saturating_add);
            policy.timeout.min(attempts.saturating_add(delays))
        }
    };
    guarded.saturating_add(fallback_time(policy))
}

/// Returns the time after which every call has an answer, regardless of the delay that a dependency requests:
/// the timeout and, after it, the limits of a fallback function and of storing a write.
///
/// ```
/// use std::time::Duration;
/// use resilient_policy::{Policy, Source, latest_answer};
///
/// let policy = Policy::new().timeout(Duration::from_secs(7)).fallback(&[Source::Function]);
/// assert_eq!(latest_answer(&policy), Duration::from_secs(12));
/// ```
#[must_use]
pub fn latest_answer(policy: &Policy) -> Duration {
    policy.timeout.saturating_add(fallback_time(policy))
}

/// Returns the maximum time of all fallbacks together. A cached answer and a value take none.
pub(crate) fn fallback_time(policy: &Policy) -> Duration {
    let limited = [Source::Function, Source::Deferred].into_iter().filter(|source| policy.fallback.contains(source));
    limited.fold(Duration::ZERO, |time, _| time.saturating_add(policy.fallback_limit()))
}
