//! Describes a policy in words, for the documentation of its function. A sentence joins the main parts of a key; the
//! phrases of the other parts are declared with them and follow it.

use std::time::Duration;

use crate::breaker::BreakerSettings;
use crate::bytes::format_bytes;
use crate::cache::CacheSettings;
use crate::check::{fallback_time, latest_answer, longest_answer};
use crate::deferred::DeferredSettings;
use crate::duration::format_duration;
use crate::form::Form;
use crate::kind::{ErrorKind, KindSet};
use crate::policy::{Beside, Policy, Source};
use crate::retry::Retry;
use crate::scalar::format_share;
use crate::schema::{Part, Settings};
use crate::setting::{Jitter, OnExhausted, Rate, Setting, Window};

const fn each(keyed: bool) -> &'static str {
    if keyed { " for each key" } else { "" }
}

/// Returns the policy as the lines of a list. The first line is the maximum time to an answer.
#[must_use]
pub fn describe(policy: &Policy, beside: &Beside<'_>) -> Vec<String> {
    let mut lines = vec![answer(policy)];
    lines.extend(policy.cache.as_ref().and_then(cached));
    if policy.retry.is_some() || policy.attempt_limit().is_some() {
        lines.push(attempts(policy));
    }
    if let Some(name) = beside.breaker {
        let settings = policy.breaker.and_then(|breaker| breaker.settings);
        let is_distributed = policy.breaker.is_some_and(|breaker| breaker.distributed);
        let armed = if is_distributed { "; after an opening in another replica, 1 failure opens it" } else { "" };
        let each = each(beside.keyed.breaker);
        lines.push(format!("breaker `{name}`{each}{}{armed}", settings.map(opens).unwrap_or_default()));
    }
    let named = |name: Option<&str>| name.map(|name| format!(", shared as `{name}`")).unwrap_or_default();
    if let Some(bulkhead) = &policy.bulkhead {
        let settings = bulkhead.settings;
        let (most, each) = (attempts_of(settings.max), each(beside.keyed.bulkhead));
        lines.push(format!("at most {most} at a time{each}{}{}", phrases(&settings), named(beside.bulkhead)));
    }
    if let Some(rate_limit) = &policy.rate_limit {
        let settings = rate_limit.settings;
        let Rate { calls, period } = settings.rate;
        let burst = plural(settings.bursts(), "call");
        let whose = if rate_limit.by_caller { " of each caller" } else { each(beside.keyed.rate_limit) };
        let (calls, period) = (plural(calls, "call"), format_duration(period));
        let replicas = if rate_limit.distributed { " by all replicas" } else { "" };
        let rest = phrases(&settings) + &named(beside.rate_limit) + replicas;
        lines.push(format!("{calls} in {period}{whose}, {burst} at once after a pause{rest}"));
    }
    if !beside.fallback.is_empty() {
        let sources: Vec<String> = beside.fallback.iter().map(|source| fallback_answer(*source, policy)).collect();
        lines.push(format!("without a good answer: {}", sources.join(", then ")));
    }
    lines
}

/// Describes the maximum time to an answer.
fn answer(policy: &Policy) -> String {
    let (longest, latest) = (longest_answer(policy), latest_answer(policy));
    let fallback = match fallback_time(policy) {
        Duration::ZERO => String::new(),
        time => format!(", {} of which are for the fallback", format_duration(time)),
    };
    let requested = if policy.retry.is_some() && latest > longest {
        format!("; within {} where a service says `Retry-After`", format_duration(latest))
    } else {
        String::new()
    };
    format!("answers within {}{fallback}{requested}", format_duration(longest))
}

/// Describes the cached answers that are served without an error.
fn cached(cache: &CacheSettings) -> Option<String> {
    let fresh = format_duration(cache.fresh?);
    let stale = cache.stale_while_revalidate.map(|stale| {
        format!("; one that is up to {} old is served while the body runs in the background", format_duration(stale))
    });
    let bounds = format!("{}, {} together", plural(cache.max, "answer"), format_bytes(cache.max_bytes));
    Some(format!(
        "an answer that is up to {fresh} old is served again without running the body{}; at most {bounds}",
        stale.unwrap_or_default()
    ))
}

