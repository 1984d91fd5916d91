//! The suite that every store must pass, and random histories.

use std::sync::Arc;

use resilient_runtime::deferred::Bounds;
use resilient_runtime::testing::deferred::{Clients, MemoryStore, check_history, check_store};
use resilient_sqlite::SqliteStore;
use tempfile::TempDir;

/// Opens two clients of a new file, as two processes would.
fn open(folder: &TempDir, bounds: Bounds) -> Clients {
    let path = folder.path().join(format!("{}.db", fastrand_name()));
    let open = || Arc::new(SqliteStore::with_bounds(&path, bounds).expect("a store"));
    Clients { first: open(), second: open() }
}

fn fastrand_name() -> String {
    resilient_runtime::deferred::Receipt::random().expect("random bits").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_keeps_every_promise() {
    let folder = tempfile::tempdir().expect("a folder");
    check_store(async |bounds| open(&folder, bounds)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_keeps_every_promise() {
    check_store(async |bounds| in_memory(bounds)).await;
}

fn in_memory(bounds: Bounds) -> Clients {
    let store = MemoryStore::new(bounds);
    Clients { first: Arc::new(store.clone()), second: Arc::new(store) }
}

#[tokio::test]
async fn the_same_calls_have_the_same_results_as_in_the_model() {
    // In memory, if there is such a file system: this is about results, and there are thousands of commits.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    for seed in 0..24 {
        check_history(async |bounds| open(&folder, bounds), seed, 400).await;
    }
}
