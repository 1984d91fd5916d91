//! The answer to `initialize` while the server is down.

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
    /// Answers `initialize`: with the answer of the server, or without the server after some time. A server that another
    /// client has initialized gives its answer again.
    pub(super) async fn initialize(&self, request: &Message) -> Message {
        let supervisor = self.caller.supervisor();
        let id = request.id().unwrap_or("0");
        if self.settings.is_shared && matches!(supervisor.state(), ConnectionState::Up) {
            if let Some(response) = supervisor.initialized() {
                return response.with_id(id);
            }
        }
        match timeout(self.settings.patience, supervisor.initialize(request)).await {
            Ok(Ok(response)) => response.with_id(id),
            Ok(Err(failure)) => self.answer_for_server(request, &failure),
            Err(_) => self.answer_for_server(request, &slow(self.settings.patience)),
        }
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