/// Describes the attempts of one call, and the delays between them.
fn attempts(policy: &Policy) -> String {
    let limit = policy.attempt_limit().map(|limit| format!(" of {}", format_duration(limit))).unwrap_or_default();
    let Some(retry) = &policy.retry else { return format!("one attempt{limit}") };
    let limit = if limit.is_empty() { limit } else { format!("{limit} each") };
    let Retry { jitter, on, .. } = *retry;
    let delays: Vec<_> = retry.schedule().map(format_duration).collect();
    let jitter = match jitter {
        Jitter::Off => "",
        Jitter::Equal => ", or down to half of that",
        Jitter::Full => ", or less",
    };
    let kinds = if on == KindSet::RETRYABLE {
        String::new()
    } else {
        let kinds = ErrorKind::ALL.iter().filter(|kind| on.contains(**kind));
        let kinds: Vec<_> = kinds.map(|kind| format!("`{kind}`")).collect();
        format!(", after {}", kinds.join(", "))
    };
    let attempts = attempts_of(retry.max + 1);
    let before = if policy.has_before { ", a function before each retry" } else { "" };
    format!("up to {attempts}{limit}{kinds}, {} apart{jitter}{before}{}", delays.join(", "), phrases(retry))
}

/// Describes when the breaker opens, and for how long.
fn opens(settings: BreakerSettings) -> String {
    let BreakerSettings { failures, rate, window, slow, slow_rate, open, .. } = settings;
    let window = match window {
        Window::Count(results) => format!("the last {}", plural(results, "result")),
        Window::Time(length) => format!("the last {}", format_duration(length)),
    };
    let mut when = Vec::new();
    match rate {
        Some(rate) => when.push(format!("{} failures in {window}", format_share(rate))),
        None => when.push(format!("{} in a row", plural(failures, "failure"))),
    }
    if let Some(slow) = slow {
        when.push(format!("{} of {window} taking {}", format_share(slow_rate), format_duration(slow)));
    }
    format!(": opens for {} after {}{}", format_duration(open), when.join(", or "), phrases(&settings))
}

/// Describes the answer of one fallback.
fn fallback_answer(source: Source, policy: &Policy) -> String {
    match source {
        Source::Cache => {
            let age =
                policy.cache.map(|cache| format!(", up to {} old", format_duration(cache.longest_stale_if_error())));
            format!("the last good one{}", age.unwrap_or_default())
        }
        Source::Function => "a fallback function's".into(),
        Source::Value => "a fixed one".into(),
        Source::Deferred => {
            let delivered = policy.deferred.as_ref().map(delivered).unwrap_or_default();
            format!("a receipt, and the write is delivered later{delivered}")
        }
    }
}

/// Describes how a deferred write is delivered.
fn delivered(settings: &DeferredSettings) -> String {
    let DeferredSettings { tries, base, ttl, on_exhausted, .. } = *settings;
    let most = if tries == 1 { "1 try".into() } else { format!("up to {tries} tries") };
    let longest = settings.schedule().last().unwrap_or(base);
    let delays = match (tries, format_duration(base), format_duration(longest)) {
        (1, base, _) => format!("after {base}"),
        (_, base, longest) if base == longest => format!("{base} apart"),
        (_, base, longest) => format!("{base} to {longest} apart"),
    };
    let end = match on_exhausted {
        OnExhausted::DeadLetter => "then it is a dead letter",
        OnExhausted::Discard => "then it is given up",
        OnExhausted::Notify => "then it is a dead letter, and the operator gets an alert",
    };
    format!(": {most}, {delays} or down to half of that, within {}, {end}", format_duration(ttl))
}

/// Returns the phrases of the parts, in their order. A part without a value, such as `none`, `false` or 0, has none.
fn phrases<S: Settings>(settings: &S) -> String {
    let phrase = |part: &Part<S>| match ((part.get)(settings), part.form) {
        (Setting::None | Setting::Flag(false) | Setting::Count(0), _) => String::new(),
        (Setting::Number(share), Form::Share | Form::Fraction) => part.phrase.replace("{}", &format_share(share)),
        (value, _) => part.phrase.replace("{}", &value.to_string()),
    };
    S::PARTS.iter().map(phrase).collect()
}

fn attempts_of(count: u32) -> String {
    plural(count, "attempt")
}

