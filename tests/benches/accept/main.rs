//! What it costs to accept a deferred write: `put` of the SQLite store, beside a plain insert of the same row into the
//! same tables with rusqlite, in the same transaction and with the same settings, which include the synchronisation
//! with the disk. All ways take turns in one run, with one writer and with eight: threads with a connection each for
//! the plain insert, tasks that share the store.
//!
//! `cargo bench -p resilient-bench --bench accept` prints writes per second, the ratio, and the median and the 99th
//! percentile of one write, and writes `target/accept.json`. An async server cannot insert on the threads that serve
//! others, so the same insert through `spawn_blocking` is measured too.
//!
//! Two rows are of whole calls: from the client's request to the answer, which has the receipt, and beside it the same
//! call without a store, whose answer is the tool's error. Client and server are in this process.
//!
//! The last row is of apalis-sqlite, which stores a task with the same arguments and an idempotency key, synchronised
//! with the disk as well. It runs in a child process, whose package is not part of the workspace:
//! `tests/benches/apalis/Cargo.toml` says why. If that cannot be built, as without a network, the row is missing.

mod apalis;
mod tool;

use std::cell::RefCell;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use std::{fs, thread};

use resilient_bench::{demand_a_servers_clock, target};
use resilient_runtime::deferred::{Bounds, DeferredSettings, DeferredStore, NewEntry, Put, Receipt, Scope, Timestamp};
use resilient_sqlite::SqliteStore;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use apalis::Apalis;
use tool::Server;

/// The number of turns of each way.
const ROUNDS: usize = 31;

/// The number of writes in a turn, of all writers together.
const WRITES: usize = 64;

/// The arguments of each write.
const ARGUMENTS: &str = concat!(
    r#"{"amount":1250,"currency":"EUR","customer":"4711","idempotency_key":"7f2c1d9e-0b7a-4a52-9d2e-6f1f0f5f3a11","#,
    r#""note":"two of the blue ones, and one of the others, as we discussed on the phone this morning"}"#
);

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    Timestamp::from_millis(u64::try_from(now.as_millis()).expect("a time"))
}

/// A connection of one writer.
type Client = Arc<Mutex<Connection>>;

/// A way to write: its name, one turn of it, and the turns so far.
type Way<'a> = (&'static str, Box<dyn Fn() -> Turn + 'a>, Vec<Turn>);

/// What all measurements share: a process has one server with deferred writes.
struct Shared {
    folder: TempDir,
    runtime: Runtime,
    server: Server,
    apalis: Option<RefCell<Apalis>>,
}

/// The latencies of one turn of writes, and its whole duration.
struct Turn {
    took: Duration,
    writes: Vec<Duration>,
}

/// Lets tasks write one after another, each with one of these clients.
fn write_in_tasks<C, F>(runtime: &Runtime, clients: Vec<C>, write_one: impl Fn(C) -> F + Copy + Send + 'static) -> Turn
where
    C: Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let started = Instant::now();
    let each = WRITES / clients.len();
    let writes = runtime.block_on(async {
        let tasks = clients.into_iter().map(|client| {
            tokio::spawn(async move {
                let mut writes = Vec::new();
                for _ in 0..each {
                    let started = Instant::now();
                    write_one(client.clone()).await;
                    writes.push(started.elapsed());
                }
                writes
            })
        });
        let mut writes = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            writes.extend(task.await.expect("no panic"));
        }
        writes
    });
    Turn { took: started.elapsed(), writes }
}

/// Accepts writes with the store.
fn accept(runtime: &Runtime, store: &SqliteStore, writers: usize) -> Turn {
    write_in_tasks(runtime, vec![store.clone(); writers], |store| async move {
        let put = store.put(write()).await;
        assert!(matches!(put, Ok(Put::Accepted(_))), "{put:?}");
    })
}

/// Inserts the same rows without the store, as an async server must: not on the threads that serve others.
fn insert_in_tasks(runtime: &Runtime, connections: &[Client]) -> Turn {
    write_in_tasks(runtime, connections.to_vec(), |connection| async move {
        let inserted = tokio::task::spawn_blocking(move || insert_one(&connection.lock().expect("no panic")));
        inserted.await.expect("no panic").expect("the row is new");
    })
}

fn write() -> NewEntry {
    let receipt = Receipt::random().expect("random bits");
    let scope = Scope {
        server: "server".into(),
        tool: "create_order".into(),
        principal: "user 4711".into(),
        key: receipt.to_string(),
    };
    let (policy, now) = (DeferredSettings::new(), now());
    let due = now.after(policy.base);
    let correlation_id = format!("{:032x}", receipt.bits());
    NewEntry { receipt, scope, arguments: ARGUMENTS.into(), correlation_id, policy, due, now }
}

