//! The wire form of a call's result: a text for the model and an object for programs.

use std::time::Duration;

use resilient_policy::{Effect, ErrorKind, Source};
use rmcp::ErrorData;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, ErrorCode, MetaObject};
use serde_json::{Map, Value, json};

use super::pipeline_error;
use crate::classify::LONGEST_RETRY_AFTER;
use crate::clock::saturating_millis;
use crate::context::{CallContext, Degraded, Report};
use crate::error::{
    CALL_META, ERROR_META, NOTHING_CHANGED, ResilienceError, ToolError, WireError, effect_note, in_seconds, public_text,
};
use crate::panics::catch_panic;
use crate::redact;

/// Converts an error for rmcp: to a result with `is_error`, or to a protocol error if the error has a protocol code.
pub(crate) fn tool_error<E: ToolError + ?Sized>(error: &E) -> Result<CallToolResponse, ErrorData> {
    match catch_panic(|| error.protocol_code()).flatten() {
        Some(_) => Err(error_data(error)),
        None => Ok(error_result(error).into()),
    }
}

/// Converts an error to a tool result.
pub(crate) fn error_result<E: ToolError + ?Sized>(error: &E) -> CallToolResult {
    let rendered = Rendered::of(error);
    let mut meta = MetaObject::new();
    meta.0.insert(ERROR_META.into(), Value::Object(rendered.error.to_object()));
    CallToolResult::error(vec![ContentBlock::text(rendered.error.text())]).with_meta(Some(meta))
}

/// Converts an error to a JSON-RPC error.
pub(crate) fn error_data<E: ToolError + ?Sized>(error: &E) -> ErrorData {
    let rendered = Rendered::of(error);
    let code = rendered.protocol_code.unwrap_or(match rendered.error.kind {
        ErrorKind::InvalidInput | ErrorKind::NotFound => ErrorCode::INVALID_PARAMS.0,
        _ => ErrorCode::INTERNAL_ERROR.0,
    });
    let object = json!({ ERROR_META: rendered.error.to_object() });
    let data = ErrorData::new(ErrorCode(code), rendered.error.text(), Some(object));
    catch_panic(|| pipeline_error::record(error, &data));
    data
}

/// An error for clients, and its JSON-RPC code.
struct Rendered {
    error: WireError,
    protocol_code: Option<i32>,
}

impl Rendered {
    /// Renders an error. The error's methods are the user's code; if one of them panics, the client receives an
    /// internal error instead.
    fn of<E: ToolError + ?Sized>(error: &E) -> Self {
        let context = CallContext::current();
        let call = CallFacts::of(context.as_ref());
        catch_panic(|| Self::read(error, &call)).unwrap_or_else(|| Self::read(&crate::ResilienceError::Panicked, &call))
    }

