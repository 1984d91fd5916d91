//! Generates arguments of `#[resilient(..)]` and contents of `resilient.toml`.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use resilient_policy::{
    BreakerSettings, BulkheadSettings, CacheSettings, DeferredSettings, RateLimitSettings, Retry, Settings as _,
};

use super::tokens::{Tokens, entry, joined, list, some_of, soups};
use crate::resilient::parse::args;

/// The keys of the attribute, the names of all parts, and words that are neither.
static KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    const OTHERS: &[&str] =
        &["key", "on", "before", "distributed", "from", "writes", "retri", "r#retry", "a::b", "::timeout"];
    let parts = [
        Retry::names(false),
        BreakerSettings::names(false),
        BulkheadSettings::names(false),
        RateLimitSettings::names(false),
        CacheSettings::names(false),
        DeferredSettings::names(false),
    ];
    [args::KEYS, &parts.concat(), OTHERS].concat()
});

const VALUES: &[&str] = &[
    "3",
    "1",
    "0",
    "11",
    "-1",
    "1.5",
    "1e400",
    "99999999999999999999999999",
    "3u8",
    "1m",
    "60s",
    "2.5x",
    "\"30s\"x",
    "20%",
    "Self::",
    "not-found",
    "ErrorKind::Timeout",
    "\"none\"",
    "None",
    "\"caller\"",
    "\"1h30m\"",
    "\"30s\"",
    "\"1ms\"",
    "\"0s\"",
    "\"-1s\"",
    "\"1.5h\"",
    "\"99999999999999999999s\"",
    "\"\"",
    "\"64MiB\"",
    "64MiB",
    "\"1023B\"",
    "\"20%\"",
    "\"NaN%\"",
    "\"-1%\"",
    "\"100/1s\"",
    "\"0/1s\"",
    "\"/\"",
    "\"make\"",
    "\"a b\"",
    "none",
    "cached",
    "deferred",
    "dead_letter",
    "notify",
    "caller",
    "shared",
    "equal",
    "full",
    "off",
    "timeout",
    "not_found",
    "path::to::f",
    "::absolute::path",
    "crate::path",
    "Self::f",
    "<T as U>::f",
    "f::<u8>",
    "[cached, f]",
    "[f, deferred]",
    "[deferred, cached]",
    "[]",
    "[\"exports\", \"exports\", none]",
    "[value(1), cached]",
    "value(1 + 1)",
    "value()",
    "value(1, 2)",
    "f(1)",
    "(a, b)",
    "&self.zone",
    "|x| x",
    "{ 1 }",
    "id.0[1]",
    "x as u8",
    "r#fn",
    "true",
    "'c'",
    "b\"b\"",
    "format!(\"{}\", 1)",
    "if a { b } else { c }",
];

/// Entries that are valid, at least alone.
const RIGHT: &[&str] = &[
    "retry = 2",
    "timeout = \"30s\"",
    "attempt_timeout = \"5s\"",
    "breaker = \"make\"",
    "bulkhead = 20",
    "rate_limit = \"100/1s\"",
    "fallback = [cached, path::to::f, value(1 + 1)]",
    "cache(stale_if_error = \"1m\", max = 7, scope = shared, key = id)",
    "invalidates = \"mine\"",
    "read_only",
    "log_args(id, more.len())",
    "feature = \"exports\"",
    "authorize = Self::f",
    "profile = \"make\"",
    "name = \"mine\"",
    "crate = ::renamed",
];

/// The same keys with other values.
const RIGHT_TOO: &[&str] = &[
    "retry(max = 1, base = \"1s\", factor = 1.5, cap = \"9s\", jitter = full, on(timeout, connection), budget = none)",
    "timeout = none",
    "breaker(name = \"other\", rate = 0.5, window = \"60s\", slow = \"2s\", key = more)",
    "bulkhead(max = 5, queue = 5, wait = \"1s\", key = (id, more))",
    "rate_limit(rate = \"1/1s\", burst = 2, key = caller, max_keys = 9, name = \"all\", distributed)",
    "fallback = Self::f",
    "cache(fresh = \"30s\", stale_while_revalidate = \"5m\", max_bytes = \"64MiB\")",
    "fallback = deferred",
    "deferred(tries = 3, base = \"1s\", cap = \"4s\", ttl = \"1h\", key = id, on_exhausted = notify)",
    "invalidates = [\"f\", \"mine\"]",
    "idempotent",
    "feature = [\"exports\", \"slow\"]",
    "critical",
    "timeout(max = \"30s\", from = id)",
    "retry(max = 2, on(unauthenticated), before = Self::f)",
    "classify = path::to::f",
    "authorize = <Self as path::to::T>::f",
    "retry_unsafe = \"why not\"",
    "skip",
    "__inherited(retry = 1, timeout = \"9s\")",
];

