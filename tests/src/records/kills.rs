//! Servers on one store, which are killed at random instants.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rmcp::model::CallToolResult;
use tokio::time::{sleep, timeout};

use resilient_runtime::deferred::{Filter, Receipt, State, Summary};

use super::shared_store::{SharedStore, arguments, counted, receipt, record};
use super::{Mode, Record, Upstream};
use crate::child::Server;
use crate::dice::dice;
use crate::wire::text;

/// The number of servers at one time.
const SERVERS: u64 = 2;

/// The number of calls at one time, to each server.
const CALLERS: u64 = 3;

/// How much has to happen before the last server is killed.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The number of servers that are killed, at least.
    pub kills: u64,
    /// The number of servers that are killed at most, if a busy machine gives them little time.
    pub most_kills: u64,
    /// The number of writes that are accepted for later, at least.
    pub accepted: usize,
    /// The number of tries that are interrupted, at least.
    pub interrupted: u64,
    /// The number of requests that the upstream receives again, at least.
    pub repeated: u64,
}

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

/// What the clients of all servers know, behind a lock.
#[derive(Debug, Default)]
struct Clients(Mutex<Known>);

impl Clients {
    fn with<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn next_record(&self, number: &AtomicU64) -> Record {
        self.with(|known| {
            let unanswered = known.unanswered.pop();
            known.again += u64::from(unanswered.is_some());
            unanswered.unwrap_or_else(|| record(&format!("key-{}", number.fetch_add(1, Ordering::Relaxed))))
        })
    }
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
async fn call(server: Arc<Server>, clients: Arc<Clients>, number: Arc<AtomicU64>) {
    loop {
        let record = clients.next_record(&number);
        match server.call("write", arguments(&record)).await {
            Ok(answer) => clients.with(|known| known.learn(record, &answer)),
            Err(_) => return clients.with(|known| known.unanswered.push(record)),
        }
        // Each server has time for its deliveries.
        sleep(Duration::from_millis(10)).await;
    }
}

/// A run of servers that are killed.
struct Run<'a> {
    shared: &'a SharedStore,
    upstream: &'a Upstream,
    plan: Plan,
    seed: u64,
    clients: Arc<Clients>,
}

impl Run<'_> {
    /// Whether as much has happened as is asserted at the end.
    async fn is_enough(&self) -> bool {
        let accepted = self.clients.with(|known| known.accepted.len());
        accepted > self.plan.accepted
            && self.shared.counts().await.interrupted > self.plan.interrupted
            && repeated(self.upstream) > self.plan.repeated
    }

    /// Starts servers one after another, and kills each at a random instant. Returns their number.
    async fn kill_one_after_another(&self, slot: u64) -> u64 {
        let number = Arc::new(AtomicU64::new(slot << 32));
        for round in 0..self.plan.most_kills / SERVERS {
            if round >= self.plan.kills / SERVERS && self.is_enough().await {
                return round;
            }
            let server = Arc::new(self.shared.serve(self.upstream, &[]).await);
            let callers = (0..CALLERS)
                .map(|_| tokio::spawn(call(Arc::clone(&server), Arc::clone(&self.clients), Arc::clone(&number))));
            let callers: Vec<_> = callers.collect();
            // From "before the first call" to "after several deliveries".
            sleep(Duration::from_micros(dice(self.seed, slot, round) % 700_000)).await;
            server.process().kill().expect("a running process");
            for caller in callers {
                caller.await.expect("no panic");
            }
        }
        self.plan.most_kills / SERVERS
    }
}

fn repeated(upstream: &Upstream) -> u64 {
    upstream.seen().values().map(|written| u64::from(written.repeated)).sum()
}

/// Changes how the upstream treats requests, at random, without an end.
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