fn plural(count: u32, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BreakerUse, BulkheadSettings, BulkheadUse, Keyed, RateLimitSettings, RateLimitUse};

    #[test]
    fn the_first_line_says_how_long_an_answer_can_take() {
        assert_eq!(describe(&Policy::new(), &Beside::default()), ["answers within 30s"]);
    }

    #[test]
    fn a_longer_delay_that_a_service_may_ask_for_is_not_forgotten() {
        let policy = Policy::new().retry(Retry::new(1)).attempt_timeout(Duration::from_secs(2));
        assert_eq!(
            describe(&policy, &Beside::default())[0],
            "answers within 5s; within 30s where a service says `Retry-After`"
        );
    }

    #[test]
    fn the_ages_of_cached_answers_are_described() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let cache = CacheSettings::new().fresh(minutes(1)).max(9);
        let fresh = "an answer that is up to 1m old is served again without running the body";
        let bounds = "at most 9 answers, 64MiB together";
        assert_eq!(
            describe(&Policy::new().cache(cache), &Beside::default()),
            ["answers within 30s", &format!("{fresh}; {bounds}")]
        );
        let policy = Policy::new().cache(cache.stale_while_revalidate(minutes(90))).fallback(&[Source::Cache]);
        let stale = "one that is up to 90m old is served while the body runs in the background";
        assert_eq!(
            describe(&policy, &Beside { fallback: policy.fallback, ..Beside::default() })[1..],
            [format!("{fresh}; {stale}; {bounds}"), "without a good answer: the last good one, up to 90m old".into()]
        );
    }

    #[test]
    fn the_delivery_of_a_deferred_write_is_described() {
        let described = |settings| {
            let policy = Policy::new().fallback(&[Source::Deferred]).deferred(settings);
            describe(&policy, &Beside { fallback: policy.fallback, ..Beside::default() })
        };
        let settings = DeferredSettings::new();
        assert_eq!(
            described(settings),
            [
                "answers within 35s, 5s of which are for the fallback",
                "without a good answer: a receipt, and the write is delivered later: up to 8 tries, 30s to 30m apart or \
                 down to half of that, within 24h, then it is a dead letter",
            ]
        );
        let once = described(settings.tries(1).on_exhausted(OnExhausted::Discard));
        assert!(once[1].ends_with("1 try, after 30s or down to half of that, within 24h, then it is given up"));
    }

    #[test]
    fn what_replicas_share_is_described() {
        let limit = RateLimitUse::new(RateLimitSettings::new(100, Duration::from_secs(1))).distributed();
        let policy = Policy::new().breaker(BreakerUse::named("ignored").distributed()).rate_limit(limit);
        let beside = Beside { breaker: Some("make"), rate_limit: Some("search"), ..Beside::default() };
        assert_eq!(
            describe(&policy, &beside)[1..],
            [
                "breaker `make`; after an opening in another replica, 1 failure opens it",
                "100 calls in 1s, 100 calls at once after a pause, shared as `search` by all replicas",
            ]
        );
        let with = policy.breaker(BreakerUse::with("ignored", BreakerSettings::new()).distributed());
        assert_eq!(
            describe(&with, &beside)[1],
            "breaker `make`: opens for 1m after 5 failures in a row; after an opening in another replica, 1 failure \
             opens it"
        );
    }

    #[test]
    fn everything_that_a_policy_has_is_said() {
        let s = Duration::from_secs;
        let policy = Policy::new()
            .retry(Retry::new(3).on(KindSet::EMPTY.with(ErrorKind::Timeout)))
            .breaker(BreakerUse::with("ignored", BreakerSettings::new().rate(0.5).slow(s(2))))
            .bulkhead(BulkheadUse::new(BulkheadSettings::new(20).queue(5).wait(s(1))))
            .rate_limit(RateLimitUse::new(RateLimitSettings::new(100, s(1)).burst(5)).by_caller())
            .fallback(&[Source::Cache, Source::Function, Source::Value])
            .cache(CacheSettings::new());
        let beside = Beside {
            breaker: Some("make"),
            bulkhead: Some("all"),
            rate_limit: None,
            fallback: policy.fallback,
            keyed: Keyed { bulkhead: true, ..Keyed::default() },
        };
        assert_eq!(
            describe(&policy, &beside),
            [
                "answers within 35s, 5s of which are for the fallback",
                "up to 4 attempts of 10s each, after `timeout`, 1s, 2s, 4s apart, or down to half of that, while \
                 retries are at most 20 % of calls, and one a second",
                "breaker `make`: opens for 1m after 50 % failures in the last 100 results, or 100 % of the last 100 \
                 results taking 2s",
                "at most 20 attempts at a time for each key, 5 more may wait 1s, shared as `all`",
                "100 calls in 1s of each caller, 5 calls at once after a pause",
                "without a good answer: the last good one, up to 1h old, then a fallback function's, then a fixed one",
            ]
        );
    }
}
