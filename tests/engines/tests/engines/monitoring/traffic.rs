//! Calls of clients.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::{task::JoinHandle, time::sleep};

use crate::http_server::Server;

/// Calls in a loop, which ends on drop.
pub(super) struct Traffic(Vec<JoinHandle<()>>);

impl Traffic {
    /// Calls each of the tools about five times a second. The arguments differ, so that no cached answer hides an
    /// outage.
    pub(super) fn start(server: &Arc<Server>) -> Self {
        let tools = ["list_scenarios", "get_scenario", "list_connections", "run_scenario"];
        Self(tools.map(|tool| tokio::spawn(call(Arc::clone(server), tool))).into())
    }
}

async fn call(server: Arc<Server>, tool: &'static str) {
    let mut number = 0_u64;
    loop {
        number += 1;
        let arguments = match tool {
            "list_scenarios" => json!({ "team_id": number, "limit": 1 }),
            "list_connections" => json!({ "team_id": number }),
            _ => json!({ "id": 101 + number % 6 }),
        };
        server.call(tool, arguments).await;
        sleep(Duration::from_millis(200)).await;
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}
