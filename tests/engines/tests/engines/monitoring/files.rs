//! The files in `deploy/`, checked by the programs that read them.

use std::{fs, path::Path, time::Duration};

use serde_json::json;
use tempfile::tempdir;
use tokio::process::Command;

use crate::{SERVERS, run, run_within};

use super::deployed;

/// `promtool test rules` simulates days.
const PATIENCE: Duration = Duration::from_secs(600);

const SEVERITIES: [&str; 4] = ["critical", "high", "medium", "low"];

/// Runs a checker, and returns whether it is content, and all that it printed.
async fn check(program: &str, args: &[&str], file: &Path) -> (bool, String) {
    let mut command = Command::new(program);
    command.args(args).arg(file);
    let (success, out, err) = run_within(PATIENCE, command, "").await;
    (success, format!("{out}{err}"))
}

async fn assert_good(program: &str, args: &[&str], file: &str) -> String {
    let (success, text) = check(program, args, &deployed(file)).await;
    assert!(success, "{program} {args:?} {file}: {text}");
    text
}

#[tokio::test]
async fn promtool_accepts_the_rules_and_their_tests_and_the_configuration() {
    let text = assert_good("promtool", &["check", "rules", "--lint-fatal"], "rules.yml").await;
    assert!(text.contains("SUCCESS"), "{text}");
    assert_good("promtool", &["test", "rules"], "rules.test.yml").await;
    assert_good("promtool", &["check", "config", "--syntax-only"], "prometheus.yml").await;
}

#[tokio::test]
async fn promtool_finds_an_alert_that_a_test_does_not_expect() {
    let of_breaker = |series: &str| format!("{series}{{job=\"make-server\",instance=\"a\",breaker=\"make\"}}");
    let test = json!({
        "rule_files": [deployed("rules.yml")],
        "tests": [{
            "interval": "15s",
            "input_series": [
                { "series": of_breaker("resilient_breaker_state"), "values": "2x20" },
                { "series": of_breaker("resilient_breaker_rejected_total"), "values": "0+10x20" },
                { "series": of_breaker("resilient_breaker_results_total"), "values": "0x20" },
            ],
            "alert_rule_test": [{ "alertname": "ResilientBreakerOpen", "eval_time": "4m", "exp_alerts": [] }],
        }],
    });
    let folder = tempdir().unwrap();
    let file = folder.path().join("rules.test.yml");
    // JSON is YAML.
    fs::write(&file, test.to_string()).unwrap();
    let (success, text) = check("promtool", &["test", "rules"], &file).await;
    assert!(!success && text.contains("ResilientBreakerOpen") && text.contains("breaker=\"make\""), "{text}");
}

#[tokio::test]
async fn amtool_accepts_the_configuration_and_routes_every_severity() {
    let text = assert_good("amtool", &["check-config"], "alertmanager.yml").await;
    assert!(text.contains("SUCCESS"), "{text}");
    let file = format!("--config.file={}", deployed("alertmanager.yml").display());
    for severity in SEVERITIES {
        let mut receivers = Vec::new();
        for other in SEVERITIES {
            let mut amtool = Command::new("amtool");
            amtool.args(["config", "routes", "test", &file, &format!("--verify.receivers={other}")]);
            amtool.args([format!("severity={severity}"), "alertname=ResilientServerDown".to_owned()]);
            let (success, out, err) = run(amtool, "").await;
            if success {
                receivers.push(other);
            } else {
                assert!(out.contains("Expected receivers"), "{out}{err}");
            }
        }
        assert_eq!(receivers, [severity]);
    }
}

#[tokio::test]
async fn systemd_accepts_the_unit() {
    let unit = fs::read_to_string(deployed("http-server.service")).unwrap();
    let folder = tempdir().unwrap();
    let file = folder.path().join("http-server.service");
    // It checks whether the program exists.
    let mut lines: Vec<_> = unit.lines().map(str::to_owned).collect();
    let start = lines.iter_mut().find(|line| line.starts_with("ExecStart=")).expect("a program");
    let (_, arguments) = start.split_once(' ').unwrap_or_default();
    *start = format!("ExecStart={SERVERS} {arguments}");
    fs::write(&file, lines.join("\n")).unwrap();
    let (success, text) = check("systemd-analyze", &["verify", "--man=no"], &file).await;
    assert!(success && !text.contains("http-server"), "{text}");
    for setting in ["Type=notify", "RestartSec=1", "StartLimitBurst=5", "StartLimitIntervalSec=60", "MemoryMax=512M"] {
        assert!(lines.iter().any(|line| line == setting), "no {setting} in {unit}");
    }

    fs::write(&file, lines.join("\n").replace("RestartSec=1", "RestartSec=soon")).unwrap();
    let (_, text) = check("systemd-analyze", &["verify", "--man=no"], &file).await;
    assert!(text.contains("Failed to parse") && text.contains("soon"), "{text}");
}
