//! A Prometheus that scrapes one server every second.

use std::{
    fs,
    time::{Duration, Instant},
};

use reqwest::Client;
use resilient_tests::loopback;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokio::{process::Command, time::sleep};

use crate::{PATIENCE, program::Program};

use super::deployed;

/// The process. It ends on drop.
pub(super) struct Prometheus {
    http: Client,
    program: Program,
    _folder: TempDir,
}

/// A rule: its name, its expression, and whether it is that of an alert.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) expression: String,
    pub(super) is_alert: bool,
}

impl Prometheus {
    /// Starts it with `deploy/rules.yml`, under the name of the job that the rules and the dashboard expect. Waits until it
    /// has read the metrics: what was counted before has no increase.
    pub(super) async fn start(target: &str, alertmanager: Option<&str>) -> Self {
        let folder = tempdir().unwrap();
        let managers: Vec<_> = alertmanager.into_iter().collect();
        let config = json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [deployed("rules.yml")],
            "scrape_configs": [{ "job_name": "make-server", "static_configs": [{ "targets": [target] }] }],
            "alerting": { "alertmanagers": [{ "static_configs": [{ "targets": managers }] }] },
        });
        // JSON is YAML.
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg("--web.listen-address=127.0.0.1:0");
        let program = Program::start(command, r#"msg="Listening on" address="#).await;
        let http = loopback::client().timeout(PATIENCE).build().unwrap();
        let prometheus = Self { http, program, _folder: folder };
        let deadline = Instant::now() + PATIENCE;
        while !prometheus.is_ready().await || prometheus.series("resilient_calls_total").await == 0 {
            assert!(Instant::now() < deadline, "Prometheus reads no metrics");
            sleep(Duration::from_millis(100)).await;
        }
        prometheus
    }

    /// Returns whether it answers queries: not yet while it only listens.
    async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/-/ready", self.program.origin())).send().await.unwrap();
        answer.status().is_success()
    }

    /// Requests a path of the API, and returns the data of the answer.
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let request = self.http.get(format!("{}/api/v1/{path}", self.program.origin())).query(query);
        let mut answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{query:?}: {answer}");
        answer["data"].take()
    }

    /// Returns the number of series that an expression has now.
    pub(super) async fn series(&self, expression: &str) -> usize {
        let found = self.get("query", &[("query", expression)]).await;
        found["result"].as_array().unwrap().len()
    }

    /// Returns all rules.
    pub(super) async fn rules(&self) -> Vec<Rule> {
        let groups = self.get("rules", &[]).await["groups"].take();
        let rules = groups.as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
        let rule = |rule: &Value| {
            assert_eq!(rule["health"], "ok", "{rule}");
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            Rule { name: text(&rule["name"]), expression: text(&rule["query"]), is_alert: rule["type"] == "alerting" }
        };
        rules.map(rule).collect()
    }

    /// Returns the alerts that are pending or firing.
    pub(super) async fn alerts(&self) -> Vec<Value> {
        let alerts = self.get("alerts", &[]).await["alerts"].take();
        alerts.as_array().unwrap().clone()
    }
}
