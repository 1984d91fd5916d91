//! Writes with apalis-sqlite, for the bench `accept`, which starts this program: `resilient-bench-apalis FILE ARGUMENTS`.
//!
//! For each line of stdin, a number of writers and one of writes, it stores that many tasks and answers with a line of
//! nanoseconds: of the whole turn, then of each write. Each task has an idempotency key, as a deferred write has.

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

use apalis_core::backend::TaskSink;
use apalis_core::task::builder::TaskBuilder;
use apalis_sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteStorage};
use serde_json::Value;
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};

/// The maximum number of writers.
const MOST_WRITERS: u32 = 8;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("the path of a file is missing")?;
    let task: Value = serde_json::from_str(&arguments.next().ok_or("the arguments of a task are missing")?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
        let first = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        SqliteStorage::setup(&first).await?;
        // `setup` has switched off synchronisation with the disk, for its connection only.
        first.close().await;
        let durable = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(std::time::Duration::from_secs(60));
        let pool = SqlitePoolOptions::new().min_connections(MOST_WRITERS).max_connections(MOST_WRITERS);
        let storage = SqliteStorage::<Value>::new(&pool.connect_with(durable).await?);
        let mut number = 0_u64;
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            let (writers, writes) = line.split_once(' ').ok_or("a number of writers and one of writes")?;
            let (took, each) = turn(&storage, &task, writers.parse()?, writes.parse()?, &mut number).await?;
            let mut answer = took.to_string();
            for one in each {
                answer.push(' ');
                answer.push_str(&one.to_string());
            }
            let mut stdout = std::io::stdout().lock();
            writeln!(stdout, "{answer}")?;
            stdout.flush()?;
        }
        Ok(())
    })
}

/// Stores tasks with several writers, and returns the nanoseconds of all and of each.
async fn turn(
    storage: &SqliteStorage<Value>,
    task: &Value,
    writers: usize,
    writes: usize,
    number: &mut u64,
) -> Result<(u128, Vec<u128>), Failure> {
    let started = Instant::now();
    let mut running = Vec::new();
    for _ in 0..writers {
        let (mut storage, task) = (storage.clone(), task.clone());
        let first = *number;
        let count = u64::try_from(writes / writers)?;
        *number += count;
        running.push(tokio::spawn(async move {
            let mut each = Vec::new();
            for number in first..first + count {
                let started = Instant::now();
                let task = TaskBuilder::new(task.clone()).idempotency_key(format!("key {number}")).build();
                storage.push_task(task).await.map_err(|error| format!("{error:?}"))?;
                each.push(started.elapsed().as_nanos());
            }
            Ok::<_, String>(each)
        }));
    }
    let mut all = Vec::new();
    for one in running {
        all.extend(one.await??);
    }
    Ok((started.elapsed().as_nanos(), all))
}
