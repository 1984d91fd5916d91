//! rmcp's client, which knows both eras.

use rmcp::model::{CallToolRequestParams, ProtocolVersion};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientLifecycleMode, ClientServiceExt};
use tokio::time::timeout;

use super::{PATIENCE, Server};

async fn call_with(lifecycle: ClientLifecycleMode) -> Server {
    let server = Server::start_with(Some("0123456789abcdef"), &[]).await;
    let config = StreamableHttpClientTransportConfig::with_uri(server.url.clone()).auth_header("0123456789abcdef");
    let transport = StreamableHttpClientTransport::with_client(server.http.clone(), config);
    let client = timeout(PATIENCE, ().serve_with_lifecycle(transport, lifecycle)).await.unwrap().unwrap();
    for _ in 0..2 {
        let result = timeout(PATIENCE, client.call_tool(CallToolRequestParams::new("any"))).await.unwrap().unwrap();
        assert_eq!(serde_json::to_value(&result.content).unwrap()[0]["text"], "called");
    }
    timeout(PATIENCE, client.cancel()).await.unwrap().unwrap();
    server
}

#[tokio::test]
async fn a_client_with_a_session_calls_a_tool_and_ends_the_session() {
    let server = call_with(ClientLifecycleMode::Initialize).await;
    server.service.until("closed", 1).await;
    assert_eq!(server.service.count("opened"), 1);
    assert_eq!(server.service.count("notifications/initialized"), 1);
}

#[tokio::test]
async fn a_client_without_a_session_calls_a_tool() {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    let server = call_with(ClientLifecycleMode::Discover { preferred_versions }).await;
    server.service.until("closed", 3).await;
    assert_eq!(server.service.count("\"tools/call\""), 2);
}
