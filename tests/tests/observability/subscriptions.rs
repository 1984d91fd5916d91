//! The duration of a subscription, which lasts as long as the server or the client wants it.

use std::time::Duration;

use resilient_runtime::export::prometheus;
use resilient_runtime::resilient;
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::in_process::connect_without_session;
use rmcp::model::SubscriptionFilter;
use rmcp::service::SubscriptionContext;
use rmcp::{ErrorData, ServerHandler};

#[derive(Debug, Clone, Default)]
struct Listens;

#[resilient]
impl ServerHandler for Listens {
    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, _: SubscriptionContext) -> Result<(), ErrorData> {
        tokio::time::sleep(Duration::from_secs(90)).await;
        Ok(())
    }
}

/// In a separate process, because the statistics of a method count all servers.
#[tokio::test(start_paused = true)]
async fn prometheus_has_the_duration_of_a_subscription_that_has_ended() {
    if ran_in_a_child() {
        return;
    }
    let client = connect_without_session(Listens).await;
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    let mut subscription = client.listen(filter).await.expect("accepted");
    assert!(subscription.next().await.expect("ends gracefully").is_none());
    let text = prometheus::global_text();
    let labels = "{mcp_method_name=\"subscriptions/listen\",gen_ai_tool_name=\"\",error_type=\"\"}";
    for line in [
        format!("mcp_server_operation_duration_seconds_count{labels} 1"),
        format!("mcp_server_operation_duration_seconds_sum{labels} 90"),
    ] {
        assert!(text.lines().any(|known| known.starts_with(&line)), "{line} in {text}");
    }
}
