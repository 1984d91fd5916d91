//! Tests for stores of deferred writes: a store in memory, and a suite that every store must pass.
//!
//! [`MemoryStore`] is for tests of servers, and the model with which [`check_history`] compares another store.
//! [`check_store`] tests each promise of [`DeferredStore`] in a few steps.
//!
//! ```
//! use std::sync::Arc;
//!
//! use resilient_runtime::testing::deferred::{Clients, MemoryStore, check_history, check_store};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! check_store(async |bounds| {
//!     let store = MemoryStore::new(bounds);
//!     Clients { first: Arc::new(store.clone()), second: Arc::new(store) }
//! })
//! .await;
//! # }
//! ```

mod accepting;
mod delivering;
mod ending;
mod history;
mod memory;
mod operating;
mod times;

use std::sync::Arc;
use std::time::Duration;

pub use history::check_history;
pub use memory::MemoryStore;

use crate::deferred::{
    Bounds, Claim, ClaimedTool, Claims, Deferral, DeferredSettings, DeferredStore, Entry, Failure, NewEntry, NextTry,
    Put, Receipt, Scope, State, StoreClock, Summary, Timestamp, Viewer, WallClock,
};
use crate::registry::Registry;
use crate::statistics::DeferredResult;

/// Lets the tools of a registry defer their calls to a store, in the name of this server. Nothing delivers them: for tests
/// of what a client receives. Does nothing if the registry has a store.
///
/// ```
/// use std::sync::Arc;
///
/// use resilient_runtime::Registry;
/// use resilient_runtime::testing::deferred::{MemoryStore, defer_to};
///
/// defer_to(&Registry::new(), Arc::new(MemoryStore::default()), "shop");
/// ```
pub fn defer_to(registry: &Registry, store: Arc<dyn DeferredStore>, server: &str) {
    let deferral = Deferral::new(store, server.to_owned(), StoreClock::of(WallClock::new()));
    registry.set_deferral(Arc::new(deferral));
}

/// Returns how often each thing happened to the deferred calls of a tool of this registry.
#[must_use]
pub fn counted(registry: &Registry, tool: &str) -> Vec<(DeferredResult, u64)> {
    let all = registry.deferral().map(|deferral| deferral.statistics.all()).unwrap_or_default();
    all.into_iter().filter(|(name, ..)| **name == *tool).map(|(_, result, count)| (result, count)).collect()
}

/// Two clients of one store, for example two connections to one file.
#[derive(Debug, Clone)]
pub struct Clients {
    /// A client.
    pub first: Arc<dyn DeferredStore>,
    /// Another client of the same store.
    pub second: Arc<dyn DeferredStore>,
}

/// Tests a store against the contract of [`DeferredStore`]. `open` returns two clients of a new, empty store with these
/// bounds, and is called once for each part of the suite.
///
/// # Panics
/// At the first promise that the store does not keep.
pub async fn check_store(open: impl AsyncFn(Bounds) -> Clients) {
    let bounds = Bounds::default();
    accepting::one_entry_for_each_key(&open(bounds).await).await;
    accepting::a_key_is_free_again_after_the_time_to_live(&open(bounds).await).await;
    accepting::a_write_can_be_withdrawn_until_it_is_shared(&open(bounds).await).await;
    accepting::bounds_are_kept(&open).await;
    delivering::only_due_entries_of_known_tools_are_claimed(&open(bounds).await).await;
    delivering::two_clients_never_hold_one_entry(&open(bounds).await).await;
    delivering::an_old_token_changes_nothing(&open(bounds).await).await;
    delivering::a_try_whose_process_died_counts(&open(bounds).await).await;
    delivering::a_postponed_try_does_not_count(&open(bounds).await).await;
    ending::results_are_kept(&open(bounds).await).await;
    ending::used_up_tries_end_an_entry(&open(bounds).await).await;
    ending::a_cancelled_try_ends_with_its_result(&open(bounds).await).await;
    ending::nothing_is_kept_for_ever(&open(bounds).await).await;
    operating::dead_letters_can_be_retried_and_discarded(&open(bounds).await).await;
    operating::lists_have_pages(&open(bounds).await).await;
    operating::entries_are_counted(&open(bounds).await).await;
    times::a_start_adapts_times_to_its_clock(&open(bounds).await).await;
    times::what_seems_over_is_tried_until_the_cap(&open(bounds).await).await;
    times::what_was_never_tried_does_not_end_by_time_alone(&open(bounds).await).await;
    times::the_first_process_of_a_run_sets_the_start_of_the_machine(&open(bounds).await).await;
}

/// The time at which every part of the suite begins: in November 2026.
const START: Timestamp = Timestamp::from_millis(1_796_000_000_000);

/// The lease of the suite's claims.
const LEASE: Duration = Duration::from_secs(20);

/// Returns the time of the suite after some seconds.
fn at(seconds: u64) -> Timestamp {
    START.after(Duration::from_secs(seconds))
}

/// Returns a write of the server `server` and the tool `write`, due at once.
fn write(number: u128, key: &str) -> NewEntry {
    NewEntry {
        receipt: Receipt::from_bits(number),
        scope: Scope { server: "server".into(), tool: "write".into(), principal: "caller".into(), key: key.into() },
        arguments: format!(r#"{{"key":"{key}"}}"#),
        correlation_id: format!("{number:032x}"),
        policy: DeferredSettings::new(),
        due: START,
        now: START,
    }
}

/// Returns what the caller of [`write`] may see.
fn caller() -> Viewer {
    Viewer::Caller { server: "server".into(), principal: "caller".into() }
}

async fn accept(store: &dyn DeferredStore, new: NewEntry) -> Summary {
    match store.put(new).await.expect("the store works") {
        Put::Accepted(summary) => summary,
        Put::Existing(found) => panic!("an entry holds the key: {found:?}"),
    }
}

fn claim_of(tools: &[&str], limit: usize, now: Timestamp) -> Claim {
    let tools = tools.iter().map(|name| ClaimedTool { name: (*name).to_owned(), lease: LEASE }).collect();
    Claim { server: "server".into(), tools, limit, now }
}

async fn claim(store: &dyn DeferredStore, limit: usize, now: Timestamp) -> Claims {
    store.claim(&claim_of(&["write"], limit, now)).await.expect("the store works")
}

/// Claims exactly one entry.
async fn claim_one(store: &dyn DeferredStore, now: Timestamp) -> Entry {
    let mut claims = claim(store, 1, now).await;
    claims.entries.pop().unwrap_or_else(|| panic!("nothing is due: {claims:?}"))
}

async fn get(store: &dyn DeferredStore, receipt: Receipt) -> Entry {
    store.get(receipt, &Viewer::Operator).await.expect("the store works").expect("the entry is there")
}

fn failure(code: &str, next: NextTry) -> Failure {
    Failure { code: code.into(), result: Some(format!(r#"{{"error":"{code}"}}"#)), next }
}

/// Makes an entry a dead letter.
async fn kill(store: &dyn DeferredStore, now: Timestamp) -> Receipt {
    let entry = claim_one(store, now).await;
    let ended = store.fail(entry.token(), failure("invalid_input", NextTry::Never), now).await;
    let ended = ended.expect("the store works").expect("the token is the latest");
    assert_eq!(ended.state, State::Dead, "{ended:?}");
    ended.receipt
}
