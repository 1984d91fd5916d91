//! The answer of a call that is not performed now: its receipt, or the end of an earlier call with its key.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

use resilient_policy::{ErrorKind, format_duration};
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, JsonObject};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Map, Value, json};

use super::tasks::{STATUS_TOOL, ThroughHandler};
use super::{Handled, tasks};
use crate::clock::saturating_millis;
use crate::deferred::{Accepted, Receipt, State};
use crate::error::{CALL_META, ResilienceError, ToolError};
use crate::{CallContext, Classify};

/// What a model has to know of a call that was given up.
const MAY_BE_DONE: &str = "It may have taken effect: check before you repeat it, which needs another key; the operator of \
                           this server can also repeat it.";

/// What the hook knows of a tool that defers its calls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DeferringTool {
    /// Whether the tool has an output schema. Clients then refuse a result without structured content, unless it is an
    /// error.
    pub(super) has_output_schema: bool,
    /// Whether the router has the tool [`STATUS_TOOL`].
    pub(super) has_status_tool: bool,
}

/// What the answer depends on: the tool and the client.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Recipient {
    tool: DeferringTool,
    /// The client knows tasks, and can ask this server for one.
    takes_tasks: bool,
    /// The server runs as long as its client does.
    is_local: bool,
}

impl Recipient {
    pub(super) fn of(request: &RequestContext<RoleServer>, mut tool: DeferringTool) -> Self {
        let through = request.extensions.get::<ThroughHandler>();
        let declares_tasks = || request.client_capabilities().is_some_and(|known| known.supports_tasks());
        tool.has_status_tool |= through.is_some_and(|through| through.has_status_tool);
        Self {
            tool,
            takes_tasks: through.is_some() && declares_tasks(),
            is_local: request.extensions.get::<http::request::Parts>().is_none(),
        }
    }

    /// Returns the answer for a call that was accepted.
    pub(super) fn accepted(self, accepted: &Accepted, context: &CallContext) -> CallToolResponse {
        let mut facts = facts(context, Some(false));
        facts.insert("deferred".into(), receipt_facts(accepted));
        if self.takes_tasks {
            let mut created = tasks::created(accepted);
            created.meta.get_or_insert_default().0.insert(CALL_META.into(), facts.into());
            return created.into();
        }
        result(self.text_of(accepted), facts, self.tool.has_output_schema, context).into()
    }

    fn text_of(self, accepted: &Accepted) -> String {
        let mut text = format!("ACCEPTED_FOR_LATER {}: not done yet; do not send it again; ", accepted.receipt());
        let (left, expires) = (accepted.summary.tries_left(), in_words(accepted.expires()));
        let times = if left == 1 { "once".into() } else { format!("up to {left} times") };
        if accepted.summary.state == State::Running {
            text.push_str("it is being tried now");
            if left > 0 && !accepted.summary.cancel_requested {
                let _ = write!(text, ", and if that fails, {times} more within {expires}");
            }
            text.push('.');
        } else {
            text.push_str(if self.is_local { "while this server runs, it is tried " } else { "this server tries it " });
            match accepted.next_attempt() {
                Duration::ZERO => text.push_str("now"),
                wait => {
                    let _ = write!(text, "in {}", in_words(wait));
                }
            }
            let _ = write!(text, ", {times} within {expires}.");
        }
        if self.tool.has_status_tool {
            let _ = write!(text, " `{STATUS_TOOL}` with this receipt shows whether it is done.");
        }
        text
    }

