//! A deferred write as a task of the protocol.

use std::time::{Duration, SystemTime};

use rmcp::model::{DetailedTask, JsonObject, Task, TaskPayload, TaskStatus};
use serde_json::json;

use crate::clock::saturating_millis;
use crate::deferred::{Entry, State, Summary, Timestamp};
use crate::error::rfc3339;

/// The shortest interval between two polls that a client is advised to keep.
const SHORTEST_POLL: Duration = Duration::from_secs(1);

/// Returns the task of an entry, with its result if it has ended.
pub(super) fn detailed(entry: &Entry, now: Timestamp) -> DetailedTask {
    let mut task = task(&entry.summary, now);
    if entry.summary.state == State::Running {
        let begun = entry.summary.due.millis().saturating_sub(saturating_millis(entry.control.lease));
        task.last_updated_at = written(Timestamp::from_millis(begun).max(entry.summary.created));
    }
    DetailedTask::new(task, payload(entry))
}

/// Returns the task of an entry. Its times are those of the store's clock.
pub(super) fn task(summary: &Summary, now: Timestamp) -> Task {
    let Summary { receipt, created, expires, state, .. } = summary;
    let status = match state {
        State::Waiting | State::Running => TaskStatus::Working,
        State::Done | State::Dead | State::Discarded => TaskStatus::Completed,
        State::Cancelled => TaskStatus::Cancelled,
    };
    // Both count from the creation of the task: no try begins later, or the store forgets the result.
    let until = if state.is_live() { *expires } else { summary.due };
    let poll = summary.next_try().map_or(SHORTEST_POLL, |next| next.since(now).max(SHORTEST_POLL));
    let task = Task::new(receipt.to_string(), status, written(*created), written(updated(summary, now)))
        .with_status_message(message(summary))
        .with_ttl_ms(saturating_millis(until.since(*created)));
    if state.is_live() { task.with_poll_interval_ms(saturating_millis(poll)) } else { task }
}

/// Returns when the entry last changed, as far as its summary shows: the store does not keep the time at which a try
/// ended, but the next one is due about one delay after it.
fn updated(summary: &Summary, now: Timestamp) -> Timestamp {
    if let Some(ended) = summary.ended {
        return ended;
    }
    if summary.tries_used == 0 {
        return summary.created;
    }
    let delay = summary.policy.delay(summary.tries_used, 0.5);
    let ended = Timestamp::from_millis(summary.due.millis().saturating_sub(saturating_millis(delay)));
    ended.min(now).max(summary.created)
}

/// Returns what a user or a model may read about the state of a deferred write.
pub(in crate::mcp) fn message(summary: &Summary) -> String {
    let Summary { tries_used, policy, due, .. } = summary;
    let tries = policy.tries;
    let last = summary.last_code.as_ref().map(|code| format!("; the last error is {code}")).unwrap_or_default();
    match summary.state {
        State::Waiting => {
            let next = tries_used.saturating_add(1).min(tries);
            format!("not done yet: attempt {next} of {tries} at {}{last}", written(*due))
        }
        State::Running if summary.cancel_requested => {
            format!("attempt {tries_used} of {tries} is running; cancelled after it, unless it succeeds")
        }
        State::Running => format!("attempt {tries_used} of {tries} is running"),
        State::Done => format!("done by attempt {tries_used} of {tries}"),
        State::Dead | State::Discarded => format!(
            "given up after {tries_used} of {tries} attempts{last}; it may have taken effect, so check before repeating it"
        ),
        State::Cancelled => format!("cancelled after {tries_used} of {tries} attempts{last}"),
    }
}

fn payload(entry: &Entry) -> TaskPayload {
    match entry.summary.state {
        State::Waiting | State::Running => TaskPayload::Working,
        State::Cancelled => TaskPayload::Cancelled,
        State::Done | State::Dead | State::Discarded => ended(entry),
    }
}

/// Returns the kept result of an ended entry. A failure that is a JSON-RPC error is one here too.
fn ended(entry: &Entry) -> TaskPayload {
    let is_done = entry.summary.state == State::Done;
    match kept(entry) {
        Some(Kept::Error(error)) => TaskPayload::Failed { error },
        Some(Kept::Result(result)) => TaskPayload::Completed { result },
        None => {
            let Summary { receipt, .. } = &entry.summary;
            let text = if is_done {
                format!("DONE {receipt}: {}; its result was not kept", message(&entry.summary))
            } else {
                format!("GIVEN_UP {receipt}: {}", message(&entry.summary))
            };
            let mut result = JsonObject::new();
            result.insert("content".into(), json!([{ "type": "text", "text": text }]));
            result.insert("isError".into(), (!is_done).into());
            TaskPayload::Completed { result }
        }
    }
}

/// What the store has kept of a delivery.
#[derive(Debug)]
pub(in crate::mcp) enum Kept {
    /// The result of the tool.
    Result(JsonObject),
    /// A JSON-RPC error.
    Error(JsonObject),
}

/// Returns the kept result: a `CallToolResult`, or a JSON-RPC error, which has a `code` and no `content`.
pub(in crate::mcp) fn kept(entry: &Entry) -> Option<Kept> {
    let object: JsonObject = serde_json::from_str(entry.result.as_deref()?).ok()?;
    let is_error = !object.contains_key("content") && object.get("code").is_some_and(serde_json::Value::is_i64);
    Some(if is_error { Kept::Error(object) } else { Kept::Result(object) })
}

/// Formats a time as in ISO 8601, in milliseconds.
fn written(at: Timestamp) -> String {
    let seconds = rfc3339(SystemTime::UNIX_EPOCH + Duration::from_millis(at.millis()));
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), at.millis() % 1000)
}

#[cfg(test)]
mod tests;
