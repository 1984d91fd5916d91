//! The answer to `initialize` while the server is down.

use std::sync::atomic::Ordering;
use std::time::Duration;

use resilient_client::{ConnectionState, Failure, Message};
use resilient_runtime::ErrorKind;
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::Shared;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InitializeParams {
    protocol_version: String,
}

impl Shared {
    /// Answers `initialize`: with the answer of the server, or without the server after some time.
    pub(super) async fn initialize(&self, request: &Message) -> Message {
        match timeout(self.settings.patience, self.handshake(request)).await {
            Ok(Ok(response)) => response.with_id(request.id().unwrap_or("0")),
            Ok(Err(failure)) => self.answer_for_server(request, &failure),
            Err(_) => self.answer_for_server(request, &slow(self.settings.patience)),
        }
    }

    /// Returns the answer of the server. A server that another client has initialized is not initialized again, which would
    /// end the session of that client: its last answer is returned, or that of the next connection.
    async fn handshake(&self, request: &Message) -> Result<Message, Failure> {
        let supervisor = self.caller.supervisor();
        if self.settings.is_shared && self.has_begun.swap(true, Ordering::Relaxed) {
            if supervisor.state() != ConnectionState::Up || supervisor.initialized().is_none() {
                // Waits for a connection, which begins with the handshake of the other client.
                let ping = Message::request(&supervisor.new_id(), "ping", &json!({}));
                supervisor.request(&ping).await?;
            }
            if let Some(response) = supervisor.initialized() {
                return Ok(response);
            }
        }
        supervisor.initialize(request).await
    }

    /// Answers with the protocol version of the client, and with instructions that say why there is nothing else.
    fn answer_for_server(&self, request: &Message, failure: &Failure) -> Message {
        self.lists.unclear();
        let params: Option<InitializeParams> = request.read_params();
        let version = params.map_or_else(|| "2025-11-25".to_owned(), |params| params.protocol_version);
        let name = &self.settings.name;
        let instructions = format!(
            "The server `{name}` cannot be used at the moment: {failure}. Its tools are listed as soon as it can be reached."
        );
        let result = json!({
            "protocolVersion": version,
            "capabilities": { "tools": { "listChanged": true } },
            "serverInfo": { "name": name, "version": "unknown" },
            "instructions": instructions,
        });
        Message::result_of(request.id().unwrap_or("0"), &result.to_string())
    }
}

fn slow(patience: Duration) -> Failure {
    let message = format!("it has not answered `initialize` within {} s and still starts", patience.as_secs());
    Failure::new(ErrorKind::Timeout, message, false)
}