/// Kills servers at random instants, while the upstream changes. Then two further servers deliver the rest. Asserts that
/// no accepted write is lost, and that none takes effect twice.
///
/// # Panics
/// If a write is lost or repeated, or if less than planned has happened.
pub async fn assert_no_write_is_lost_or_repeated(shared: &SharedStore, plan: Plan) {
    let seed = u64::from(std::process::id());
    let started = Instant::now();
    let upstream = Upstream::start(Mode::Down).await.expect("a port");
    let run = Run { shared, upstream: &upstream, plan, seed, clients: Arc::default() };
    let killed = tokio::select! {
        (first, second) = async {
            tokio::join!(run.kill_one_after_another(0), run.kill_one_after_another(1))
        } => first + second,
        () = change(&upstream, seed) => unreachable!("it has no end"),
    };
    let killing = started.elapsed();

    // Two further servers deliver the rest.
    upstream.set(Mode::Up);
    let survivors = [shared.serve(&upstream, &[]).await, shared.serve(&upstream, &[]).await];
    let rest = shared.counts().await;
    wait_for_end(shared, Duration::from_secs(60)).await;
    let known = run.clients.with(std::mem::take);
    let all = assert_in_effect_once(shared, &upstream, &known.accepted).await;
    for key in &known.direct {
        assert!(upstream.seen().values().any(|written| written.record == record(key)), "seed {seed}: {key}");
    }
    let interrupted: u32 = all.values().map(|entry| entry.interrupted).sum();
    let tries: u32 = all.values().map(|entry| entry.tries_used).sum();
    assert_eq!(shared.counts().await.interrupted, u64::from(interrupted));
    let mut reported = 0.0;
    for survivor in &survivors {
        reported += counted(survivor, "interrupted").await;
    }
    let repeated = repeated(&upstream);
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
        upstream.seen().len(),
    );
    assert!(
        known.accepted.len() > plan.accepted && u64::from(interrupted) > plan.interrupted && repeated > plan.repeated,
        "seed {seed}: too little happened"
    );
}

/// Waits until no entry waits or runs.
///
/// # Panics
/// If that is not so in time.
pub async fn wait_for_end(shared: &SharedStore, patience: Duration) {
    let ended = async {
        loop {
            let counts = shared.counts().await;
            if counts.waiting + counts.running == 0 {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let is_ended = timeout(patience, ended).await.is_ok();
    assert!(is_ended, "not delivered: {:?}", shared.counts().await);
}

/// Asserts that each accepted write is delivered and took effect once, and that nothing took effect twice. Returns all
/// entries.
///
/// # Panics
/// If that is not so.
pub async fn assert_in_effect_once(
    shared: &SharedStore,
    upstream: &Upstream,
    accepted: &BTreeMap<String, Receipt>,
) -> BTreeMap<Receipt, Summary> {
    let filter = Filter { limit: usize::MAX, ..Filter::default() };
    let all = shared.store.list(&filter).await.expect("the store works");
    let all: BTreeMap<Receipt, Summary> = all.into_iter().map(|summary| (summary.receipt, summary)).collect();
    let book = upstream.seen();
    let mut by_text: BTreeMap<&str, u32> = BTreeMap::new();
    for written in book.values() {
        *by_text.entry(&written.record.text).or_default() += written.effects;
    }
    for (key, receipt) in accepted {
        let entry = all.get(receipt).unwrap_or_else(|| panic!("the entry of {key} is lost"));
        assert_eq!(entry.state, State::Done, "{key}: {entry:?}");
        let effects = by_text.get(&*record(key).text).copied().unwrap_or_default();
        assert_eq!(effects, 1, "the effects of {key}");
        assert_eq!(book[key].record, record(key));
    }
    for (text, effects) in &by_text {
        assert_eq!(*effects, 1, "the effects of {text:?}");
    }
    assert_eq!(upstream.conflicts(), []);
    for entry in all.values() {
        assert!(entry.interrupted <= entry.tries_used && entry.tries_used >= 1, "{entry:?}");
    }
    all
}
