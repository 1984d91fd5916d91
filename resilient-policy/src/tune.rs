//! Changes a compiled policy at start. Settings can be changed or removed; a setting that the code does not have cannot
//! be added.

use crate::breaker::BreakerSettings;
use crate::cache::CacheSettings;
use crate::file::Table;
use crate::policy::{Policy, Source};
use crate::problem::Problem;
use crate::schema::{Override, Parts, Settings};

/// The functions to which a table applies. This decides what happens to a key that a function lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// One function: the key is a mistake.
    OneFunction,
    /// Many functions: the key applies to those that have the setting.
    Many,
}

/// Changes a policy as the table says. Keys that the table may not change are reported and have no effect.
///
/// A key can only be changed if the `compiled` policy has it. A value that overrides a `none` starts from the compiled
/// one.
#[must_use]
pub fn tune(policy: &mut Policy, compiled: &Policy, table: &Table, functions: For) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut missing = |path: &'static str| {
        if functions == For::OneFunction {
            let message = "the code does not have this key; a setting can tune or disable what was compiled in, not \
                           add to it";
            found.push(Problem::new(path, message));
        }
    };
    match table.timeout {
        Some(Override::Is(timeout)) => policy.timeout = timeout,
        Some(Override::None) => policy.timeout = Policy::DEFAULT_TIMEOUT,
        None => {}
    }
    match (table.attempt_timeout, compiled.attempt_limit()) {
        (Some(_), None) => missing("attempt_timeout"),
        (Some(Override::Is(limit)), Some(_)) => policy.attempt_timeout = Some(limit),
        (Some(Override::None), Some(_)) => policy.attempt_timeout = None,
        (None, _) => {}
    }
    match (&table.retry, compiled.retry) {
        (Some(_), None) => missing("retry"),
        (Some(Override::Is(named)), Some(retry)) => policy.retry.get_or_insert(retry).apply(&named.parts),
        (Some(Override::None), _) => policy.retry = None,
        (None, _) => {}
    }
    match (&table.bulkhead, compiled.bulkhead) {
        (Some(_), None) => missing("bulkhead"),
        (Some(Override::Is(named)), Some(bulkhead)) => {
            policy.bulkhead.get_or_insert(bulkhead).settings.apply(&named.parts);
        }
        (Some(Override::None), _) => policy.bulkhead = None,
        (None, _) => {}
    }
    match (&table.rate_limit, compiled.rate_limit) {
        (Some(_), None) => missing("rate_limit"),
        (Some(Override::Is(named)), Some(rate_limit)) => {
            policy.rate_limit.get_or_insert(rate_limit).settings.apply(&named.parts);
        }
        (Some(Override::None), _) => policy.rate_limit = None,
        (None, _) => {}
    }
    match (&table.cache, compiled.cache) {
        (Some(_), None) => missing("cache"),
        (Some(Override::Is(named)), Some(cache)) => {
            let parts = cache_parts(&named.parts, &cache, compiled.fallback.contains(&Source::Cache), &mut missing);
            policy.cache.get_or_insert(cache).apply(&parts);
        }
        (Some(Override::None), _) => policy.cache = None,
        (None, _) => {}
    }
    match (&table.deferred, compiled.deferred) {
        (Some(_), None) => missing("deferred"),
        (Some(Override::Is(named)), Some(deferred)) => policy.deferred.get_or_insert(deferred).apply(&named.parts),
        (Some(Override::None), _) => policy.deferred = None,
        (None, _) => {}
    }
    match (&table.breaker, compiled.breaker) {
        (Some(_), None) => missing("breaker"),
        (Some(Override::None), Some(_)) => policy.breaker = None,
        (Some(Override::Is(name)), Some(breaker)) if name == breaker.name => policy.breaker = Some(breaker),
        (Some(Override::Is(_)), Some(breaker)) => {
            let message =
                format!("which breaker guards a function is compiled in: `{}`; expected `none`", breaker.name);
            found.push(Problem::new("breaker", message));
        }
        (None, _) => {}
    }
    let differs =
        |compiled: Option<&'static str>, set: Option<&String>| set.is_some_and(|set| compiled != Some(&**set));
    let bulkhead = table.bulkhead.as_ref().and_then(Override::value).and_then(|limit| limit.name.as_ref());
    let rate_limit = table.rate_limit.as_ref().and_then(Override::value).and_then(|limit| limit.name.as_ref());
    for (path, is_refused) in [
        ("bulkhead.name", compiled.bulkhead.is_some_and(|compiled| differs(compiled.name, bulkhead))),
        ("rate_limit.name", compiled.rate_limit.is_some_and(|compiled| differs(compiled.name, rate_limit))),
    ] {
        if is_refused {
            found.push(Problem::new(path, "who shares a limit is compiled in; remove this"));
        }
    }
    found
}

