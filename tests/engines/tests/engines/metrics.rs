//! Checks that Prometheus and its libraries can read the metrics of `http-server`.

use tokio::process::Command;

use crate::{http_server::Server, python, run};

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
