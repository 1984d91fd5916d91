//! The tables contain what the metrics say.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{browser::Browser, http_server::Server};

/// Returns the values of a metric by the value of one of its labels: the sums over the other labels, of which `counts`
/// selects some.
fn sums(metrics: &str, metric: &str, label: &str, counts: impl Fn(&str) -> bool) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for line in metrics.lines() {
        let Some((labels, value)) = line.strip_prefix(metric).and_then(|rest| rest.split_once("} ")) else { continue };
        let Some((_, name)) = labels.split_once(&format!("{label}=\"")) else { continue };
        let (name, _) = name.split_once('"').unwrap();
        *sums.entry(name.to_owned()).or_default() += if counts(labels) { value.parse::<u64>().unwrap() } else { 0 };
    }
    sums
}

/// Reads the rows of the section's first table, each a list of the texts of its cells.
async fn rows(browser: &Browser, section: &str) -> Vec<Vec<String>> {
    let script = format!(
        "return [...document.querySelector('#{section} table').tBodies[0].rows]
            .map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    );
    serde_json::from_value(browser.run(&script).await).unwrap()
}

fn unless_rejected(labels: &str) -> bool {
    !["rejected", "cancelled", "deferred"].iter().any(|outcome| labels.contains(&format!("outcome=\"{outcome}\"")))
}

fn if_failed(labels: &str) -> bool {
    ["error", "timeout", "panic"].iter().any(|outcome| labels.contains(&format!("outcome=\"{outcome}\"")))
}

#[expect(clippy::cast_precision_loss, reason = "few calls")]
#[tokio::test]
async fn the_tables_of_tools_and_breakers_match_the_metrics() {
    let server = Server::start_with(&["--admin", "127.0.0.1:0"], &[]).await;
    for team in 1..=3 {
        server.call("list_scenarios", json!({ "team_id": team })).await;
    }
    server.call("get_scenario", json!({ "id": 999 })).await;
    server.enter("outage").await;
    for id in 101..=110 {
        server.call("run_scenario", json!({ "id": id })).await;
        server.call("get_scenario", json!({ "id": id })).await;
    }
    let browser = Browser::start().await;
    browser.resize(1200, 900).await;
    // An open breaker changes with time, and the demo's worker may make a call.
    let (tools, breakers, metrics) = loop {
        let (_, before) = server.metrics("text/plain").await;
        browser.open(&format!("{}/status", server.admin())).await;
        let found = (rows(&browser, "tools").await, rows(&browser, "breakers").await);
        let (_, after) = server.metrics("text/plain").await;
        let ours = |text: &str| -> Vec<String> {
            let kept = ["resilient_calls_total", "resilient_excused_total", "resilient_breaker"];
            text.lines().filter(|line| kept.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect()
        };
        if ours(&before) == ours(&after) {
            break (found.0, found.1, after);
        }
    };

    let calls = sums(&metrics, "resilient_calls_total{", "tool", |_| true);
    let ran = sums(&metrics, "resilient_calls_total{", "tool", unless_rejected);
    let mut failed = sums(&metrics, "resilient_calls_total{", "tool", if_failed);
    for (tool, excused) in sums(&metrics, "resilient_excused_total{", "tool", |_| true) {
        failed.entry(tool).and_modify(|failed| *failed -= excused);
    }
    assert!(failed["get_scenario"] < sums(&metrics, "resilient_calls_total{", "tool", if_failed)["get_scenario"]);
    let shown: BTreeMap<_, _> = tools.iter().map(|row| (row[0].clone(), row)).collect();
    let (named, known): (Vec<_>, Vec<_>) = (shown.keys().collect(), calls.keys().collect());
    assert_eq!(named, known);
    assert!(failed["run_scenario"] > 0 && failed["list_scenarios"] == 0, "{metrics}");
    for (tool, row) in shown {
        let errors = match failed[&tool] {
            0 => "0".to_owned(),
            errors => format!("{errors} ({:.1} %)", (errors * 100) as f64 / ran[&tool] as f64),
        };
        assert_eq!((&row[2], &row[3]), (&calls[&tool].to_string(), &errors), "{row:?}");
        assert_eq!(row[7] == "No errors", tool != "get_scenario" && failed[&tool] == 0, "{row:?}");
    }

    let states = sums(&metrics, "resilient_breaker_state{", "breaker", |_| true);
    assert_eq!(breakers.len(), states.len(), "{breakers:?}");
    for row in breakers {
        let state = ["closed", "half open", "open"][usize::try_from(states[&row[0]]).unwrap()];
        assert!(row[1].ends_with(state), "{row:?} is {state}");
    }
    let levels: Value =
        server.http.get(format!("{}/status", server.admin())).send().await.unwrap().json().await.unwrap();
    assert!(metrics.contains(&format!("resilient_level{{level={}}} 1", levels["level"])), "{metrics}");
}
