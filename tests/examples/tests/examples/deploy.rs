//! `deploy/`: it is what the servers print, names only metrics that exist, and agrees with the code about numbers.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use resilient_tests::fixture::repository;
use serde_json::Value;

use crate::common::command;

const SERVERS: [&str; 8] = [
    "http-server",
    "make-server",
    "quickstart",
    "api-debugger",
    "auditor",
    "scenario-sync",
    "search-server",
    "wiki-issues",
];

/// Names in `deploy/` that look like metrics.
const NO_METRICS: [&str; 1] = ["resilient_runtime"];

fn folder() -> PathBuf {
    repository().join("deploy")
}

fn read(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below the folder, except secrets.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if path.ends_with("secrets") => {}
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// Runs a server with one argument, under no settings.
fn run(server: &str, argument: &str) -> Output {
    let mut command = command(server);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RESILIENT")) {
        command.env_remove(name);
    }
    command.arg(argument).env_remove("MAKE_API_TOKEN").stdin(Stdio::null()).output().unwrap()
}

fn printed(server: &str, what: &str) -> String {
    let output = run(server, what);
    assert!(output.status.success() && output.stderr.is_empty(), "{server} {what}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The words of a text that begin like this.
fn words(text: &str, prefix: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with(prefix)).map(str::to_owned).collect()
}

/// The alerts that the rules define.
fn alerts() -> BTreeSet<String> {
    let rules = read("rules.yml");
    let named = rules.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("alert: "));
    named.map(|name| name.trim_matches(['"', '\'']).to_owned()).collect()
}

/// The value of a line such as `KEY=VALUE`.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    text.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap_or_else(|| panic!("no `{key}` in\n{text}"))
}

fn seconds(text: &str) -> u64 {
    text.trim().trim_end_matches('s').parse().unwrap_or_else(|_| panic!("{text}"))
}

#[test]
fn rules_and_dashboard_are_what_the_http_server_prints() {
    for (file, what) in [("rules.yml", "rules"), ("dashboard.json", "dashboard")] {
        assert!(
            read(file) == printed("http-server", what),
            "deploy/{file} is old: cargo run --bin http-server -- {what} > deploy/{file}"
        );
    }
}

