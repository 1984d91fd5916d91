//! Deferred writes of real processes: killed at every step and at random, with stores that cannot accept, and after
//! restarts.

mod kills;
mod receipts;
mod steps;
mod stores;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use resilient_sqlite::SqliteStore;
use resilient_tests::child::Server;
use resilient_tests::records::Upstream;
use resilient_tests::records::shared_store::{
    SharedStore, accept, arguments, assert_written_once, counts, delivered, receipt, record, write,
};
use tempfile::TempDir;

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

    /// The store, for tests that do not depend on the kind of the store.
    fn shared(&self) -> SharedStore {
        SharedStore { store: Arc::new(self.open()), executable: SERVER, location: self.path().to_owned() }
    }

    /// Starts a server process on the file.
    async fn serve(&self, upstream: &Upstream, variables: &[(&str, &str)]) -> Server {
        self.shared().serve(upstream, variables).await
    }
}

/// Takes the write lock of a file, as an operator with SQLite's shell might.
fn block(file: &Path) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(file).expect("the file");
    other.busy_timeout(Duration::from_secs(5)).expect("a limit");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    other
}