    fn read<E: ToolError + ?Sized>(error: &E, call: &CallFacts<'_>) -> Self {
        let kind = error.kind();
        let code = public_text(&error.code());
        let own = error.as_resilience();
        let tool = call.context.and_then(CallContext::tool);
        let named = own.zip(tool).and_then(|(own, tool)| own.message_about(tool));
        let message = public_text(named.as_deref().unwrap_or(&error.public_message()));
        let hint = error.hint().map(|hint| public_text(&hint));
        let retry_after = wait_of(error).max(call.retry_after);
        let repeatable = call.effect.is_repeatable();
        // A call that was rejected, or whose timeout elapsed while it was queued.
        // The refusal of a call within another one does not show what that one has changed.
        let is_refused = matches!(own, Some(ResilienceError::Refused { is_nested: false, .. }));
        #[cfg(feature = "deferred")]
        let is_delivery = call.context.and_then(CallContext::request).is_some_and(|request| request.delivery.is_some());
        #[cfg(not(feature = "deferred"))]
        let is_delivery = false;
        // That of a delivery does not show what the call itself or an earlier try has changed.
        let rejected = call.attempts == 0
            && call.has_ended
            && !is_delivery
            && (is_refused
                || call.never_ran
                || matches!(kind, ErrorKind::CircuitOpen | ErrorKind::Overloaded | ErrorKind::Timeout));
        let is_of_gate = own.is_some_and(ResilienceError::is_of_gate);
        // A tool that only reads changes nothing in any case.
        let says_unchanged = rejected && if is_refused { call.effect != Effect::ReadOnly } else { !repeatable };

        let warning = call.warning(kind, error.was_not_performed());
        // The kind's default hint may advise to repeat the call.
        let hint = hint.filter(|hint| warning.is_none() || hint != kind.default_hint());
        let unchanged = says_unchanged.then_some(NOTHING_CHANGED);
        let not_accepted = call.not_accepted.map(|_| "It was not accepted for later.");
        let notes: Vec<_> = [warning, unchanged, not_accepted].into_iter().flatten().collect();

        let mut details = error.details();
        if says_unchanged || (is_of_gate && rejected) {
            details.insert("performed".into(), json!(false));
        }
        if let Some(reason) = call.not_accepted {
            details.insert("deferred".into(), json!({ "accepted": false, "reason": reason }));
        }
        if let Some(second) = &call.fallback_error {
            details.insert("fallback_error".into(), json!(second));
        }
        let rendered = WireError {
            code,
            kind,
            message,
            note: (!notes.is_empty()).then(|| notes.join(" ")),
            retryable: repeatable && error.is_retryable(),
            retry_after,
            hint,
            attempts: call.has_ended.then_some(call.attempts),
            correlation_id: call.correlation_id(),
            reason: call.reason.map(Into::into),
            details: if details.is_empty() { details } else { bounded(details) },
        };
        Self { error: rendered, protocol_code: error.protocol_code() }
    }
}

/// The facts about the call that an error belongs to.
struct CallFacts<'a> {
    context: Option<&'a CallContext>,
    has_ended: bool,
    attempts: u32,
    may_have_run: bool,
    /// Whether the hook has ended the call before the tool ran.
    never_ran: bool,
    effect: Effect,
    retry_after: Option<Duration>,
    reason: Option<&'static str>,
    fallback_error: Option<String>,
    /// Why the call was not stored, if it could have been deferred.
    not_accepted: Option<&'static str>,
}

impl<'a> CallFacts<'a> {
    fn of(context: Option<&'a CallContext>) -> Self {
        let nothing = Self {
            context,
            has_ended: false,
            attempts: context.map_or(0, CallContext::attempt),
            may_have_run: context.is_some_and(|context| context.attempt() > 0),
            never_ran: false,
            effect: Effect::Unknown,
            retry_after: None,
            reason: None,
            fallback_error: None,
            not_accepted: None,
        };
        let Some(request) = context.and_then(CallContext::request) else { return nothing };
        let report = request.report();
        Self {
            has_ended: report.outcome.is_some(),
            attempts: report.attempts,
            // A tool without a policy reports no attempts.
            may_have_run: nothing.may_have_run
                || report.attempts > 0
                || (request.is_hooked && !report.is_claimed() && !report.never_ran),
            never_ran: report.never_ran,
            effect: report.effect,
            retry_after: report.retry_after,
            reason: report.reason,
            fallback_error: report.fallback_error.clone(),
            #[cfg(feature = "deferred")]
            not_accepted: report.not_accepted,
            ..nothing
        }
    }

    /// Returns the sentence about an unknown effect, if the kind leaves it open whether the call took effect, the call
    /// may have run, and it is not known to be safe to repeat.
    fn warning(&self, kind: ErrorKind, was_not_performed: bool) -> Option<&'static str> {
        if !self.may_have_run || was_not_performed || !kind.leaves_effect_open() {
            return None;
        }
        effect_note(self.effect)
    }

    fn correlation_id(&self) -> Option<String> {
        self.context.map(|context| context.correlation_id().to_string())
    }
}

