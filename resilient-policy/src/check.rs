//! The rules: which values a policy may hold, alone and together.

use std::time::Duration;

use crate::{BreakerSettings, Policy, Problem, Source, check_name, format_duration};

const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Every problem of a policy, in the order of the keys. An empty list is a policy that can work.
#[must_use]
pub fn check(policy: &Policy) -> Vec<Problem> {
    let mut found = Vec::new();
    values(policy, &mut found);
    // Arithmetic on values that are wrong themselves would only tell the same mistake twice.
    if found.is_empty() {
        attempts_fit(policy, &mut found);
        last_retry_can_start(policy, &mut found);
    }
    found
}

/// Every problem of a breaker's name and settings.
#[must_use]
pub fn check_breaker(name: &str, settings: Option<&BreakerSettings>) -> Vec<Problem> {
    let mut found = Vec::new();
    if let Err(why) = check_name(name) {
        found.push(Problem::new("breaker.name", why));
    }
    if let Some(settings) = settings {
        settings.problems(&mut found);
    }
    found
}

fn values(policy: &Policy, found: &mut Vec<Problem>) {
    for (path, value) in [("timeout", Some(policy.timeout)), ("attempt_timeout", policy.attempt_timeout)] {
        if let Some(value) = value
            && !(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&value)
        {
            found.push(Problem::new(path, format!("expected between 1ms and 24h, found {}", format_duration(value))));
        }
    }
    if let Some(retry) = &policy.retry {
        retry.problems(found);
    }
    if let Some(breaker) = &policy.breaker {
        found.extend(check_breaker(breaker.name, breaker.settings.as_ref()));
    }
    if let Some(cache) = &policy.cache {
        cache.problems(found);
        if !policy.fallback.contains(&Source::Cache) {
            found.push(Problem::new("cache", "nothing reads this cache; add `fallback = cached` or remove it"));
        }
    }
}

/// An attempt limit that is as long as the timeout leaves nothing for a retry, and a longer one
/// can never be reached.
fn attempts_fit(policy: &Policy, found: &mut Vec<Problem>) {
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

/// Even if each attempt failed at once and each delay were as short as jitter makes it, the last
/// retry would start after the timeout.
fn last_retry_can_start(policy: &Policy, found: &mut Vec<Problem>) {
    let Some(retry) = &policy.retry else { return };
    let mut waited = Duration::ZERO;
    let mut fitting = 0_u32;
    for delay in retry.schedule() {
        waited = waited.saturating_add(delay / 2);
        if waited < policy.timeout {
            fitting += 1;
        }
    }
    if fitting < retry.max {
        let schedule: Vec<_> = retry.schedule().map(format_duration).collect();
        found.push(Problem::new(
            "retry.max",
            format!(
                "retry {} can never start: the delays before it are {} (at least half of that with jitter), but the \
                 timeout is {}; {fitting} {} fit",
                retry.max,
                schedule.join(" + "),
                format_duration(policy.timeout),
                if fitting == 1 { "retry" } else { "retries" },
            ),
        ));
    }
}

/// The longest time from the start of a call to its answer: the guarded part, which is the
/// smaller of the timeout and all attempts with the longest delays between them, and after that
/// a fallback function's own limit.
#[must_use]
pub fn longest_answer(policy: &Policy) -> Duration {
    let guarded = match policy.attempt_limit() {
        None => policy.timeout,
        Some(attempt) => {
            let attempts = attempt.saturating_mul(policy.retries() + 1);
            let delays =
                policy.retry.iter().flat_map(crate::Retry::schedule).fold(Duration::ZERO, Duration::saturating_add);
            policy.timeout.min(attempts.saturating_add(delays))
        }
    };
    if policy.fallback.contains(&Source::Function) { guarded.saturating_add(policy.fallback_limit()) } else { guarded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BreakerUse, CacheSettings, Retry};

    fn paths(policy: Policy) -> Vec<&'static str> {
        check(&policy).iter().map(|problem| problem.path).collect()
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_defaults_can_work() {
        assert_eq!(paths(Policy::new()), Vec::<&str>::new());
        assert_eq!(paths(Policy::new().retry(Retry::new(3)).breaker(BreakerUse::named("make"))), Vec::<&str>::new());
    }

    #[test]
    fn values_out_of_range_are_all_found_at_once() {
        let policy = Policy::new()
            .timeout(Duration::ZERO)
            .attempt_timeout(s(90_000))
            .retry(Retry::new(11).factor(0.5).base(s(60)))
            .breaker(BreakerUse::with("", BreakerSettings::new().failures(0).open(s(0)).probes(0).successes(0)))
            .cache(CacheSettings::new().max(0).max_age(s(0)));
        assert_eq!(
            paths(policy),
            [
                "timeout",
                "attempt_timeout",
                "retry.max",
                "retry.factor",
                "retry.base",
                "breaker.name",
                "breaker.failures",
                "breaker.probes",
                "breaker.successes",
                "breaker.open",
                "cache.max_age",
                "cache.max",
                "cache"
            ]
        );
    }

    #[test]
    fn an_attempt_limit_must_leave_room_for_a_retry() {
        assert_eq!(paths(Policy::new().attempt_timeout(s(30))), Vec::<&str>::new());
        assert_eq!(paths(Policy::new().attempt_timeout(s(31))), ["attempt_timeout"]);
        assert_eq!(paths(Policy::new().attempt_timeout(s(30)).retry(Retry::new(1))), ["attempt_timeout"]);
    }

    #[test]
    fn a_retry_that_can_never_start_is_refused_with_the_numbers() {
        let problems = check(&Policy::new().timeout(s(5)).retry(Retry::new(5)));
        let message = &problems.first().expect("a problem").message;
        assert_eq!(
            message,
            "retry 5 can never start: the delays before it are 1s + 2s + 4s + 8s + 16s (at least half of that with \
             jitter), but the timeout is 5s; 3 retries fit"
        );
    }

    #[test]
    fn the_longest_answer_is_the_smaller_of_timeout_and_attempts_plus_a_fallback_function() {
        assert_eq!(longest_answer(&Policy::new()), s(30));
        let quick = Policy::new().attempt_timeout(s(2)).retry(Retry::new(1));
        assert_eq!(longest_answer(&quick), s(5));
        assert_eq!(longest_answer(&quick.fallback(&[Source::Cache, Source::Function])), s(10));
    }
}
