//! The rules of a policy: the range of each value, and the rules between values.

mod breaker;
mod repeat;
mod time;

use std::time::Duration;

use crate::bulkhead::check_bulkhead;
use crate::duration::format_duration;
use crate::kind::ErrorKind;
use crate::policy::{Policy, Source};
use crate::problem::Problem;
use crate::rate_limit::{check_distributed, check_rate_limit};
use crate::schema::Settings;
pub use breaker::{
    check_breaker, check_breaker_for, check_name_at, check_names, check_same_breaker, check_slow_in_time,
};
pub use repeat::{Declarable, harmful_retry};
pub(crate) use time::fallback_time;
pub use time::{latest_answer, longest_answer};

const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);

/// Checks each value of a policy by itself and returns all problems.
#[must_use]
pub fn check_values(policy: &Policy) -> Vec<Problem> {
    let mut found = Vec::new();
    for (path, value) in [("timeout", Some(policy.timeout)), ("attempt_timeout", policy.attempt_timeout)] {
        if let Some(value) = value
            && !(SHORTEST_TIMEOUT..=Policy::LONGEST_TIMEOUT).contains(&value)
        {
            found.push(Problem::new(path, format!("expected between 1ms and 24h, found {}", format_duration(value))));
        }
    }
    if let Some(retry) = &policy.retry {
        retry.problems(&mut found);
    }
    if let Some(breaker) = &policy.breaker {
        found.extend(check_breaker(breaker.name, breaker.settings.as_ref()));
    }
    if let Some(bulkhead) = &policy.bulkhead {
        found.extend(check_bulkhead(bulkhead.name, &bulkhead.settings));
    }
    if let Some(rate_limit) = &policy.rate_limit {
        found.extend(check_rate_limit(rate_limit.name, &rate_limit.settings));
        found.extend(check_distributed(rate_limit));
    }
    if let Some(cache) = &policy.cache {
        cache.problems(&mut found);
    }
    if let Some(deferred) = &policy.deferred {
        deferred.problems(&mut found);
    }
    found
}

/// Checks a policy and returns all problems, in the order of the keys. The list is empty if the policy is valid.
///
/// ```
/// use std::time::Duration;
/// use resilient_policy::{Policy, Retry, check};
///
/// let policy = Policy::new().timeout(Duration::from_secs(5)).retry(Retry::new(6));
/// let problems = check(&policy);
/// assert!(problems[0].to_string().starts_with("retry.max: retry 6 can never start"));
/// ```
#[must_use]
pub fn check(policy: &Policy) -> Vec<Problem> {
    let mut found = check_values(policy);
    found.extend(cache_is_read(policy));
    found.extend(deferred_has_its_fallback(policy));
    found.extend(credentials_are_renewed(policy));
    // If a value is invalid, a rule between values would report the same mistake again.
    if found.is_empty() {
        time::attempts_fit(policy, &mut found);
        time::last_retry_can_start(policy, &mut found);
        if let Some(bulkhead) = &policy.bulkhead {
            bulkhead.settings.leaves_time(policy.timeout, &mut found);
        }
        breaker::breaker_fits(policy, &mut found);
    }
    found
}

fn credentials_are_renewed(policy: &Policy) -> Option<Problem> {
    let retries = policy.retry.is_some_and(|retry| retry.on.contains(ErrorKind::Unauthenticated));
    let message = "an error of kind `unauthenticated` fails again with the same credentials; renew them in a function with \
                   `retry(.., before = path)`, or remove the kind";
    (retries && !policy.has_before).then(|| Problem::new("retry.on", message))
}

fn cache_is_read(policy: &Policy) -> Option<Problem> {
    let cache = policy.cache?;
    if cache.fresh.is_some() {
        None
    } else if cache.stale_while_revalidate.is_some() {
        let message =
            "`stale_while_revalidate` begins where `fresh` ends; add `fresh`, or remove `stale_while_revalidate`";
        Some(Problem::new("cache.stale_while_revalidate", message))
    } else if policy.fallback.contains(&Source::Cache) {
        None
    } else {
        let message =
            "nothing reads this cache; add `fallback = cached`, or `fresh` in the brackets, or remove `cache`";
        Some(Problem::new("cache", message))
    }
}