/// Adds the facts about a completed call to its result: its correlation id, and, if a fallback answered, a note after
/// the result's content.
pub(super) fn disclose(result: &mut CallToolResult, context: &CallContext, report: &Report) {
    if let Some(degraded) = &report.degraded {
        result.content.push(ContentBlock::text(disclosure(degraded)));
    }
    result.meta.get_or_insert_default().0.insert(CALL_META.into(), Value::Object(call_facts(context, report)));
}

/// Returns the facts about a completed call.
pub(super) fn call_facts(context: &CallContext, report: &Report) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("correlation_id".into(), Value::String(context.correlation_id().to_text()));
    if report.is_claimed() {
        object.insert("attempts".into(), report.attempts.into());
    }
    if let Some(degraded) = &report.degraded {
        object.insert("degraded".into(), json!(true));
        object.insert("source".into(), json!(degraded.source.as_str()));
        if let Some(age) = degraded.age {
            object.insert("age_ms".into(), json!(saturating_millis(age)));
        }
        object.insert("reason".into(), json!(degraded.reason));
    }
    if let Some(age) = report.kept.filter(|_| report.degraded.is_none()) {
        object.insert("source".into(), json!(Source::Cache.as_str()));
        object.insert("age_ms".into(), json!(saturating_millis(age)));
    }
    if !report.warnings.is_empty() {
        object.insert("warnings".into(), json!(report.warnings));
    }
    object
}

/// Returns whether a result reports an error of this crate.
pub(super) fn reports_error(result: &CallToolResult) -> bool {
    result.meta.as_ref().is_some_and(|meta| meta.0.contains_key(ERROR_META))
}

fn disclosure(degraded: &Degraded) -> String {
    let why = degraded.reason;
    match degraded.age {
        Some(age) => format!("Note: this is the last good answer, {} old, not a fresh one ({why}).", in_seconds(age)),
        None => format!("Note: this is a substitute answer; the usual source could not answer ({why})."),
    }
}

/// Adds the correlation id to a protocol error of the user's code, unless its data is not an object.
pub(super) fn correlate(error: &mut ErrorData, context: &CallContext) {
    let data = error.data.get_or_insert_with(|| json!({}));
    if let Value::Object(members) = data
        && !members.contains_key(ERROR_META)
    {
        members.insert(ERROR_META.into(), json!({ "correlation_id": context.correlation_id().to_string() }));
    }
}

/// Returns whether a JSON-RPC error was converted from an error of this crate.
pub(super) fn is_of_this_crate(error: &ErrorData) -> bool {
    error.data.as_ref().and_then(|data| data.get(ERROR_META)).is_some_and(|error| error.get("code").is_some())
}

/// Returns the delay that an error requests: at most [`LONGEST_RETRY_AFTER`], except for this crate's own errors, whose
/// delay is known.
fn wait_of<E: ToolError + ?Sized>(error: &E) -> Option<Duration> {
    let wait = error.retry_after()?;
    Some(if error.as_resilience().is_some() { wait } else { wait.min(LONGEST_RETRY_AFTER) })
}

/// Masks, cleans and cuts the texts of an error's public details.
fn bounded(details: Map<String, Value>) -> Map<String, Value> {
    fn clean(value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(public_text(&text)),
            Value::Array(items) => Value::Array(items.into_iter().map(clean).collect()),
            Value::Object(members) => {
                Value::Object(members.into_iter().map(|(key, value)| (public_text(&key), clean(value))).collect())
            }
            scalar => scalar,
        }
    }
    redact::object(details).into_iter().map(|(key, value)| (public_text(&key), clean(value))).collect()
}

/// Returns the response if even building the error response panicked.
pub(super) fn internal() -> ErrorData {
    ErrorData::internal_error("this server made a mistake", None)
}
