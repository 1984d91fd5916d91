//! A store that several server processes share, seen from a test.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::CallToolResult;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use resilient_runtime::deferred::{Counts, DeferredStore, Receipt, State, Summary, Viewer};

use super::{NAME, Record, Upstream};
use crate::child::{PATIENCE, Server};
use crate::scrape::scrape;
use crate::wire::{CALL, meta, text};

/// A store that several server processes share.
#[derive(Debug, Clone)]
pub struct SharedStore {
    /// The store, as an operator beside the servers might open it.
    pub store: Arc<dyn DeferredStore>,
    /// The executable whose argument `records` starts [this server](super).
    pub executable: &'static str,
    /// What the servers need to open the store: the path of a file or a URL.
    pub location: String,
}

impl SharedStore {
    /// Starts a server process on the store.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn serve(&self, upstream: &Upstream, variables: &[(&str, &str)]) -> Server {
        let url = upstream.url();
        let arguments = ["records", self.location.as_str(), url.as_str()];
        Server::start_with(self.executable, &arguments, variables).await.expect("the server starts")
    }

    /// Counts the entries.
    ///
    /// # Panics
    /// If the store does not work.
    pub async fn counts(&self) -> Counts {
        counts(&*self.store).await
    }
}

/// Returns a record with this key.
#[must_use]
pub fn record(key: &str) -> Record {
    Record { key: key.to_owned(), text: format!("text of {key}") }
}

/// Returns the arguments of a call that writes a record.
///
/// # Panics
/// Never.
#[must_use]
pub fn arguments(record: &Record) -> Value {
    serde_json::to_value(record).expect("JSON")
}

/// Writes a record.
///
/// # Panics
/// If the server does not answer.
pub async fn write(server: &Server, record: &Record) -> CallToolResult {
    server.call("write", arguments(record)).await.expect("an answer")
}

/// Returns the receipt of an answer that accepts a write for later.
///
/// # Panics
/// If the text of the answer and its metadata differ.
#[must_use]
pub fn receipt(answer: &CallToolResult) -> Option<Receipt> {
    let text = text(answer);
    let found = text.strip_prefix("ACCEPTED_FOR_LATER ")?.split(':').next()?;
    assert_eq!(meta(answer, CALL)["deferred"]["receipt"], found, "{answer:?}");
    Some(found.parse().expect("a receipt"))
}

/// Writes, and returns the receipt.
///
/// # Panics
/// If the write is not accepted for later.
pub async fn accept(server: &Server, record: &Record) -> Receipt {
    let answer = write(server, record).await;
    receipt(&answer).unwrap_or_else(|| panic!("not accepted: {answer:?}"))
}

/// Counts the entries of the server.
///
/// # Panics
/// If the store does not work.
pub async fn counts(store: &dyn DeferredStore) -> Counts {
    store.counts(Some(NAME)).await.expect("the store works")
}

/// Returns what the store says about an entry.
///
/// # Panics
/// If the store does not work.
pub async fn summary(store: &dyn DeferredStore, receipt: Receipt) -> Option<Summary> {
    store.get(receipt, &Viewer::Operator).await.expect("the store works").map(|entry| entry.summary)
}

/// Waits until an entry is delivered.
///
/// # Panics
/// If it is lost, or not delivered in time.
pub async fn delivered(store: &dyn DeferredStore, receipt: Receipt) -> Summary {
    let found = timeout(PATIENCE, async {
        loop {
            let summary = summary(store, receipt).await.unwrap_or_else(|| panic!("{receipt} is lost"));
            if summary.state == State::Done {
                return summary;
            }
            assert!(summary.state.is_live(), "{summary:?}");
            sleep(Duration::from_millis(20)).await;
        }
    });
    let Ok(summary) = found.await else { panic!("not delivered: {:?}", summary(store, receipt).await) };
    summary
}

/// Asserts that the upstream wrote the record once, although it may have received it several times. Returns the number
/// of the further requests.
///
/// # Panics
/// If it did not.
#[expect(clippy::must_use_candidate, reason = "most tests only assert")]
pub fn assert_written_once(upstream: &Upstream, record: &Record) -> u32 {
    let seen = upstream.seen();
    let seen: Vec<_> = seen.values().filter(|seen| seen.record.text == record.text).collect();
    assert!(matches!(seen[..], [only] if only.effects == 1 && only.record == *record), "{record:?}: {seen:?}");
    assert_eq!(upstream.conflicts(), []);
    seen.first().map_or(0, |seen| seen.repeated)
}

/// Returns the value of a counter of deferred writes in the metrics of a server.
///
/// # Panics
/// If the server does not answer.
pub async fn counted(server: &Server, result: &str) -> f64 {
    let metrics = text(&server.call("metrics", json!({})).await.expect("an answer"));
    let samples = scrape(&metrics);
    let of_result = |name: &str| name.contains("resilient_deferred") && name.contains(&format!("result={result}"));
    samples.iter().filter(|(name, _)| of_result(name)).map(|(_, value)| value).sum()
}
