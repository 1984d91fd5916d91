//! The routes for deferred writes: the list, and what an operator can do about a dead letter.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tokio::time::timeout;

use super::Shared;
use super::body::Fields;
use super::changes::{Change, Name, STATUS_ABOVE, unknown};
use super::reads::{HIGHEST_LIMIT, LIMIT};
use super::refusal::Refusal;
use crate::deferred::{Deferral, Filter, Receipt, Retried, State as EntryState, StoreError, Summary, Viewer};
use crate::http::now;
use crate::statistics::{AdminRefusal, DeferredResult};
use crate::view::{DeferredEntry, DeferredWrites};

/// How long a request waits for the store, which gives up after a few seconds itself if another process blocks it.
const LONGEST: Duration = Duration::from_secs(10);

/// The number of characters that an id has at least, after the prefix of receipts.
const SHORTEST_ID: usize = 8;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeferredQuery {
    state: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<DeferredQuery>, QueryRejection>,
) -> Response {
    let read = timeout(LONGEST, read(&shared, query.ok().map(|Query(query)| query))).await;
    match read.unwrap_or_else(|_| Err(unanswered())) {
        Ok(writes) => now(StatusCode::OK, writes),
        Err(refusal) => refusal.respond(shared.registry()),
    }
}

/// Returns the counts, and at most `limit` dead letters; or why there are none.
#[cfg(feature = "status-page")]
pub(super) async fn dead_letters(shared: &Shared, limit: usize) -> Result<DeferredWrites, String> {
    let query = DeferredQuery { state: Some(EntryState::Dead.as_str().into()), after: None, limit: Some(limit) };
    read(shared, Some(query)).await.map_err(|refusal| refusal.text.into_owned())
}

async fn read(shared: &Shared, query: Option<DeferredQuery>) -> Result<DeferredWrites, Refusal> {
    let deferral = shared.deferral()?;
    let mut filter = query.and_then(|query| filter(&deferral, &query).map(|filter| (filter, query.after)));
    let Some((filter, after)) = &mut filter else {
        let states: Vec<_> = EntryState::ALL.iter().map(|state| format!("`{}`", state.as_str())).collect();
        let text = format!(
            "expected `state`, one of {}, `after`, the id of an entry, and `limit`, a number from 1 to {HIGHEST_LIMIT}, \
             or some of them",
            states.join(", ")
        );
        return Err(Refusal::new(AdminRefusal::Query, StatusCode::BAD_REQUEST, text));
    };
    if let Some(after) = after {
        filter.after = Some(find(&deferral, after).await?.receipt);
    }
    let counts = deferral.sample().await.map_err(|error| failed(&error))?;
    let entries = deferral.store.list(filter).await.map_err(|error| failed(&error))?;
    Ok(DeferredWrites::new(&deferral, counts, &entries))
}

/// Returns the filter of a query, without `after`; `None` if the query is not as expected.
fn filter(deferral: &Deferral, query: &DeferredQuery) -> Option<Filter> {
    let state = match &query.state {
        Some(word) => Some(EntryState::from_word(word)?),
        None => None,
    };
    let limit = query.limit.unwrap_or(LIMIT);
    let server = Some(deferral.server.clone());
    (1..=HIGHEST_LIMIT).contains(&limit).then_some(Filter { server, state, after: None, limit })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionBody {
    action: Action,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Retry,
    Discard,
}

pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    name: Name,
    Extension(fields): Extension<Fields>,
) -> Response {
    let (by, is_form) = (fields.by.clone(), fields.is_form);
    let task = Arc::clone(&shared);
    // In a separate task, which continues if the client disconnects, so that each change has its event.
    let changing = tokio::spawn(async move {
        let changed = act(&task, name, fields).await;
        task.respond(changed, by.as_deref(), is_form.then_some(STATUS_ABOVE))
    });
    match timeout(LONGEST, changing).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            let text = "the change ended without a result";
            Refusal::new(AdminRefusal::Internal, StatusCode::INTERNAL_SERVER_ERROR, text).respond(shared.registry())
        }
        Err(_) => unanswered().respond(shared.registry()),
    }
}

