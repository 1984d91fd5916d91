//! The files in `deploy/`, checked by the programs that read them.

use std::{fs, path::Path};

use tempfile::tempdir;
use tokio::process::Command;

use crate::{SERVERS, run};

use super::deployed;

const SEVERITIES: [&str; 4] = ["critical", "high", "medium", "low"];

/// Runs a checker, and returns whether it is content, and all that it printed.
async fn check(program: &str, args: &[&str], file: &Path) -> (bool, String) {
    let mut command = Command::new(program);
    command.args(args).arg(file);
    let (success, out, err) = run(command, "").await;
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
async fn promtool_finds_a_rule_that_is_silent() {
    let folder = tempdir().unwrap();
    let rules = fs::read_to_string(deployed("rules.yml")).unwrap();
    assert!(rules.contains("resilient_breaker_state"), "{rules}");
    let broken = rules.replace("resilient_breaker_state", "resilient_breaker_status");
    fs::write(folder.path().join("rules.yml"), broken).unwrap();
    let tests = folder.path().join("rules.test.yml");
    fs::copy(deployed("rules.test.yml"), &tests).unwrap();
    let (success, text) = check("promtool", &["test", "rules"], &tests).await;
    assert!(!success && text.contains("ResilientBreakerOpen"), "{text}");
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
                assert!(err.contains("Expected receivers"), "{out}{err}");
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
    assert!(text.contains("RestartSec"), "{text}");
}
