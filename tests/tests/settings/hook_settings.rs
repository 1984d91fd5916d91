//! A timeout that the hook enforces, changed at start. A separate process, because settings apply to the process.

use std::time::Duration;

use resilient_runtime::{Resilience, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::in_process::{call, connect};
use resilient_tests::wire::{ERROR, meta, text};
use rmcp::{tool, tool_router};
use serde_json::json;
use tokio::time::{Instant, sleep};

struct Shop;

#[resilient(timeout = "2s")]
#[tool_router(server_handler)]
impl Shop {
    /// Hangs.
    #[tool]
    async fn text(&self) -> String {
        sleep(Duration::from_secs(3_600)).await;
        String::new()
    }

    /// Hangs too, and nothing is set for it.
    #[tool]
    async fn other(&self) -> String {
        sleep(Duration::from_secs(3_600)).await;
        String::new()
    }
}

#[tokio::test(start_paused = true)]
async fn a_variable_changes_the_timeout_that_the_hook_enforces() {
    if ran_in_a_child() {
        return;
    }
    let variable = ("RESILIENT__TOOL__TEXT__TIMEOUT".into(), "7s".into());
    Resilience::from_variables([variable]).tools(Shop::tool_router).start().expect("nothing is wrong");
    let client = connect(Shop).await;
    for (tool, seconds) in [("text", 7), ("other", 2)] {
        let started = Instant::now();
        let answer = call(&client, tool, &json!({})).await;
        assert_eq!(started.elapsed(), Duration::from_secs(seconds), "{tool}");
        assert_eq!(answer.is_error, Some(true), "{tool}");
        let error = meta(&answer, ERROR);
        assert_eq!((&error["kind"], &error["details"]["limit_ms"]), (&json!("timeout"), &json!(seconds * 1_000)));
        assert!(text(&answer).contains(&format!("no answer within {seconds}s")), "{}", text(&answer));
    }
}
