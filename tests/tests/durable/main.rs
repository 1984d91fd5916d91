//! Deferred writes of real processes: killed at every step and at random, with stores that cannot accept, and after
//! restarts.

mod kills;
mod receipts;
mod steps;
mod stores;

use std::path::{Path, PathBuf};
use std::time::Duration;

use resilient_runtime::deferred::{Counts, DeferredStore, Receipt, State, Summary, Viewer};
use resilient_sqlite::SqliteStore;
use resilient_tests::child::{PATIENCE, Server};
use resilient_tests::records::{NAME, Record, Upstream};
use resilient_tests::wire::{CALL, meta, text};
use rmcp::model::CallToolResult;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

const SERVER: &str = env!("CARGO_BIN_EXE_server-under-test");

/// A file for a store, in a folder of the test.
struct StoreFile {
    folder: TempDir,
    file: PathBuf,
}

impl StoreFile {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("deferred.db");
        Self { folder, file }
    }

    fn path(&self) -> &str {
        self.file.to_str().expect("a path in UTF-8")
    }

    /// Opens the store, as an operator beside the servers might.
    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.file).expect("the store")
    }

    /// Starts a server process on the file.
    async fn serve(&self, upstream: &Upstream, variables: &[(&str, &str)]) -> Server {
        let url = upstream.url();
        let arguments = ["records", self.path(), url.as_str()];
        Server::start_with(SERVER, &arguments, variables).await.expect("the server starts")
    }
}

fn record(key: &str) -> Record {
    Record { key: key.to_owned(), text: format!("text of {key}") }
}

fn arguments(record: &Record) -> Value {
    serde_json::to_value(record).expect("JSON")
}

async fn write(server: &Server, record: &Record) -> CallToolResult {
    server.call("write", arguments(record)).await.expect("an answer")
}

/// Returns the receipt of an answer that accepts a write for later.
fn receipt(answer: &CallToolResult) -> Option<Receipt> {
    let text = text(answer);
    let found = text.strip_prefix("ACCEPTED_FOR_LATER ")?.split(':').next()?;
    assert_eq!(meta(answer, CALL)["deferred"]["receipt"], found, "{answer:?}");
    Some(found.parse().expect("a receipt"))
}

/// Writes, and returns the receipt.
async fn accept(server: &Server, record: &Record) -> Receipt {
    let answer = write(server, record).await;
    receipt(&answer).unwrap_or_else(|| panic!("not accepted: {answer:?}"))
}

async fn counts(store: &SqliteStore) -> Counts {
    store.counts(Some(NAME)).await.expect("the store works")
}

async fn summary(store: &SqliteStore, receipt: Receipt) -> Option<Summary> {
    store.get(receipt, &Viewer::Operator).await.expect("the store works").map(|entry| entry.summary)
}

/// Waits until an entry is delivered.
async fn delivered(store: &SqliteStore, receipt: Receipt) -> Summary {
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
fn assert_written_once(upstream: &Upstream, record: &Record) -> u32 {
    let seen = upstream.seen();
    let seen: Vec<_> = seen.values().filter(|seen| seen.record.text == record.text).collect();
    assert!(matches!(seen[..], [only] if only.effects == 1 && only.record == *record), "{record:?}: {seen:?}");
    assert_eq!(upstream.conflicts(), []);
    seen[0].repeated
}

/// The value of a counter of deferred writes in the metrics of a server.
async fn counted(server: &Server, result: &str) -> f64 {
    let metrics = text(&server.call("metrics", json!({})).await.expect("an answer"));
    let samples = resilient_tests::scrape::scrape(&metrics);
    let of_result = |name: &str| name.contains("resilient_deferred") && name.contains(&format!("result={result}"));
    samples.iter().filter(|(name, _)| of_result(name)).map(|(_, value)| value).sum()
}

/// Takes the write lock of a file, as an operator with SQLite's shell might.
fn block(file: &Path) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(file).expect("the file");
    other.busy_timeout(Duration::from_secs(5)).expect("a limit");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    other
}
