//! Two servers on one file, which are killed at random instants.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use resilient_runtime::deferred::{DeferredStore, Filter, Receipt, State, Summary};
use resilient_sqlite::SqliteStore;
use resilient_tests::child::Server;
use resilient_tests::dice::dice;
use resilient_tests::records::{Mode, Record, Upstream};
use resilient_tests::wire::text;
use rmcp::model::CallToolResult;
use tokio::time::{sleep, timeout};

use crate::{StoreFile, arguments, counted, counts, receipt, record};

/// The number of servers that are killed, at least.
const KILLS: u64 = 200;

/// The number of servers that are killed at most, if a busy machine gives them little time.
const MOST_KILLS: u64 = 600;

/// The number of servers at one time.
const SERVERS: u64 = 2;

/// The number of calls at one time, to each server.
const CALLERS: u64 = 3;

/// What the clients of all servers know.
#[derive(Debug, Default)]
struct Known {
    /// The receipts of the writes that were accepted for later.
    accepted: BTreeMap<String, Receipt>,
    /// The writes that were done at once.
    direct: Vec<String>,
    /// The writes that failed.
    failed: u64,
    /// The writes whose server was killed before it answered. The next server gets them again.
    unanswered: Vec<Record>,
    /// The number of writes that were sent again.
    again: u64,
}

type Shared = Arc<Mutex<Known>>;

fn next_record(shared: &Shared, number: &AtomicU64) -> Record {
    let mut known = shared.lock().expect("no panic");
    if let Some(unanswered) = known.unanswered.pop() {
        known.again += 1;
        return unanswered;
    }
    record(&format!("key-{}", number.fetch_add(1, Ordering::Relaxed)))
}

impl Known {
    /// Learns the answer to a write.
    fn learn(&mut self, record: Record, answer: &CallToolResult) {
        if let Some(receipt) = receipt(answer) {
            let before = self.accepted.insert(record.key.clone(), receipt);
            assert!(before.is_none_or(|before| before == receipt), "two receipts for {record:?}");
        } else if answer.is_error == Some(true) {
            assert!(!text(answer).contains("ACCEPTED"), "{answer:?}");
            self.failed += 1;
        } else {
            assert_eq!(text(answer), format!("written: {}", record.key));
            self.direct.push(record.key);
        }
    }
}

/// Sends one write after another until the server is killed.
async fn call(server: Arc<Server>, shared: Shared, number: Arc<AtomicU64>) {
    loop {
        let record = next_record(&shared, &number);
        match server.call("write", arguments(&record)).await {
            Ok(answer) => shared.lock().expect("no panic").learn(record, &answer),
            Err(_) => return shared.lock().expect("no panic").unanswered.push(record),
        }
        // Each server has time for its deliveries.
        sleep(Duration::from_millis(10)).await;
    }
}

/// Whether as much has happened as the test asserts at its end.
async fn is_enough(store: &SqliteStore, upstream: &Upstream, shared: &Shared) -> bool {
    let accepted = shared.lock().expect("no panic").accepted.len();
    let repeated: u32 = upstream.seen().values().map(|written| written.repeated).sum();
    accepted > 200 && counts(store).await.interrupted > 10 && repeated > 10
}

/// Starts servers one after another, and kills each at a random instant. Returns their number.
async fn kill_one_after_another(
    store_file: &StoreFile,
    upstream: &Upstream,
    shared: &Shared,
    seed: u64,
    slot: u64,
) -> u64 {
    let number = Arc::new(AtomicU64::new(slot << 32));
    let store = store_file.open();
    for round in 0..MOST_KILLS / SERVERS {
        if round >= KILLS / SERVERS && is_enough(&store, upstream, shared).await {
            return round;
        }
        let server = Arc::new(store_file.serve(upstream, &[]).await);
        let callers =
            (0..CALLERS).map(|_| tokio::spawn(call(Arc::clone(&server), Arc::clone(shared), Arc::clone(&number))));
        let callers: Vec<_> = callers.collect();
        // From "before the first call" to "after several deliveries".
        sleep(Duration::from_micros(dice(seed, slot, round) % 700_000)).await;
        server.process().kill().expect("a running process");
        for caller in callers {
            caller.await.expect("no panic");
        }
    }
    MOST_KILLS / SERVERS
}