async fn act(shared: &Shared, name: Name, fields: Fields) -> Result<(Change, DeferredEntry), Refusal> {
    let ActionBody { action } = fields.parse("expected `action`, one of `retry`, `discard`")?;
    let deferral = shared.deferral()?;
    let axum::extract::Path(id) = name.map_err(|_| unknown("deferred write", None))?;
    let before = find(&deferral, &id).await?;
    let (receipt, now) = (before.receipt, deferral.clock.now());
    let store = &deferral.store;
    let to = match action {
        Action::Retry => match store.retry(receipt, now).await.map_err(|error| failed(&error))? {
            Retried::Waits => {
                deferral.wake.notify_one();
                EntryState::Waiting
            }
            Retried::KeyTaken(other) => {
                let other = other.short();
                return Err(conflict(format!("the write `{other}`, which was accepted later, has the same key")));
            }
            Retried::NotDead => return Err(not_dead(&before)),
        },
        Action::Discard => {
            if !store.discard(receipt, now).await.map_err(|error| failed(&error))? {
                return Err(not_dead(&before));
            }
            deferral.statistics.count(&before.tool, DeferredResult::Discarded);
            EntryState::Discarded
        }
    };
    let change = Change {
        what: format!("deferred {}", receipt.short()),
        from: Some(EntryState::Dead.as_str()),
        to: to.as_str(),
        is_difference: true,
    };
    // The change has been made, even if the entry cannot be read again.
    let after = store.get(receipt, &Viewer::Operator).await.ok().flatten().map(|entry| entry.summary);
    let after = after.unwrap_or(Summary { state: to, ..before });
    Ok((change, DeferredEntry::from(&after)))
}

/// Finds an entry of this server by its receipt, or by enough of its first characters.
async fn find(deferral: &Deferral, id: &str) -> Result<Summary, Refusal> {
    let digits = id.strip_prefix(Receipt::PREFIX).unwrap_or(id);
    if digits.len() < SHORTEST_ID || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(unknown("deferred write", None));
    }
    let beginning = format!("{}{digits}", Receipt::PREFIX);
    if let Ok(receipt) = beginning.parse() {
        let entry = deferral.store.get(receipt, &Viewer::Operator).await.map_err(|error| failed(&error))?;
        let summary = entry.map(|entry| entry.summary).filter(|summary| summary.server == deferral.server);
        return summary.ok_or_else(|| unknown("deferred write", None));
    }
    let server = Some(deferral.server.clone());
    let mut page = Filter { server, state: None, after: None, limit: HIGHEST_LIMIT };
    let mut found: Option<Summary> = None;
    loop {
        let entries = deferral.store.list(&page).await.map_err(|error| failed(&error))?;
        let is_last = entries.len() < page.limit;
        page.after = entries.last().map(|entry| entry.receipt);
        for entry in entries.into_iter().filter(|entry| entry.receipt.to_string().starts_with(&beginning)) {
            if found.replace(entry).is_some() {
                return Err(conflict("several deferred writes have this id; use more characters of the receipt"));
            }
        }
        if is_last {
            return found.ok_or_else(|| unknown("deferred write", None));
        }
    }
}

fn not_dead(entry: &Summary) -> Refusal {
    conflict(format!("only a dead letter can be changed, and this write was `{}`", entry.state.as_str()))
}

fn conflict(text: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(AdminRefusal::Forbidden, StatusCode::CONFLICT, text)
}

fn failed(error: &StoreError) -> Refusal {
    let text = format!("the store of deferred writes failed: {}", error.kind().as_str());
    Refusal::new(AdminRefusal::Internal, StatusCode::SERVICE_UNAVAILABLE, text)
}

/// The store did not answer. A change that was begun may still happen.
fn unanswered() -> Refusal {
    let text = "the store of deferred writes did not answer in time";
    Refusal::new(AdminRefusal::Internal, StatusCode::SERVICE_UNAVAILABLE, text)
}

impl Shared {
    fn deferral(&self) -> Result<Arc<Deferral>, Refusal> {
        let text = "this server defers no writes";
        let none = || Refusal::new(AdminRefusal::Unknown, StatusCode::NOT_FOUND, text);
        self.registry().deferral().ok_or_else(none)
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests;
