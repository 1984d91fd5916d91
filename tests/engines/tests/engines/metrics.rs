//! Whether `http-server`'s metrics are what Prometheus and its libraries read.

use std::{process::Stdio, time::Duration};

use reqwest::{Client, header};
use resilient_examples::http::loopback_client;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{PATIENCE, SERVERS, python, run};

/// `http-server --demo` on a free port.
struct Server {
    http: Client,
    origin: String,
    _process: Child,
}

impl Server {
    async fn start() -> Self {
        let mut command = Command::new(SERVERS);
        command.args(["http-server", "--demo", "--bind", "127.0.0.1:0"]).env_remove("RUST_LOG").kill_on_drop(true);
        let mut process = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = async {
            while let Some(line) = log.next_line().await.unwrap() {
                let line: Value = serde_json::from_str(&line).unwrap();
                if let Some(address) = line["address"].as_str() {
                    return address.to_owned();
                }
            }
            panic!("it ended")
        };
        let origin = timeout(PATIENCE, address).await.expect("an address");
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        let http = loopback_client().timeout(Duration::from_secs(30)).build().unwrap();
        Self { http, origin, _process: process }
    }

    /// A call of a tool, complete in itself.
    async fn call(&self, tool: &str, arguments: Value) -> Value {
        let params = json!({ "name": tool, "arguments": arguments, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "0" },
            "io.modelcontextprotocol/clientCapabilities": {},
        }});
        let request = self
            .http
            .post(format!("{}/mcp", self.origin))
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", tool)
            .json(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }));
        let answer: Value = request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        answer["result"].clone()
    }

    /// Calls that succeed, fail and name no tool that there is, so that their series are there.
    async fn after_calls() -> Self {
        let server = Self::start().await;
        let result = server.call("list_scenarios", json!({ "team_id": 1 })).await;
        assert_ne!(result["isError"], true, "{result}");
        for arguments in [json!({ "id": 999 }), json!({ "id": "x" })] {
            let result = server.call("get_scenario", arguments).await;
            assert_eq!(result["isError"], true, "{result}");
        }
        server
    }

    /// The metrics in the form that this header asks for, and the content type.
    async fn metrics(&self, accept: &str) -> (String, String) {
        let request = self.http.get(format!("{}/metrics", self.origin)).header(header::ACCEPT, accept);
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        let form = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        (form, answer.text().await.unwrap())
    }
}

#[tokio::test]
async fn promtool_has_no_complaint_about_the_text_format() {
    let server = Server::after_calls().await;
    let (form, text) = server.metrics("text/plain;version=0.0.4").await;
    assert!(form.starts_with("text/plain") && form.contains("version=0.0.4"), "{form}");
    assert!(text.contains("list_scenarios"), "{text}");
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]);
    assert_eq!(run(promtool, &text).await, (true, String::new(), String::new()), "{text}");
}

#[tokio::test]
async fn the_python_library_of_prometheus_reads_the_open_metrics_format() {
    let server = Server::after_calls().await;
    let (form, text) = server.metrics("application/openmetrics-text;version=1.0.0").await;
    assert!(form.starts_with("application/openmetrics-text"), "{form}");
    let (success, families, complaint) = run(python("python/openmetrics.py"), &text).await;
    assert!(success, "{complaint}\n{text}");
    for family in ["resilient_calls", "mcp_server_operation_duration_seconds"] {
        assert!(families.lines().any(|known| known == family), "no {family} in\n{families}");
    }
}

#[tokio::test]
async fn the_checkers_find_what_is_wrong() {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]);
    let (success, _, complaint) = run(promtool, "# TYPE a_total counter\na_total 1\n").await;
    assert!(!success && complaint.contains("no help text"), "{complaint}");
    let (success, ..) = run(python("python/openmetrics.py"), "# TYPE a counter\na_total 1\n").await;
    assert!(!success, "without `# EOF`");
}