/// Inserts the same rows without the store and without a runtime.
fn insert(connections: &[Client]) -> Turn {
    let started = Instant::now();
    let writes = thread::scope(|scope| {
        let threads: Vec<_> = connections
            .iter()
            .map(|connection| {
                scope.spawn(|| {
                    let connection = connection.lock().expect("no panic");
                    let mut writes = Vec::new();
                    for _ in 0..WRITES / connections.len() {
                        let started = Instant::now();
                        insert_one(&connection).expect("the row is new");
                        writes.push(started.elapsed());
                    }
                    writes
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    Turn { took: started.elapsed(), writes }
}

fn insert_one(connection: &Connection) -> Result<(), rusqlite::Error> {
    let receipt = Receipt::random().expect("random bits");
    let (receipt, correlation_id) = (receipt.bits().to_be_bytes(), format!("{:032x}", receipt.bits()));
    let now = i64::try_from(now().millis()).expect("a time");
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    transaction
        .prepare_cached(
            "INSERT INTO entries (receipt, server, tool, tries, base_ms, cap_ms, ttl_ms, on_exhausted, created, \
             expires, state, live, due, tries_used, interrupted, cancel_requested, last_code, ended, fence, lease_ms, \
             holds_key, shared, extended, principal_hash, key_hash, arguments_hash, correlation_id, principal, \
             result, arguments) \
             VALUES (?1, 'server', 'create_order', 8, 30000, 1800000, 86400000, 'dead_letter', ?2, ?2 + 86400000, \
             'waiting', 1, ?2 + 30000, 0, 0, 0, NULL, NULL, 0, 0, 1, 0, 0, ?1, ?1, ?1, ?3, 'user 4711', NULL, ?4)",
        )?
        .execute(params![receipt, now, correlation_id, ARGUMENTS])?;
    transaction.commit()
}

/// Opens a file with the tables of the store.
fn plain(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("the file");
    connection.busy_timeout(Duration::from_secs(60)).expect("a timeout");
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;").expect("settings");
    connection
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns the median and the 99th percentile, in microseconds.
fn percentiles(turns: &[Turn]) -> (f64, f64) {
    let mut writes: Vec<f64> = turns.iter().flat_map(|turn| &turn.writes).map(|it| it.as_secs_f64() * 1e6).collect();
    writes.sort_by(f64::total_cmp);
    (writes[writes.len() / 2], writes[writes.len() * 99 / 100])
}

/// Measures all ways with this number of writers.
fn measure(shared: &Shared, writers: usize) -> Vec<Value> {
    let path = |name: &str| shared.folder.path().join(format!("{name}-{writers}.db"));
    let (ours, theirs) = (path("store"), path("plain"));
    let bounds = Bounds::default();
    let store = SqliteStore::with_bounds(&ours, bounds).expect("a store");
    drop(SqliteStore::with_bounds(&theirs, bounds).expect("the same tables"));
    let connections: Vec<Client> = (0..writers).map(|_| Arc::new(Mutex::new(plain(&theirs)))).collect();
    let Shared { runtime, server, apalis, .. } = shared;
    let mut ways: Vec<Way<'_>> = vec![
        ("plain insert", Box::new(|| insert(&connections)), Vec::new()),
        ("the same in tasks", Box::new(|| insert_in_tasks(runtime, &connections)), Vec::new()),
        ("put", Box::new(|| accept(runtime, &store, writers)), Vec::new()),
        ("a call, accepted", Box::new(|| server.turn(runtime, "create_order", writers)), Vec::new()),
        ("a call, its error", Box::new(|| server.turn(runtime, "try_order", writers)), Vec::new()),
    ];
    if let Some(apalis) = apalis {
        ways.push(("apalis-sqlite", Box::new(|| apalis.borrow_mut().turn(writers)), Vec::new()));
    }
    let number = ways.len();
    for round in 0..=ROUNDS {
        for place in 0..number {
            // The order rotates, so that no way always follows the same other one.
            let (_, run, turns) = &mut ways[(place + round) % number];
            let turn = run();
            // In the first round, statements are prepared and threads started.
            turns.extend((round > 0).then_some(turn));
        }
    }
    let took = |turns: &[Turn]| turns.iter().map(|turn| turn.took.as_secs_f64()).collect::<Vec<_>>();
    let plain = took(&ways[0].2);
    ways.iter()
        .map(|(way, _, turns)| {
            let ratio = median(took(turns).iter().zip(&plain).map(|(took, plain)| took / plain).collect());
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let a_second = WRITES as f64 / median(took(turns));
            let (p50, p99) = percentiles(turns);
            println!("{writers:<10}{way:<20}{a_second:>12.0}{ratio:>10.2}{p50:>12.0}{p99:>12.0}");
            json!({
                "writers": writers, "way": way, "writes_a_second": a_second, "to_plain": ratio,
                "p50_us": p50, "p99_us": p99,
            })
        })
        .collect()
}

fn main() {
    demand_a_servers_clock();
    // On the disk of the build, since a file system in memory has nothing to synchronise.
    let folder = tempfile::tempdir_in(target()).expect("a folder");
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let server = Server::start(&runtime, folder.path());
    let apalis = Apalis::start(folder.path());
    if let Err(why) = &apalis {
        println!("no row of apalis-sqlite: {why}\n");
    }
    let shared = Shared { folder, runtime, server, apalis: apalis.ok().map(RefCell::new) };
    println!("{:<10}{:<20}{:>12}{:>10}{:>12}{:>12}", "writers", "", "writes/s", "/ plain", "p50 µs", "p99 µs");
    let rows: Vec<Value> = [1, 8].into_iter().flat_map(|writers| measure(&shared, writers)).collect();
    let file = target().join("accept.json");
    fs::write(&file, format!("{:#}\n", Value::Array(rows))).expect("the results can be written");
    println!("\nwritten to {}", file.display());
}
