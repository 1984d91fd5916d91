//! The last errors and the breakers, for operators.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::now;
use crate::breaker::{BreakerSnapshot, Transition};
use crate::clock::saturating_millis;
use crate::health::Health;
use crate::statistics::{ErrorGroup, RecentError};

/// How many errors are shown, unless the query says otherwise: a number up to the most that are kept.
const LIMIT: usize = 100;
const HIGHEST_LIMIT: usize = 1_000;

/// As many of the transitions that a breaker keeps as are shown.
const TRANSITIONS: usize = 20;

/// What operators ask: what went wrong lately, and where the breakers stand. **Bind it to loopback, or put
/// it behind authentication; never serve it beside `/mcp` to everybody.** What it tells is what clients
/// could read, but each of them only its own part of it.
///
/// | route | body |
/// |---|---|
/// | `/errors?tool=NAME&limit=N` | `errors`, newest first: `at_unix_ms`, `correlation_id` (under which the log has the rest), `tool`, `code`, `kind`, `text` (what the client could read), `attempts`. `groups`, by tool and code, the last that happened first: `count` of all there have been, `first_unix_ms`, `last_unix_ms` |
/// | `/breakers` | `breakers`, by name: `state`, `since_unix_ms` (absent where it never moved), `remaining_ms` (absent where it rejects for no set time), what it has counted, and its last 20 `transitions`, newest first |
///
/// Without `tool` the errors are those of all; `limit` is 1 to 1,000, by default 100. Another query gets 400.
/// Whose call it was is not told. Of breakers with a key, those that are not closed are shown, without the
/// key.
///
/// The registry is that of the health, which is not asked for anything else.
pub fn admin_router<S: Clone + Send + Sync + 'static>(health: Arc<Health>) -> Router<S> {
    Router::new().route("/errors", get(errors)).route("/breakers", get(breakers)).with_state(health)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    tool: Option<String>,
    limit: Option<usize>,
}

async fn errors(State(health): State<Arc<Health>>, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    // What was sent is not repeated: it is not ours to show.
    let asked = asked.ok().filter(|asked| asked.limit.is_none_or(|limit| (1..=HIGHEST_LIMIT).contains(&limit)));
    let Some(Query(Asked { tool, limit })) = asked else {
        let error =
            format!("expected `tool`, a tool's name, and `limit`, a number from 1 to {HIGHEST_LIMIT}, or neither");
        return now(StatusCode::BAD_REQUEST, json!({ "error": error }));
    };
    let is_asked = |of: &str| tool.as_deref().is_none_or(|tool| tool == of);
    let recent = health.registry().recent_errors();
    let errors = recent.iter().filter(|error| is_asked(&error.tool)).take(limit.unwrap_or(LIMIT)).map(ErrorView::of);
    let groups = health.registry().error_groups();
    let groups = groups.iter().filter(|group| is_asked(&group.tool)).map(GroupView::of);
    let body = json!({ "errors": errors.collect::<Vec<_>>(), "groups": groups.collect::<Vec<_>>() });
    now(StatusCode::OK, body)
}

async fn breakers(State(health): State<Arc<Health>>) -> Response {
    let breakers: Vec<_> = health.registry().breakers().iter().map(BreakerView::of).collect();
    now(StatusCode::OK, json!({ "breakers": breakers }))
}

/// An error, without whose call it was.
#[derive(Debug, Serialize)]
struct ErrorView<'a> {
    at_unix_ms: u64,
    correlation_id: String,
    tool: &'a str,
    code: &'a str,
    kind: &'static str,
    text: &'a str,
    attempts: u32,
}

impl<'a> ErrorView<'a> {
    fn of(error: &'a RecentError) -> Self {
        let RecentError { at, correlation_id, tool, code, kind, text, attempts, principal: _ } = error;
        Self {
            at_unix_ms: unix_ms(*at),
            correlation_id: correlation_id.to_string(),
            tool,
            code,
            kind: kind.as_str(),
            text,
            attempts: *attempts,
        }
    }
}

#[derive(Debug, Serialize)]
struct GroupView<'a> {
    tool: &'a str,
    code: &'a str,
    kind: &'static str,
    count: u64,
    first_unix_ms: u64,
    last_unix_ms: u64,
}

impl<'a> GroupView<'a> {
    fn of(group: &'a ErrorGroup) -> Self {
        let ErrorGroup { tool, code, kind, count, first, last } = group;
        let (first_unix_ms, last_unix_ms) = (unix_ms(*first), unix_ms(*last));
        Self { tool, code, kind: kind.as_str(), count: *count, first_unix_ms, last_unix_ms }
    }
}

#[derive(Debug, Serialize)]
struct BreakerView {
    breaker: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since_unix_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_ms: Option<u64>,
    consecutive_failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<WindowView>,
    probes: u32,
    successes: u64,
    failures: u64,
    neutral: u64,
    rejected: u64,
    stale: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure_unix_ms: Option<u64>,
    transitions: Vec<TransitionView>,
}

#[derive(Debug, Serialize)]
struct WindowView {
    results: u32,
    failures: u32,
    slow: u32,
}

#[derive(Debug, Serialize)]
struct TransitionView {
    from: &'static str,
    to: &'static str,
    at_unix_ms: u64,
    reason: &'static str,
}

impl BreakerView {
    fn of(read: &BreakerSnapshot) -> Self {
        Self {
            breaker: read.name,
            state: read.state.as_str(),
            since_unix_ms: read.since.map(unix_ms),
            remaining_ms: read.remaining.map(saturating_millis),
            consecutive_failures: read.consecutive_failures,
            window: read.window.map(|(results, failures, slow)| WindowView { results, failures, slow }),
            probes: read.probes,
            successes: read.successes,
            failures: read.failures,
            neutral: read.neutral,
            rejected: read.rejected,
            stale: read.stale,
            last_failure_unix_ms: read.last_failure.map(unix_ms),
            transitions: read.transitions.iter().rev().take(TRANSITIONS).map(TransitionView::of).collect(),
        }
    }
}

impl TransitionView {
    fn of(moved: &Transition) -> Self {
        let Transition { from, to, at, reason } = moved;
        Self { from: from.as_str(), to: to.as_str(), at_unix_ms: unix_ms(*at), reason: reason.as_str() }
    }
}

fn unix_ms(at: SystemTime) -> u64 {
    saturating_millis(at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO))
}
