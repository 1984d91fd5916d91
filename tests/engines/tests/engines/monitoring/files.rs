//! The files in `deploy/`, checked by the programs that read them.

use std::{
    fs,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

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
async fn promtool_accepts_the_configuration_with_the_targets_of_all_replicas() {
    let folder = tempdir().unwrap();
    let targets = folder.path().join("targets");
    fs::create_dir(&targets).unwrap();
    for file in ["prometheus.yml", "rules.yml"] {
        fs::copy(deployed(file), folder.path().join(file)).unwrap();
    }
    let (targets, config) = (targets.join("replicas.yml"), folder.path().join("prometheus.yml"));
    fs::copy(deployed("targets.yml"), &targets).unwrap();
    let (success, text) = check("promtool", &["check", "config"], &config).await;
    assert!(success && text.contains("SUCCESS"), "{text}");
    fs::write(&targets, "- server-2:8000").unwrap();
    let (success, text) = check("promtool", &["check", "config"], &config).await;
    assert!(!success, "{text}");
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
async fn haproxy_accepts_the_configuration_of_the_balancer() {
    assert_good("haproxy", &["-c", "-f"], "haproxy.cfg").await;
    let config = fs::read_to_string(deployed("haproxy.cfg")).unwrap();
    let folder = tempdir().unwrap();
    let file = folder.path().join("haproxy.cfg");
    fs::write(&file, config.replace("balance leastconn", "balance leastcon")).unwrap();
    let (success, text) = check("haproxy", &["-c", "-f"], &file).await;
    assert!(!success && text.contains("leastcon"), "{text}");
}

#[tokio::test]
async fn redis_keeps_accepted_runs_and_the_probe_of_its_container_knows_the_password() {
    let folder = tempdir().unwrap();
    let in_folder = |name: &str| folder.path().join(name).display().to_string();
    let secret = in_folder("redis_conf");
    fs::write(&secret, "requirepass only-replicas-know-it\n").unwrap();
    let config = fs::read_to_string(deployed("redis.conf")).unwrap();
    let config =
        config.replace("/run/secrets/redis_conf", &secret).replace("dir /data", &format!("dir {}", in_folder("")));
    fs::write(in_folder("redis.conf"), config).unwrap();
    let mut redis = Command::new("redis-server");
    redis.args([in_folder("redis.conf"), "--port".to_owned(), "0".to_owned(), "--unixsocket".to_owned()]);
    redis.arg(in_folder("socket")).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let _redis = redis.spawn().unwrap_or_else(|error| panic!("{error}; run tests/engines/install"));

    let compose = fs::read_to_string(deployed("compose.replicas.yml")).unwrap();
    let probe = compose.split_once("test: [\"CMD-SHELL\", \"").expect("a probe").1.split_once("\"]").unwrap().0;
    let probe = probe.replace("$$", "$").replace("/run/secrets/redis_conf", &secret);
    let cli = format!("redis-cli -s {}", in_folder("socket"));
    let shell = async |line: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &line.replace("redis-cli", &cli)]);
        run(shell, "").await
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while !shell(&probe).await.0 {
        assert!(Instant::now() < deadline, "{probe}");
    }
    assert!(!shell("redis-cli ping | grep -q PONG").await.0, "it answers without the password");
    for (name, value) in
        [("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "volatile-lru"), ("save", "")]
    {
        let (_, out, err) = shell(&format!("REDISCLI_AUTH=only-replicas-know-it redis-cli CONFIG GET {name}")).await;
        assert_eq!(out.trim_end_matches('\n'), format!("{name}\n{value}").trim_end_matches('\n'), "{err}");
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
