//! The names of metrics in `deploy/`.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::time::sleep;

use crate::http_server::Server;

use super::{deployed, receiver::Receiver};

/// Names that are not those of metrics.
const CRATES: [&str; 2] = ["resilient_runtime", "resilient_sqlite"];

/// Adds the names in the files of a folder. Those of recording rules contain colons.
fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), found);
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        let names = text.split(|symbol: char| !symbol.is_ascii_alphanumeric() && !matches!(symbol, '_' | ':'));
        let is_metric = |name: &&str| ["resilient_", "mcp_", "process_"].iter().any(|first| name.starts_with(first));
        found.extend(names.filter(is_metric).filter(|name| !name.contains(':')).map(str::to_owned));
    }
}

#[tokio::test]
async fn the_server_exports_every_metric_that_a_file_names() {
    let receiver = Receiver::start().await;
    let url = receiver.url();
    let environment = [("ALERT_WEBHOOK_URL", &*url)];
    let server = Server::start_with(&["--admin", "127.0.0.1:0"], &environment).await;
    server.call("list_scenarios", json!({ "team_id": 1 })).await;
    server.call("get_scenario", json!({ "id": 999 })).await;
    let mut named = BTreeSet::new();
    collect(&deployed(""), &mut named);
    assert!(named.contains("resilient_breaker_state") && named.len() > 20, "{named:?}");
    // The health is evaluated in the background, for the first time soon after the start.
    let since = Instant::now();
    loop {
        let (_, metrics) = server.metrics("text/plain").await;
        let missing = |name: &&String| !metrics.contains(name.as_str()) && !CRATES.contains(&name.as_str());
        let missing: Vec<_> = named.iter().filter(missing).collect();
        if missing.is_empty() {
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(10), "{missing:?}");
        sleep(Duration::from_millis(50)).await;
    }
}