#[test]
fn every_server_prints_rules_and_a_dashboard_and_no_store_is_opened() {
    let unused = std::env::temp_dir().join("resilient-deploy-test").join("deferred.db");
    for server in SERVERS {
        let rules = printed(server, "rules");
        assert!(rules.contains("alert: ResilientBreakerOpen") && rules.ends_with('\n'), "{server}: {rules}");
        serde_json::from_str::<Value>(&printed(server, "dashboard")).unwrap();
        let mut with_store = command(server);
        let output = with_store.arg("rules").env("RESILIENT_DEFERRED_PATH", &unused).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{server}");
        let output = command(server).args(["rules", "--demo"]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{server}");
        let mut wrong = command(server);
        let output = wrong.arg("rules").env("RESILIENT__DEFAULT__TIMEOUT", "soon").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{server}: {said}");
        assert!(said.contains("RESILIENT__DEFAULT__TIMEOUT"), "{server}: {said}");
    }
    assert!(!unused.exists());
}

#[test]
fn routes_and_inhibitions_name_alerts_that_exist() {
    let alerts = alerts();
    assert!(alerts.len() > 10, "{alerts:?}");
    let named = words(&read("alertmanager.yml"), "Resilient");
    let unknown: Vec<_> = named.iter().filter(|name| *name != "Resilient" && !alerts.contains(*name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let severities = words(&read("rules.yml").replace("severity: ", "severity_"), "severity_");
    for severity in severities {
        let severity = severity.trim_start_matches("severity_");
        assert!(read("alertmanager.yml").contains(&format!("matchers: [severity = {severity}]")), "{severity}");
    }
}

/// A duration of the table of rules as Prometheus writes it: `minutes(5)`, `hours(12)`.
fn duration(code: &str) -> String {
    let (unit, number) = code.trim_end_matches(')').split_once('(').unwrap();
    format!("{number}{}", &unit[..1])
}

/// The repeat interval of an alert with this severity, from the routes of Alertmanager.
fn repeated(config: &str, alert: &str, severity: &str) -> String {
    let (_, routes) = config.split_once("\nroute:").unwrap();
    let (routes, _) = routes.split_once("\ninhibit_rules:").unwrap();
    let (top, routes) = routes.split_once("\n  routes:").unwrap();
    let of = |text: &str| text.split_once("repeat_interval: ").map(|(_, rest)| rest.lines().next().unwrap().to_owned());
    let route = routes.split("\n    - ").find(|route| route.contains(&format!("[severity = {severity}]"))).unwrap();
    let (own, nested) = route.split_once("      routes:").unwrap_or((route, ""));
    let nested = nested.split("        - matchers: ").find(|route| words(route, "Resilient").contains(alert));
    nested.and_then(of).or_else(|| of(own)).or_else(|| of(top)).unwrap()
}

#[test]
fn an_alert_is_repeated_as_often_as_the_table_of_rules_says() {
    let table = repository().join("resilient-runtime/src/alerting/rules/table.rs");
    let table = fs::read_to_string(table).unwrap();
    let config = read("alertmanager.yml");
    let rules: Vec<_> = table.split("AlertRule {").filter(|rule| rule.contains("name: \"Resilient")).collect();
    assert_eq!(rules.len(), alerts().len());
    for rule in rules {
        let field = |name: &str| value(rule, name).trim_end_matches(',').trim_matches('"');
        let (alert, severity) = (field("name: "), field("severity: ").to_lowercase());
        assert_eq!(repeated(&config, alert, &severity), duration(field("repeat: ")), "{alert}");
    }
}

#[test]
fn secrets_are_files_that_exist_in_compose_and_are_not_in_the_image_or_in_git() {
    let compose = read("compose.yml") + &read("compose.replicas.yml");
    for text in [&read("alertmanager.yml"), &read("redis.conf"), &compose] {
        for path in text.split_whitespace().filter_map(|word| word.strip_prefix("/run/secrets/")) {
            let path = path.trim_end_matches([')', '`']);
            assert!(compose.contains(&format!("  {path}: {{ file: ./secrets/{path} }}")), "{path}");
        }
    }
    assert!(words(&compose, "redis_").len() == 2, "{compose}");
    let ignored = |file: &str| fs::read_to_string(repository().join(file)).unwrap();
    assert!(ignored(".dockerignore").lines().any(|line| line == "deploy"));
    assert!(ignored(".gitignore").lines().any(|line| line == "/deploy/secrets"));
}

#[test]
fn every_replica_is_behind_the_balancer_and_is_scraped() {
    let compose = read("compose.replicas.yml");
    let services = compose.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    let replicas: Vec<_> = services.filter(|name| *name == "server" || name.starts_with("server-")).collect();
    assert!(replicas.len() > 2, "{replicas:?}");
    assert_eq!(value(&compose, "RESILIENT_REPLICAS: "), format!("\"{}\"", replicas.len()));
    assert_eq!(compose.matches("    ports: !reset []\n    environment: *shared\n").count(), replicas.len());
    // Redis has a network without the other containers.
    let attached = "    environment: *shared\n    secrets: [redis_url]\n    networks: [default, redis]\n";
    assert_eq!(compose.matches(attached).count(), replicas.len());
    assert_eq!(compose.matches("    networks: [redis]\n").count(), 1);
    assert_eq!(compose.matches("redis]\n").count(), replicas.len() + 1, "another container reaches it");
    assert!(compose.contains("\nnetworks:\n") && compose.contains("\n  redis: { internal: true }\n"));
    let (balancer, scraped) = (read("haproxy.cfg"), read("prometheus.yml") + &read("targets.yml"));
    for (number, replica) in (1..).zip(&replicas) {
        let line = format!("\n    server server-{number} {replica}:8000\n");
        assert_eq!(balancer.matches(&line).count(), balancer.matches("\nbackend ").count(), "{line}");
        assert!(scraped.contains(&format!("\"{replica}:8000\"")), "{replica}");
    }
    assert_eq!(balancer.matches("\n    server server-").count(), 2 * replicas.len());
}

#[test]
fn times_and_versions_are_those_of_the_code() {
    let help = String::from_utf8(run("http-server", "--help").stdout).unwrap();
    let stopping = seconds(help.split_once("Allow ").unwrap().1.split_once(" s").unwrap().0);
    let unit = read("http-server.service");
    let compose = read("compose.yml");
    assert!(seconds(value(&unit, "TimeoutStopSec=")) >= stopping);
    assert!(seconds(value(&compose, "stop_grace_period: ")) >= stopping);
    // The balancer passes the responses of a replica that stops on.
    assert!(seconds(value(&read("haproxy.cfg"), "hard-stop-after ")) >= stopping);
    assert!(seconds(value(&read("compose.replicas.yml"), "stop_grace_period: ")) >= stopping);
    for line in [
        "Type=notify",
        "WatchdogSec=30",
        "Restart=on-failure",
        "RestartSec=1",
        "StartLimitBurst=5",
        "StartLimitIntervalSec=60",
        "MemoryHigh=410M",
        "MemoryMax=512M",
    ] {
        assert!(unit.lines().any(|known| known == line), "{line}");
    }

    let dockerfile = read("Dockerfile");
    let toolchain = fs::read_to_string(repository().join("rust-toolchain.toml")).unwrap();
    let version = value(&toolchain, "channel = ").trim_matches('"');
    assert!(dockerfile.contains(&format!("FROM rust:{version}-slim")), "{version}");
    assert!(dockerfile.contains(&format!("RUSTUP_TOOLCHAIN={version}\n")), "{version}");
    assert!(dockerfile.contains("HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 "));
}

#[cfg(unix)]
mod metrics {
    use super::{NO_METRICS, files, folder, fs, words};
    use crate::http_server::server::{Era, Server, call};
    use serde_json::json;
    use std::collections::BTreeSet;

    /// The names of the series that a text in the format of Prometheus declares.
    fn declared(text: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = line.split_once(' ').unwrap();
            names.insert(name.to_owned());
            if kind == "histogram" {
                names.extend(["_bucket", "_count", "_sum"].map(|suffix| format!("{name}{suffix}")));
            }
        }
        names
    }

    #[tokio::test]
    async fn every_metric_that_deploy_names_is_exported() {
        let environment = [("RESILIENT_ADMIN_TOKEN", "only-operators-know-it")];
        let server = Server::start_with(&["--admin", "127.0.0.1:0"], &environment).await;
        let client = server.client(Era::Session, None).await;
        // The metrics of errors and of refused requests exist once there is one.
        let errors = format!("{}/errors", server.admin.as_deref().unwrap());
        let refused = server.http.get(errors).bearer_auth("another token").send().await.unwrap();
        assert_eq!(refused.status().as_u16(), 401);
        let failed = call(&client, "get_scenario", json!({ "id": 999 })).await.unwrap();
        assert_eq!(failed.is_error, Some(true));
        call(&client, "list_scenarios", json!({ "team_id": 1 })).await.unwrap();
        assert_eq!(server.get("/healthz").await.0, 200);
        let exported = declared(&server.get("/metrics").await.1);
        assert!(exported.contains("resilient_calls_total"), "{exported:?}");

        let mut all = Vec::new();
        files(&folder(), &mut all);
        let mut unknown = BTreeSet::new();
        let mut used = 0;
        for path in all {
            let text = fs::read_to_string(&path).unwrap();
            for name in ["resilient_", "process_", "mcp_server_"].into_iter().flat_map(|prefix| words(&text, prefix)) {
                used += 1;
                if !exported.contains(&name) && !NO_METRICS.contains(&&*name) {
                    unknown.insert((name, path.file_name().unwrap().to_owned()));
                }
            }
        }
        assert!(used > 20, "{used}");
        assert!(unknown.is_empty(), "{unknown:?} are not among {exported:?}");
    }
}