/// Changes how the upstream treats requests, at random.
async fn change(upstream: &Upstream, seed: u64) {
    for number in 0.. {
        let mode = match dice(seed, 10, number) % 20 {
            0..8 => Mode::Down,
            8..15 => Mode::Up,
            15..17 => Mode::Hangs,
            _ => Mode::HangsAfterEffect,
        };
        upstream.set(mode);
        sleep(Duration::from_millis(20 + dice(seed, 11, number) % 200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_200_servers_that_are_killed_none_loses_an_accepted_write_and_none_repeats_an_effect() {
    let seed = u64::from(std::process::id());
    let started = Instant::now();
    let (store_file, upstream) = (StoreFile::new(), Upstream::start(Mode::Down).await.expect("a port"));
    let shared = Shared::default();
    let store = store_file.open();
    let killed = tokio::select! {
        (first, second) = async {
            tokio::join!(
                kill_one_after_another(&store_file, &upstream, &shared, seed, 0),
                kill_one_after_another(&store_file, &upstream, &shared, seed, 1),
            )
        } => first + second,
        () = change(&upstream, seed) => unreachable!("it has no end"),
    };
    let killing = started.elapsed();

    // Two further servers deliver the rest.
    upstream.set(Mode::Up);
    let survivors = [store_file.serve(&upstream, &[]).await, store_file.serve(&upstream, &[]).await];
    let rest = counts(&store).await;
    let settled = async {
        while counts(&store).await.waiting + counts(&store).await.running > 0 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    let is_settled = timeout(Duration::from_secs(60), settled).await.is_ok();
    assert!(is_settled, "seed {seed}: not delivered: {:?}", counts(&store).await);

    let all = store.list(&Filter { limit: usize::MAX, ..Filter::default() }).await.expect("the store works");
    let all: BTreeMap<Receipt, Summary> = all.into_iter().map(|summary| (summary.receipt, summary)).collect();
    let known = std::mem::take(&mut *shared.lock().expect("no panic"));
    let book = upstream.seen();
    let mut by_text: BTreeMap<&str, u32> = BTreeMap::new();
    for written in book.values() {
        *by_text.entry(&written.record.text).or_default() += written.effects;
    }
    for (key, receipt) in &known.accepted {
        let entry = all.get(receipt).unwrap_or_else(|| panic!("seed {seed}: the entry of {key} is lost"));
        assert_eq!(entry.state, State::Done, "seed {seed}: {key}: {entry:?}");
        let effects = by_text.get(&*record(key).text).copied().unwrap_or_default();
        assert_eq!(effects, 1, "seed {seed}: the effects of {key}");
        assert_eq!(book[key].record, record(key), "seed {seed}");
    }
    for (text, effects) in &by_text {
        assert_eq!(*effects, 1, "seed {seed}: the effects of {text:?}");
    }
    for key in &known.direct {
        assert!(by_text.contains_key(&*record(key).text), "seed {seed}: {key}");
    }
    assert_eq!(upstream.conflicts(), [], "seed {seed}");
    for entry in all.values() {
        assert!(entry.interrupted <= entry.tries_used && entry.tries_used >= 1, "seed {seed}: {entry:?}");
    }
    let interrupted: u32 = all.values().map(|entry| entry.interrupted).sum();
    let tries: u32 = all.values().map(|entry| entry.tries_used).sum();
    assert_eq!(counts(&store).await.interrupted, u64::from(interrupted));
    let mut reported = 0.0;
    for survivor in &survivors {
        reported += counted(survivor, "interrupted").await;
    }
    let repeated: u32 = book.values().map(|written| written.repeated).sum();
    eprintln!(
        "{killed} kills in {killing:.1?}, seed {seed}: {} accepted, {} entries, {} done at once, {} failed, {} sent \
         again after a kill; {tries} tries, {interrupted} interrupted, of which the last servers reported {reported}; \
         {} waiting and {} running after the last kill; {} effects, {repeated} repeated requests without effect",
        known.accepted.len(),
        all.len(),
        known.direct.len(),
        known.failed,
        known.again,
        rest.waiting,
        rest.running,
        book.len(),
    );
    assert!(known.accepted.len() > 200 && interrupted > 10 && repeated > 10, "seed {seed}: too little happened");
}
