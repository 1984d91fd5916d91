//! Tests of rules and dashboard against the table of series, the table of alerts, and each other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::policies::{Policies, slow_above};
use super::rules::UNCOUNTED_CODE;
use super::{PrometheusRules, dashboard};
use crate::Classify as _;
use crate::alerting::rules::{RULES, is_counted};
use crate::error::{RefusalReason, ResilienceError, ToolError as _};
use crate::export::prometheus::Format;
use crate::registry::Registry;
use crate::series::names;

/// A server with tools of three timeouts. One tool has a name that is no word, one a timeout beyond all buckets.
fn policies() -> Policies {
    let tools = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let timeouts = [(8_000, &["a.b", "c"][..]), (2_500, &["d"]), (375_000, &["endless"])];
    let timeouts = timeouts.map(|(timeout, names)| (Duration::from_millis(timeout), tools(names)));
    Policies { timeouts: timeouts.into(), has_tools: true, queue_places: 31 }
}

fn rules() -> String {
    PrometheusRules::new().job("shop").runbooks("https://wiki.example/x").text_for(policies())
}

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&dashboard::text(&policies())).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

fn targets(panel: &Value) -> impl Iterator<Item = &Value> {
    panel["targets"].as_array().into_iter().flatten()
}

/// The words of a text that begin like the name of a series.
fn names_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|symbol: char| !symbol.is_ascii_alphanumeric() && symbol != '_' && symbol != ':');
    words
        .filter(|word| ["mcp_server_", "resilient_", "process_"].iter().any(|prefix| word.starts_with(prefix)))
        .collect()
}

#[test]
fn rules_and_dashboard_name_only_series_that_are_exported() {
    let exported: BTreeSet<String> = names::ALL.iter().flat_map(|series| series.samples()).collect();
    let expressions: Vec<_> = panels().iter().flat_map(targets).map(|target| target["expr"].to_string()).collect();
    let (rules, expressions) = (rules(), expressions.join("\n"));
    for text in [&rules, &expressions] {
        let named = names_in(text);
        let unknown: Vec<_> = named.iter().filter(|name| !exported.contains(**name)).collect();
        assert!(named.len() > 10 && unknown.is_empty(), "{unknown:?}");
    }
    // Each series that is exported is shown, except for the results of caches that are read first, the alerts of the
    // process, which are for servers without a dashboard, connections, which only clients and proxies have, and what
    // replicas share.
    let hidden = [
        "resilient_cache_total",
        "resilient_alerts_lost_total",
        "resilient_distributed_degraded_total",
        "process_virtual_memory_bytes",
        "resilient_connection_up",
        "resilient_connection_restarts_total",
        "resilient_connection_junk_lines_total",
    ];
    for series in names::ALL {
        let is_shown = series.samples().iter().any(|name| names_in(&expressions).contains(&**name));
        assert!(is_shown != hidden.contains(&&*series.to_string()), "{series}");
    }
}

#[test]
fn the_exporter_exports_only_series_of_the_table() {
    let text = Format::Text.text(&Arc::new(Registry::new()));
    let exported = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let known: BTreeSet<String> = names::ALL.iter().map(|series| series.to_string().replace("_bucket", "")).collect();
    let unknown: Vec<_> = exported.filter(|name| !known.contains(*name)).collect();
    assert!(unknown.is_empty() && text.contains("resilient_level"), "{unknown:?}");
}

#[test]
fn each_alert_of_the_table_is_a_rule_with_its_severity_and_runbook() {
    let text = rules();
    for rule in RULES {
        let (_, written) =
            text.split_once(&format!("alert: {}\n", rule.name)).unwrap_or_else(|| panic!("{}", rule.name));
        let written = written.split("      - ").next().unwrap_or_default();
        assert!(written.contains(&format!("severity: {}\n", rule.severity.as_str())), "{written}");
        let url = format!("runbook_url: \"https://wiki.example/x/{}.md\"\n", rule.runbook);
        assert!(written.contains(&url), "{written}");
        let name: String =
            rule.runbook.split('-').flat_map(|word| [word[..1].to_uppercase(), word[1..].to_owned()]).collect();
        assert_eq!(format!("Resilient{name}"), rule.name);
        assert!(!written.contains("{value}") && !written.contains("{}"), "{written}");
        assert!(written.contains("job=\"shop\""), "{written}");
    }
    assert_eq!(text.matches("alert: ").count(), RULES.len());
}

#[test]
fn thresholds_come_from_the_policies() {
    let text = rules();
    assert!(text.contains(r#"{job="shop",tool=~"a\\.b|c"}, 8) > 6.4"#), "{text}");
    assert!(text.contains(r#"{job="shop",tool="d"}, 2.5) > 2"#), "{text}");
    assert!(text.contains(r#"(resilient_waiting{job="shop"}))[10m:15s]) > 15"#), "{text}");
    assert!(!text.contains("endless") && !dashboard::text(&policies()).contains("endless"), "{text}");
    let without = PrometheusRules::new().text_for(Policies::default());
    assert!(!without.contains("ResilientSlowP95") && !without.contains("tool!~"), "{without}");
    assert!(without.contains("[10m:15s]) > 100"), "{without}");
}

#[test]
fn refusals_of_all_switches_are_not_counted() {
    let since = std::time::SystemTime::now();
    for reason in [RefusalReason::ReadOnly, RefusalReason::Disabled, RefusalReason::CacheOnly] {
        let level = crate::gate::Level::Minimal;
        let refused =
            ResilienceError::Refused { reason, level, by_level: true, since, cache_only: true, is_nested: false };
        assert!(!is_counted(refused.kind()) || refused.code() == UNCOUNTED_CODE, "{refused:?}");
    }
    assert!(rules().contains(r#",code!="CACHE_ONLY"}"#));
}

#[test]
fn the_longest_timeouts_are_beyond_the_buckets() {
    let above = |seconds| slow_above(Duration::from_secs(seconds), 0.8);
    assert_eq!([above(10), above(374).map(f64::round), above(375)], [Some(8.0), Some(299.0), None]);
}

#[test]
fn without_a_job_the_rules_hold_for_all_jobs() {
    let text = PrometheusRules::new().text_for(policies());
    assert!(!text.contains("job=") && !text.contains("{,") && !text.contains("{}"), "{text}");
    assert!(text.contains("up == 0 and on (job, instance) (last_over_time(resilient_level"), "{text}");
    let odd = PrometheusRules::new().job("a\"b\\c").text_for(policies());
    assert!(odd.contains(r#"up{job="a\"b\\c"} == 0"#), "{odd}");
}

#[test]
fn the_panels_of_the_dashboard_do_not_overlap() {
    let panels = panels();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert!(ids.len() == panels.len() && !ids.contains(&None), "{ids:?}");
    let mut taken = BTreeSet::new();
    for panel in &panels {
        let [x, y, width, height] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + width <= 24, "{panel}");
        for place in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            assert!(taken.insert(place), "{panel}");
        }
        assert!(panel["type"] == "row" || targets(panel).next().is_some(), "{panel}");
    }
    let rows: Vec<_> = panels.iter().filter(|panel| panel["type"] == "row").map(|panel| &panel["title"]).collect();
    assert!(rows.len() >= 8, "{rows:?}");
}