fn deferred_has_its_fallback(policy: &Policy) -> Option<Problem> {
    let message = "nothing is deferred; add `fallback = deferred`, or remove `deferred`";
    let is_idle = policy.deferred.is_some() && !policy.fallback.contains(&Source::Deferred);
    is_idle.then(|| Problem::new("deferred", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        BreakerSettings, BreakerUse, BulkheadSettings, BulkheadUse, CacheSettings, DeferredSettings, KindSet,
        RateLimitSettings, RateLimitUse, Retry, Window,
    };

    #[expect(clippy::large_types_passed_by_value, reason = "each test writes its policy inline")]
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
            .bulkhead(BulkheadUse::new(BulkheadSettings::new(0).wait(s(1))).named(""))
            .rate_limit(RateLimitUse::new(RateLimitSettings::new(0, s(0)).burst(0)).named(""))
            .cache(CacheSettings::new().max(0).stale_if_error(s(0)))
            .deferred(DeferredSettings::new().tries(0).base(s(0)));
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
                "breaker.open",
                "breaker.probes",
                "breaker.successes",
                "bulkhead.name",
                "bulkhead.max",
                "bulkhead.wait",
                "rate_limit.rate",
                "rate_limit.rate",
                "rate_limit.burst",
                "rate_limit.name",
                "cache.stale_if_error",
                "cache.max",
                "deferred.tries",
                "deferred.base",
                "cache",
                "deferred"
            ]
        );
    }

    #[test]
    fn only_a_limit_with_a_name_is_shared_by_replicas() {
        let limit = RateLimitUse::new(RateLimitSettings::new(5, s(1))).distributed();
        assert_eq!(paths(Policy::new().rate_limit(limit)), ["rate_limit.distributed"]);
        assert_eq!(paths(Policy::new().rate_limit(limit.by_caller())), ["rate_limit.distributed"]);
        assert_eq!(paths(Policy::new().rate_limit(limit.named("search"))), Vec::<&str>::new());
        assert_eq!(paths(Policy::new().breaker(BreakerUse::named("make").distributed())), Vec::<&str>::new());
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
    fn unauthenticated_is_only_retried_after_a_function_that_renews_the_credentials() {
        let policy = Policy::new().retry(Retry::new(1).on(KindSet::EMPTY.with(ErrorKind::Unauthenticated)));
        assert_eq!(paths(policy), ["retry.on"]);
        assert_eq!(paths(policy.with_before()), Vec::<&str>::new());
        let forbidden = Policy::new().retry(Retry::new(1).on(KindSet::EMPTY.with(ErrorKind::PermissionDenied)));
        assert_eq!(paths(forbidden.with_before()), ["retry.on"]);
    }

    #[test]
    fn no_breaker_is_called_by_the_word_for_none() {
        assert_eq!(paths(Policy::new().breaker(BreakerUse::named("none"))), ["breaker.name"]);
    }

    #[test]
    fn the_attempts_of_one_call_do_not_fill_what_a_rate_is_taken_of() {
        let policy = |settings| Policy::new().retry(Retry::new(3)).breaker(BreakerUse::with("x", settings));
        let rate = BreakerSettings::new().rate(0.75);
        assert_eq!(paths(policy(rate.window(Window::Count(4)))), ["breaker.window"]);
        assert_eq!(paths(policy(rate.window(Window::Count(5)))), Vec::<&str>::new());
        assert_eq!(paths(policy(rate.min_calls(4))), ["breaker.min_calls"]);
        assert_eq!(paths(policy(rate.min_calls(5))), Vec::<&str>::new());
        assert_eq!(paths(policy(rate.window(Window::Time(s(60))).min_calls(4))), ["breaker.min_calls"]);
        let slow = BreakerSettings::new().slow(s(1));
        assert_eq!(paths(policy(slow.window(Window::Count(4)))), ["breaker.window"]);
        // Without a retry each call has one result.
        let single = Policy::new().breaker(BreakerUse::with("x", rate.window(Window::Count(1))));
        assert_eq!(paths(single), Vec::<&str>::new());
    }

    #[test]
    fn no_call_is_slow_that_its_timeout_ends_first() {
        let policy = |slow| Policy::new().breaker(BreakerUse::with("x", BreakerSettings::new().slow(slow)));
        assert_eq!(paths(policy(s(30))), ["breaker.slow"]);
        assert_eq!(paths(policy(s(29))), Vec::<&str>::new());
        assert_eq!(paths(policy(s(5)).timeout(s(5))), ["breaker.slow"]);
        assert_eq!(paths(policy(s(5)).timeout(s(9)).attempt_timeout(s(5))), ["breaker.slow"]);
    }

    #[test]
    fn a_cap_below_the_default_base_is_a_problem_of_the_cap() {
        let cap = Duration::from_millis(500);
        let problems = check(&Policy::new().retry(Retry::new(1).cap(cap)));
        assert_eq!(
            problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["retry.cap: the cap (500ms) is shorter than the first delay (1s); set a `base` of at most 500ms too, \
                 as in `base = \"500ms\"`"]
        );
        assert_eq!(paths(Policy::new().retry(Retry::new(1).cap(cap).base(cap))), Vec::<&str>::new());
        assert_eq!(paths(Policy::new().retry(Retry::new(1).base(s(31)))), ["retry.base"]);
        assert_eq!(paths(Policy::new().retry(Retry::new(1).cap(cap).base(s(2)))), ["retry.base"]);
    }

    #[test]
    fn a_wait_for_a_permit_leaves_time_to_run() {
        let policy = |wait| {
            let settings = BulkheadSettings::new(1).queue(1).wait(wait);
            Policy::new().timeout(s(5)).bulkhead(BulkheadUse::new(settings))
        };
        assert_eq!(paths(policy(Duration::from_millis(4_999))), Vec::<&str>::new());
        assert_eq!(paths(policy(s(5))), ["bulkhead.wait"]);
    }

    #[test]
    fn the_longest_answer_is_the_smaller_of_timeout_and_attempts_plus_a_fallback_function() {
        assert_eq!(longest_answer(&Policy::new()), s(30));
        let quick = Policy::new().attempt_timeout(s(2)).retry(Retry::new(1));
        assert_eq!(longest_answer(&quick), s(5));
        assert_eq!(longest_answer(&quick.fallback(&[Source::Cache, Source::Function])), s(10));
        assert_eq!(latest_answer(&quick.fallback(&[Source::Cache, Source::Function])), s(35));
        assert_eq!(longest_answer(&quick.fallback(&[Source::Deferred])), s(10));
        assert_eq!(latest_answer(&quick.fallback(&[Source::Function, Source::Deferred])), s(40));
        let queue = |settings: BulkheadSettings| quick.bulkhead(BulkheadUse::new(settings));
        assert_eq!(longest_answer(&queue(BulkheadSettings::new(1))), s(5));
        assert_eq!(longest_answer(&queue(BulkheadSettings::new(1).queue(1).wait(s(3)))), s(11));
        assert_eq!(longest_answer(&queue(BulkheadSettings::new(1).queue(1))), s(30));
    }
}
