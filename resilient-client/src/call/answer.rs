//! The answer to a client whose request has no response: a text for the model and an object for programs.

use std::fmt::Write as _;
use std::time::Duration;

use resilient_runtime::ToolError;
use serde_json::{Map, Value, json};

use super::CallError;
use crate::failure::Failure;

/// The `_meta` key of an error.
const ERROR_META: &str = "io.crates.resilient-runtime/error";

impl CallError {
    /// Returns the result of `tools/call` that tells a model what happened, as JSON. `server` is the name of the server. If the
    /// server answered with an error, pass on [`response`](Self::response) instead.
    #[must_use]
    pub fn result(&self, server: &str) -> Value {
        let said = Said {
            is_repeatable: self.is_repeatable(),
            may_have_run: self.may_have_run(),
            attempts: Some(self.attempts()),
        };
        json!({
            "content": [{ "type": "text", "text": said.text(self, server) }],
            "isError": true,
            "_meta": { ERROR_META: said.object(self, server) },
        })
    }
}

impl Failure {
    /// Returns the JSON-RPC error for a request other than `tools/call`: its message and its data.
    #[must_use]
    pub fn error(&self, server: &str) -> (String, Value) {
        // These methods change nothing at the server.
        let said = Said { is_repeatable: true, may_have_run: self.may_have_run, attempts: None };
        (said.text(self, server), json!({ ERROR_META: said.object(self, server) }))
    }
}

/// What the text and the object say besides the error.
struct Said {
    is_repeatable: bool,
    may_have_run: bool,
    attempts: Option<u32>,
}

impl Said {
    fn text<E: ToolError>(&self, error: &E, server: &str) -> String {
        let mut text = format!("{}: server `{server}`: ", error.code());
        text.push_str(&sentence(&error.public_message()));
        if !self.may_have_run {
            text.push_str(" Nothing was done.");
        } else if !self.is_repeatable {
            text.push_str(" The call may have taken effect; check before you repeat it.");
        }
        match error.retry_after().filter(|wait| !wait.is_zero()) {
            Some(wait) => {
                let _ = write!(text, " Do not retry before {} s.", seconds(wait));
            }
            None if self.is_retryable(error) => text.push_str(" It can be repeated later."),
            None => {}
        }
        text
    }

    fn object<E: ToolError>(&self, error: &E, server: &str) -> Value {
        let mut details = Map::new();
        details.insert("server".into(), json!(server));
        if !self.may_have_run {
            details.insert("performed".into(), json!(false));
        }
        let mut object = json!({
            "code": error.code(),
            "kind": error.kind().as_str(),
            "retryable": self.is_retryable(error),
            "details": details,
        });
        if let Some(wait) = error.retry_after() {
            object["retry_after_ms"] = json!(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        }
        if let Some(attempts) = self.attempts {
            object["attempts"] = json!(attempts);
        }
        object
    }

    /// Returns whether the same request may succeed later, without another effect.
    fn is_retryable<E: ToolError>(&self, error: &E) -> bool {
        let may_succeed = error.kind().is_retryable() || error.retry_after().is_some();
        may_succeed && (self.is_repeatable || !self.may_have_run)
    }
}

/// Rounded up: a client that waits so long does not come too early.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// Ends a text like a sentence.
fn sentence(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}