    /// Returns the answer for a call whose key an ended call has: its kept result, or how it ended.
    pub(super) fn ended(
        self,
        (receipt, state): (Receipt, State),
        kept: Option<&str>,
        context: &CallContext,
    ) -> Handled {
        let is_done = state == State::Done;
        // A try of a dead letter may have taken effect.
        let mut facts = facts(context, is_done.then_some(true));
        facts.insert("deferred".into(), json!({ "receipt": receipt.to_string(), "state": state.as_str() }));
        if let Some(error) = kept.and_then(|kept| serde_json::from_str::<ErrorData>(kept).ok()) {
            return Err(given_up(error, receipt, facts));
        }
        let kept = kept.and_then(|kept| serde_json::from_str::<CallToolResult>(kept).ok());
        if let Some(mut result) = kept {
            if !is_done {
                result.content.push(ContentBlock::text(note(receipt)));
            }
            result.meta.get_or_insert_default().0.insert(CALL_META.into(), facts.into());
            return Ok(result.into());
        }
        let text = if is_done {
            format!(
                "DONE {receipt}: an earlier call with this key was done; its result was not kept; do not send it again."
            )
        } else {
            format!("GIVEN_UP {receipt}: an earlier call with this key was given up. {MAY_BE_DONE}")
        };
        Ok(result(text, facts, !is_done || self.tool.has_output_schema, context).into())
    }
}

/// Returns the JSON-RPC error of a dead letter, with the note at the end of its message. The facts are in its data, unless
/// the tool gave data that is no object.
fn given_up(mut error: ErrorData, receipt: Receipt, facts: JsonObject) -> ErrorData {
    error.message = format!("{}\n{}", error.message, note(receipt)).into();
    if let Value::Object(data) = error.data.get_or_insert_with(|| json!({})) {
        data.insert(CALL_META.into(), facts.into());
    }
    error
}

/// What a client reads beside the kept failure of a dead letter.
fn note(receipt: Receipt) -> String {
    format!("Note: this is how the last try of the call {receipt} ended, which was given up. {MAY_BE_DONE}")
}

fn result(mut text: String, facts: JsonObject, is_error: bool, context: &CallContext) -> CallToolResult {
    let _ = write!(text, " (correlation id {})", context.correlation_id());
    let blocks = vec![ContentBlock::text(text)];
    let mut result = if is_error { CallToolResult::error(blocks) } else { CallToolResult::success(blocks) };
    result.meta.get_or_insert_default().0.insert(CALL_META.into(), facts.into());
    result
}

/// Returns the facts about a call. `performed`: whether it took effect, if that is known.
fn facts(context: &CallContext, performed: Option<bool>) -> Map<String, Value> {
    let mut facts = Map::new();
    facts.insert("correlation_id".into(), json!(context.correlation_id().to_string()));
    facts.extend(performed.map(|performed| ("performed".into(), json!(performed))));
    facts
}

fn receipt_facts(accepted: &Accepted) -> Value {
    json!({
        "receipt": accepted.receipt().to_string(),
        "next_attempt_ms": saturating_millis(accepted.next_attempt()),
        "tries_left": accepted.summary.tries_left(),
        "expires_ms": saturating_millis(accepted.expires()),
    })
}

/// Formats a duration in whole seconds, or in whole minutes or hours from a few of them on.
fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    let unit = match seconds {
        0..600 => 1,
        600..36_000 => 60,
        _ => 3_600,
    };
    format_duration(Duration::from_secs(seconds.div_ceil(unit) * unit))
}

/// The error of a call whose key a stored call with other arguments has.
#[derive(Debug)]
pub(super) struct Conflict(pub(super) Receipt);

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", ResilienceError::KeyConflict, self.0)
    }
}

impl std::error::Error for Conflict {}

impl Classify for Conflict {
    fn kind(&self) -> ErrorKind {
        ResilienceError::KeyConflict.kind()
    }

    fn was_not_performed(&self) -> bool {
        true
    }
}

impl ToolError for Conflict {
    fn code(&self) -> Cow<'static, str> {
        ResilienceError::KeyConflict.code()
    }

    fn public_message(&self) -> Cow<'_, str> {
        format!("the call {} has the same key and other arguments", self.0).into()
    }

    fn hint(&self) -> Option<Cow<'_, str>> {
        Some("Use another key for another call.".into())
    }

    fn details(&self) -> Map<String, Value> {
        Map::from_iter([("receipt".into(), json!(self.0.to_string())), ("performed".into(), json!(false))])
    }

    fn retry_override(&self) -> Option<bool> {
        Some(false)
    }
}