/// Returns the parts that fit a compiled cache. Each of the others is a use of the cache that was not compiled in.
fn cache_parts<L: Clone>(
    parts: &Parts<L>,
    compiled: &CacheSettings,
    falls_back_on_cache: bool,
    missing: &mut impl FnMut(&'static str),
) -> Parts<L> {
    let mut parts = parts.clone();
    for (name, is_compiled) in [
        ("fresh", compiled.fresh.is_some()),
        ("stale_while_revalidate", compiled.stale_while_revalidate.is_some()),
        ("stale_if_error", falls_back_on_cache),
    ] {
        if let Some(written) = parts.get(name).filter(|_| !is_compiled) {
            missing(written.path);
            parts.remove(name);
        }
    }
    parts
}

/// Changes a breaker's settings. Parts that do not fit the breaker are reported and have no effect.
#[must_use]
pub fn tune_breaker<L: Clone>(settings: &mut BreakerSettings, parts: &Parts<L>) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut parts = parts.clone();
    let by_rate = "this breaker opens by a rate, as the code says; tune `rate`, `window` or `min_calls`";
    let in_a_row = "this breaker counts failures in a row, as the code says; tune `failures`";
    let no_slow = "no call counts as slow for this breaker, as the code says";
    for (name, is_refused, message) in [
        ("failures", settings.rate.is_some(), by_rate),
        ("rate", settings.rate.is_none(), in_a_row),
        ("slow", settings.slow.is_none(), no_slow),
        ("slow_rate", settings.slow.is_none(), no_slow),
        ("window", !settings.has_window(), in_a_row),
        ("min_calls", !settings.has_window(), in_a_row),
    ] {
        if let Some(written) = parts.get(name).filter(|_| is_refused) {
            found.push(Problem::new(written.path, message));
            parts.remove(name);
        }
    }
    settings.apply(&parts);
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::{BreakerTable, BreakerUse, DeferredSettings, OnExhausted, Retry};

    fn table(keys: &str, value: &str) -> Table {
        let keys: Vec<String> = keys.split('.').map(ToOwned::to_owned).collect();
        let (table, found) = Table::of_variable(&Arc::from("VARIABLE"), &keys, value);
        assert_eq!(found, []);
        table
    }

    #[test]
    fn what_is_there_is_tuned_part_by_part() {
        let compiled = Policy::new().retry(Retry::new(3).factor(3.0)).breaker(BreakerUse::named("make"));
        let mut policy = compiled;
        for (keys, value) in
            [("retry.base", "250ms"), ("timeout", "9s"), ("attempt_timeout", "2s"), ("breaker", "none")]
        {
            assert_eq!(tune(&mut policy, &compiled, &table(keys, value), For::OneFunction), [], "{keys}");
        }
        let expected = Policy::new()
            .retry(Retry::new(3).factor(3.0).base(Duration::from_millis(250)))
            .timeout(Duration::from_secs(9))
            .attempt_timeout(Duration::from_secs(2));
        assert_eq!(policy, expected);
    }

    #[test]
    fn a_value_that_is_stronger_than_a_none_begins_with_what_was_compiled_in() {
        let compiled = Policy::new().retry(Retry::new(3).factor(3.0)).breaker(BreakerUse::named("make"));
        let mut policy = compiled;
        for (keys, value) in [("retry", "none"), ("breaker", "none"), ("retry.max", "2"), ("breaker", "make")] {
            assert_eq!(tune(&mut policy, &compiled, &table(keys, value), For::OneFunction), [], "{keys}");
        }
        assert_eq!(policy, compiled.retry(Retry::new(2).factor(3.0)));
    }

    #[test]
    fn nothing_is_added_to_one_function_and_many_take_what_they_have() {
        for (keys, value) in [
            ("retry", "2"),
            ("attempt_timeout", "2s"),
            ("breaker", "make"),
            ("bulkhead", "3"),
            ("rate_limit", "1/1s"),
            ("deferred", "none"),
        ] {
            let mut policy = Policy::new();
            let paths: Vec<_> = tune(&mut policy, &Policy::new(), &table(keys, value), For::OneFunction)
                .iter()
                .map(|problem| problem.path)
                .collect();
            assert_eq!(paths, [keys]);
            assert_eq!(tune(&mut policy, &Policy::new(), &table(keys, value), For::Many), []);
            assert_eq!(policy, Policy::new());
        }
    }

    #[test]
    fn the_delivery_of_deferred_writes_is_tuned_part_by_part_and_switched_off() {
        let settings = DeferredSettings::new().tries(3);
        let compiled = Policy::new().fallback(&[Source::Deferred]).deferred(settings);
        let mut policy = compiled;
        for (keys, value, expected) in [
            ("deferred.ttl", "2h", Some(settings.ttl(Duration::from_secs(7_200)))),
            ("deferred", "none", None),
            ("deferred.on_exhausted", "discard", Some(settings.on_exhausted(OnExhausted::Discard))),
        ] {
            assert_eq!(tune(&mut policy, &compiled, &table(keys, value), For::OneFunction), [], "{keys}");
            assert_eq!(policy.deferred, expected);
        }
    }

    #[test]
    fn a_cache_serves_only_where_the_code_says() {
        let s = Duration::from_secs;
        let ages = [("cache.fresh", "20s"), ("cache.stale_while_revalidate", "2m"), ("cache.stale_if_error", "2h")];
        let tuned = |compiled: Policy, functions| {
            let (mut policy, mut paths) = (compiled, Vec::new());
            for (key, value) in ages {
                let table = table(key, value);
                paths.extend(tune(&mut policy, &compiled, &table, functions).iter().map(|problem| problem.path));
            }
            (policy.cache.expect("the cache"), paths)
        };
        let of_fallback = Policy::new().cache(CacheSettings::new()).fallback(&[Source::Cache]);
        let of_reads = Policy::new().cache(CacheSettings::new().fresh(s(9)));
        let of_both = of_fallback.cache(CacheSettings::new().fresh(s(9)).stale_while_revalidate(s(90)));
        let on_error = CacheSettings::new().stale_if_error(s(7200));
        assert_eq!(tuned(of_fallback, For::Many), (on_error, vec![]));
        assert_eq!(
            tuned(of_fallback, For::OneFunction),
            (on_error, vec!["cache.fresh", "cache.stale_while_revalidate"])
        );
        let fresh = CacheSettings::new().fresh(s(20));
        let missing = vec!["cache.stale_while_revalidate", "cache.stale_if_error"];
        assert_eq!(tuned(of_reads, For::OneFunction), (fresh, missing));
        assert_eq!(tuned(of_both, For::OneFunction), (on_error.fresh(s(20)).stale_while_revalidate(s(120)), vec![]));
    }

    #[test]
    fn a_breaker_keeps_the_way_it_counts() {
        let parts = |written: &[(&str, &str)]| {
            let table = |(key, value): &(&str, &str)| {
                BreakerTable::of_variable(&Arc::from("VARIABLE"), &[(*key).to_owned()], value).0.parts.0
            };
            Parts(written.iter().flat_map(table).collect())
        };
        let paths = |mut settings: BreakerSettings, written: &[(&str, &str)]| {
            tune_breaker(&mut settings, &parts(written)).iter().map(|problem| problem.path).collect::<Vec<_>>()
        };
        let in_a_row = BreakerSettings::new();
        let by_rate = BreakerSettings::new().rate(0.5);
        assert_eq!(paths(in_a_row, &[("failures", "9")]), Vec::<&str>::new());
        assert_eq!(paths(in_a_row, &[("rate", "0.1"), ("window", "9")]), ["breaker.rate", "breaker.window"]);
        assert_eq!(paths(by_rate, &[("rate", "0.1"), ("window", "9")]), Vec::<&str>::new());
        assert_eq!(paths(by_rate, &[("failures", "9")]), ["breaker.failures"]);
    }
}
