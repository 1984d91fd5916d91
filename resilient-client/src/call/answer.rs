//! The answer to a client whose request has no response: a text for the model and an object for programs.

use resilient_policy::Effect;
use resilient_runtime::ToolError;
use resilient_runtime::error::{ERROR_META, WireError};
use serde_json::{Value, json};

use super::CallError;
use crate::failure::Failure;

impl CallError {
    /// Returns what a client receives. `server` is the name of the server.
    #[must_use]
    pub fn to_wire(&self, server: &str) -> WireError {
        let wire = wire(self, Some(server));
        self.complete(wire)
    }

    /// Returns what to pass to a model: what happened, whether anything may have been done, and when to repeat the call.
    #[must_use]
    pub fn text_for_model(&self) -> String {
        let mut text = self.complete(wire(self, self.server())).text();
        if !self.tried().is_empty() {
            let tried: Vec<_> = self.tried().iter().map(|tool| format!("`{tool}`")).collect();
            text.extend([" Tried as well, without success: ", &tried.join(", "), "."]);
        }
        text
    }

    /// Adds what the call may have done.
    fn complete(&self, mut wire: WireError) -> WireError {
        wire = if self.may_have_run() { wire.may_have_run(self.effect()) } else { wire.not_performed() };
        wire.attempts = Some(self.attempts());
        wire
    }

    /// Returns the result of `tools/call` that tells a model what happened. If the server answered with an error, pass on
    /// [`response`](Self::response) instead.
    #[must_use]
    pub fn result(&self, server: &str) -> Value {
        let wire = self.to_wire(server);
        json!({
            "content": [{ "type": "text", "text": wire.text() }],
            "isError": true,
            "_meta": { ERROR_META: wire.to_object() },
        })
    }
}

impl Failure {
    /// Returns the message and the data of the JSON-RPC error for a request other than `tools/call`. `server` is the name
    /// of the server.
    #[must_use]
    pub fn error(&self, server: &str) -> (String, Value) {
        let wire = wire(self, Some(server));
        // These methods change nothing that a repetition would change again.
        let wire = if self.may_have_run { wire.may_have_run(Effect::Idempotent) } else { wire.not_performed() };
        (wire.text(), json!({ ERROR_META: wire.to_object() }))
    }
}

fn wire<E: ToolError>(error: &E, server: Option<&str>) -> WireError {
    let mut message = error.public_message();
    if let Some(server) = server {
        message = format!("the server `{server}`: {message}").into();
    }
    let mut wire = WireError::new(error.code(), error.kind(), message);
    wire.retry_after = error.retry_after();
    if let Some(server) = server {
        wire.details.insert("server".into(), json!(server));
    }
    wire
}