/// Keys that are valid above a handler.
const RIGHT_FOR_HANDLER: &[&str] = &[
    "timeout = \"30s\"",
    "rate_limit(rate = \"100/1s\", key = caller)",
    "rate_limit(rate = \"100/1s\", name = \"all\", distributed)",
    "bulkhead(max = 20, name = \"all\")",
    "authorize = Self::f",
    "crate = ::renamed",
];

/// Keys that are valid above a method of a handler.
const RIGHT_FOR_METHOD: &[&str] = &[
    "timeout = none",
    "retry(max = 2, on(internal))",
    "breaker(failures = 1, key = request.uri)",
    "breaker(name = \"make\", distributed)",
    "rate_limit = none",
    "bulkhead = 5",
    "idempotent",
    "retry_unsafe = \"why not\"",
    "cache(fresh = \"30s\", max = 7, max_bytes = \"1MiB\", scope = shared)",
    "cache(fresh = \"30s\", key = request.uri)",
    "cache(stale_while_revalidate = \"30s\", stale_if_error = \"1h\")",
    "cache()",
];

/// Keys above a handler: usually such as have a meaning there.
pub(super) fn of_handler() -> BoxedStrategy<Tokens> {
    prop_oneof![6 => some_of(RIGHT_FOR_HANDLER, 3), 2 => attribute()].boxed()
}

/// Keys above a method of a handler: usually such as have a meaning there.
pub(super) fn of_method() -> BoxedStrategy<Tokens> {
    prop_oneof![6 => some_of(RIGHT_FOR_METHOD, 3), 2 => attribute()].boxed()
}

pub(super) fn attribute() -> BoxedStrategy<Tokens> {
    let also = (some_of(RIGHT, 3), entry(&KEYS, VALUES)).prop_map(|(right, also)| joined([right, also]));
    prop_oneof![
        6 => some_of(RIGHT, 4),
        3 => some_of(RIGHT_TOO, 3),
        4 => also,
        4 => list(entry(&KEYS, VALUES), 5),
        1 => soups(6),
    ]
    .boxed()
}

const SECTIONS: &[&str] = &[
    "default",
    "profile.make",
    "profile.other",
    "breaker.make",
    "breaker.other",
    "tool.f",
    "tool.mine",
    "tools",
    "level",
    "level.degraded",
    "feature.exports",
    "feature.slow",
];

const LINES: &[&str] = &[
    "timeout = \"20s\"",
    "timeout = 3",
    "attempt_timeout = \"5s\"",
    "attempt_timeout = \"none\"",
    "retry = 2",
    "retry = { max = 11, base = \"9s\", on = [\"timeout\"] }",
    "retry.factor = nan",
    "breaker = \"make\"",
    "breaker = \"none\"",
    "bulkhead = { queue = 3 }",
    "bulkhead = 7",
    "rate_limit = \"5/1m\"",
    "cache = { stale_if_error = \"1s\" }",
    "deferred = { tries = 9, cap = \"2m\" }",
    "cache = { fresh = \"1s\", max_bytes = \"1MiB\" }",
    "failures = 3",
    "rate = 0.5",
    "window = \"60s\"",
    "enabled = false",
    "open = 1979-05-27",
    "start = \"minimal\"",
    "disable = [\"exports\"]",
    "concurrency = 3",
    "description = \"exports\"",
    "retri = 3",
    "= 3",
    "[default]",
];

/// A file that can usually be read.
pub(super) fn file() -> BoxedStrategy<String> {
    let table = (select(SECTIONS), subsequence(LINES, 0..3));
    let tables = vec(table, 0..5).prop_map(|tables| {
        let text = tables.into_iter().map(|(section, lines)| format!("[{section}]\n{}\n", lines.join("\n")));
        text.collect::<String>()
    });
    prop_oneof![9 => tables, 1 => ".{0,40}"].boxed()
}
