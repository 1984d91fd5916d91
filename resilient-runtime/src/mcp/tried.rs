//! How a delivery ended, from its answer.

use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::CallToolResponse;
use serde_json::Value;

use super::Handled;
use crate::deferred::Tried;
use crate::error::ERROR_META;
use crate::outcomes::Outcome;

/// Returns how a delivery with this answer ended. `ran`: the body may have run.
pub(super) fn tried(answered: &Handled, outcome: Outcome, ran: bool) -> Tried {
    let error = match answered {
        Ok(CallToolResponse::Complete(result)) => result.meta.as_ref().and_then(|meta| meta.0.get(ERROR_META)),
        Ok(_) => None,
        Err(ErrorData { data, .. }) => data.as_ref().and_then(|data| data.get(ERROR_META)),
    };
    let text = |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_str);
    let code = text("code").map(ToOwned::to_owned);
    Tried {
        outcome,
        kind: text("kind").and_then(|kind| kind.parse().ok()),
        code: code.or_else(|| answered.as_ref().err().map(|error| error.code.0.to_string())),
        retry_after: error
            .and_then(|error| error.get("retry_after_ms"))
            .and_then(Value::as_u64)
            .map(Duration::from_millis),
        ran,
        is_of_some_calls: false,
    }
}
