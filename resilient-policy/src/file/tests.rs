//! Files that are valid, and the problems of those that are not.

use std::time::Duration;

use super::*;
use crate::{
    BreakerSettings, BulkheadSettings, CacheSettings, Jitter, KindSet, RateLimitSettings, Retry, Settings, Window,
};

/// Returns the messages about all problems in a text.
fn problems(text: &str) -> Vec<String> {
    let (file, mut found) = File::parse("f.toml", text);
    if found.is_empty() {
        found = file.check(true);
    }
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn every_key_is_read() {
    let (file, found) = File::parse(
        "f.toml",
        r#"
        [default]
        timeout = "20s"
        attempt_timeout = "none"

        [profile.make]
        retry = { max = 2, base = "500ms", factor = 1.5, cap = "4s", jitter = "full", on = ["timeout"], budget = "10%" }
        breaker = "make"
        rate_limit = "100/1s"

        [breaker.make]
        rate = 0.5
        window = "60s"
        min_calls = 5
        slow = "2s"
        slow_rate = 1
        open = "10s"
        probes = 2
        successes = 3

        [tool."list.scenarios"]
        retry = 3
        breaker = "none"
        bulkhead = { max = 5, queue = 9, wait = "1s", name = "five" }
        rate_limit.rate = "5/1m"
        rate_limit.burst = 2
        cache.stale_if_error = "2h"
        "#,
    );
    assert_eq!(found, []);
    assert_eq!(file.check(true), []);
    assert_eq!(file.default.timeout, Some(Override::Is(Duration::from_secs(20))));
    assert_eq!(file.default.attempt_timeout, Some(Override::None));
    let make = &file.profiles["make"];
    let retry = Retry::new(2)
        .base(Duration::from_millis(500))
        .factor(1.5)
        .cap(Duration::from_secs(4))
        .jitter(Jitter::Full)
        .on(KindSet::EMPTY.with(crate::ErrorKind::Timeout))
        .budget(0.1);
    let parts = |table: &Option<Override<Named>>| table.as_ref().and_then(Override::value).expect("settings").clone();
    assert_eq!(Retry::of(&parts(&make.retry).parts), retry);
    assert_eq!(make.breaker, Some(Override::Is("make".into())));
    let breaker = BreakerSettings::new()
        .rate(0.5)
        .window(Window::Time(Duration::from_secs(60)))
        .min_calls(5)
        .slow(Duration::from_secs(2))
        .slow_rate(1.0)
        .open(Duration::from_secs(10))
        .probes(2)
        .successes(3);
    assert_eq!(BreakerSettings::of(&file.breakers["make"].parts), breaker);
    assert!(!file.breakers["make"].parts.has("failures"));
    let tool = &file.tools["list.scenarios"];
    assert_eq!(Retry::of(&parts(&tool.retry).parts).max, 3);
    assert_eq!(tool.breaker, Some(Override::None));
    let bulkhead = BulkheadSettings::new(5).queue(9).wait(Duration::from_secs(1));
    assert_eq!(BulkheadSettings::of(&parts(&tool.bulkhead).parts), bulkhead);
    assert_eq!(parts(&tool.bulkhead).name.as_deref(), Some("five"));
    let rate_limit = RateLimitSettings::new(5, Duration::from_secs(60)).burst(2);
    assert_eq!(RateLimitSettings::of(&parts(&tool.rate_limit).parts), rate_limit);
    assert_eq!(
        CacheSettings::of(&parts(&tool.cache).parts),
        CacheSettings::new().stale_if_error(Duration::from_secs(7200))
    );
}

#[test]
fn what_is_not_toml_is_reported_where() {
    assert_eq!(problems("[default]\ntimeout = = 3")[0].split(": this is not TOML").next(), Some("f.toml:2:11"));
    assert_eq!(problems("\u{0}")[0].split(": this is not TOML").next(), Some("f.toml:1:2"));
}

#[test]
fn unknown_names_are_reported_all_at_once_with_a_suggestion() {
    assert_eq!(
        problems("[defaults]\n[profile.a]\nretri = 3\n[profile.a.retry]\nbse = \"1s\"\n[breaker.b]\nfailure = 1\n"),
        [
            "f.toml:1:2: `defaults`: unknown table `defaults`; did you mean `default`?",
            "f.toml:3:1: `profile.a.retri`: unknown key `retri`; did you mean `retry`?",
            "f.toml:5:1: `profile.a.retry.bse`: unknown key `bse`; did you mean `base`?",
            "f.toml:7:1: `breaker.b.failure`: unknown key `failure`; did you mean `failures`?",
        ]
    );
}

#[test]
fn values_of_the_wrong_shape_are_reported_with_the_right_one() {
    let reported = problems(
        r#"
        profile = 3
        [default]
        timeout = 30
        attempt_timeout = "5"
        retry = "3"
        breaker = { failures = 3 }
        bulkhead = -1
        rate_limit = "100"
        cache = 1
        [tool]
        x = 1
        [breaker."a b"]
        [breaker.c]
        rate = "half"
        window = true
        enabled = "no"
        "#,
    );
    let expected = [
        "f.toml:2:19: `profile`: expected tables with names: `[profile.NAME]`",
        "f.toml:4:19: `default.timeout`: expected a duration with its unit in quotes; write `\"30s\"`",
        "f.toml:5:27: `default.attempt_timeout`: `5` has no unit; write `\"5s\"` or `\"5ms\"`",
        "f.toml:6:17: `default.retry`: this stands without quotes; write `3`",
        "f.toml:7:19: `default.breaker`: expected a name: the settings stand in `[breaker.NAME]`",
        "f.toml:8:20: `default.bulkhead`: expected a number that is not negative",
        "f.toml:9:22: `default.rate_limit`: expected calls and a duration such as `\"100/1s\"`, found `100`",
        "f.toml:10:17: `default.cache`: expected settings in a table: `cache = { stale_if_error = \"1h\" }`",
        "f.toml:12:13: `tool.x`: expected a table: `[tool.x]`",
        "f.toml:13:18: `breaker.a b`: ` ` is not allowed in a name; expected letters, digits, `_`, `.` or `-`",
        "f.toml:15:16: `breaker.c.rate`: expected a share such as `0.5`",
        "f.toml:16:18: `breaker.c.window`: expected a number of results, `window = 100`, or a time, `window = \"60s\"`",
        "f.toml:17:19: `breaker.c.enabled`: expected `true` or `false`",
    ];
    assert_eq!(reported, expected);
}

#[test]
fn the_rules_hold_for_what_a_table_says_by_itself() {
    assert_eq!(
        problems("[default]\ntimeout = \"25h\"\n[profile.a]\ntimeout = \"5s\"\nattempt_timeout = \"6s\"\n"),
        [
            "f.toml:2:11: `default.timeout`: expected between 1ms and 24h, found 25h",
            "f.toml:5:19: `profile.a.attempt_timeout`: `attempt_timeout` (6s) is longer than `timeout` (5s) and never \
             reached",
        ]
    );
    assert_eq!(problems("[profile.a]\nattempt_timeout = \"50s\"\n[tool.b]\nretry = 10\n"), Vec::<String>::new());
    assert_eq!(
        problems("[breaker.m]\nfailures = 0\nwindow = 5\n"),
        [
            "f.toml:2:12: `breaker.m.failures`: expected 1 to 1023, found 0",
            "f.toml:3:10: `breaker.m.window`: there is no rate to take; add `rate` or `slow`, or remove this",
        ]
    );
    assert_eq!(problems("[default]\nbulkhead = { queue = 3 }\nrate_limit = { burst = 3 }").len(), 2);
}

#[test]
fn where_a_file_has_breakers_no_other_is_named() {
    assert_eq!(problems("[default]\nbreaker = \"mkae\"\n"), Vec::<String>::new());
    assert_eq!(
        problems("[default]\nbreaker = \"mkae\"\n[breaker.make]\n"),
        ["f.toml:2:11: `default.breaker`: no breaker `mkae`; did you mean `make`?"]
    );
}

#[test]
fn a_part_is_no_mistake_for_what_it_leaves_out() {
    for (keys, value) in [
        ("retry.base", "40s"),
        ("retry.cap", "10ms"),
        ("bulkhead.wait", "1s"),
        ("rate_limit.burst", "100000000"),
        ("timeout", "1ms"),
        ("cache.fresh", "2h"),
        ("cache.stale_while_revalidate", "5m"),
        ("cache.stale_if_error", "1s"),
    ] {
        let keys: Vec<String> = keys.split('.').map(ToOwned::to_owned).collect();
        assert_eq!(Table::of_variable(&"V".into(), &keys, value).1, [], "{keys:?}");
    }
    for (key, value) in [("min_calls", "500"), ("window", "5"), ("slow_rate", "0.5"), ("failures", "9")] {
        assert_eq!(BreakerTable::of_variable(&"V".into(), &[key.to_owned()], value).1, [], "{key}");
    }
    let reported = |keys: &str, value: &str| {
        let keys: Vec<String> = keys.split('.').map(ToOwned::to_owned).collect();
        let (_, found) = Table::of_variable(&"V".into(), &keys, value);
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(reported("cache.max_bytes", "100B"), ["V: `cache.max_bytes`: expected at least 1KiB, found 100B"]);
    assert_eq!(
        reported("cache.max_age", "1h"),
        ["V: `cache.max_age`: unknown key `max_age`: the part is called `stale_if_error`; write `stale_if_error`"]
    );
    assert_eq!(reported("timeout", "25h"), ["V: `timeout`: expected between 1ms and 24h, found 25h"]);
    assert_eq!(
        reported("rate_limit", "0/1s"),
        ["V: `rate_limit.rate`: a rate of 0 lets nothing through; `rate_limit = \"none\"` refuses an inherited one, \
             otherwise remove it"]
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".*") {
        let _ = problems(&text);
    }

    #[test]
    fn no_toml_makes_it_panic(
        section in "default|profile\\.[a-z]|breaker\\.[a-z]|tool\\.[a-z]|feature\\.[a-z]|level(\\.(normal|minimal))?|[a-z]+",
        key in "timeout|retry|bulkhead|rate_limit|cache|failures|rate|window|open|retry\\.on|retry\\.base|enabled|disable\
            |concurrency|start|minimal|[a-z]+",
        value in "\"[^\"\\\\]*\"|-?[0-9]{1,30}|[0-9]\\.[0-9]e[0-9]{1,3}|true|\\[\"[a-z_]*\"\\]|nan|inf|1979-05-27|\\{ max = -1 \\}",
    ) {
        let _ = problems(&format!("[{section}]\n{key} = {value}\n"));
    }
}
