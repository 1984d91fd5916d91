//! Reads and writes against a model: after the end of a write no answer of a read that began before it is served.

mod model;
mod server;
mod single;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use resilient_tests::in_process::{Client, connect};
use tokio::time::sleep;

use model::Facts;
use server::{Ends, READS, Shop, WRITES};

/// A step of clients or of time.
#[derive(Debug, Clone)]
enum Step {
    /// Reads with this tool: the key, how long the body takes, and how it ends.
    Read {
        tool: usize,
        key: u32,
        takes: u64,
        ends: Ends,
    },
    /// Writes with this tool.
    Write {
        tool: usize,
        takes: u64,
        ends: Ends,
    },
    Wait(u64),
}

fn ends() -> impl Strategy<Value = Ends> {
    prop_oneof![
        6 => Just(Ends::Well),
        1 => Just(Ends::Fails),
        1 => Just(Ends::Panics),
        1 => Just(Ends::Hangs),
        1 => Just(Ends::Cancelled),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        9 => (0..READS.len(), 0_u32..2, 0_u64..60, ends())
            .prop_map(|(tool, key, takes, ends)| Step::Read { tool, key, takes, ends }),
        3 => (0..WRITES.len(), 0_u64..60, ends()).prop_map(|(tool, takes, ends)| Step::Write { tool, takes, ends }),
        8 => (1_u64..30).prop_map(Step::Wait),
        1 => (30_u64..400).prop_map(Step::Wait),
    ]
}

async fn sequence(steps: Vec<Step>, reached: &Reached) -> Result<(), TestCaseError> {
    let shop = Shop::default();
    let facts = Arc::clone(&shop.facts);
    let client = Arc::new(connect(shop).await);
    let mut running = Vec::new();
    for step in steps {
        let call = match step {
            Step::Wait(ms) => {
                sleep(Duration::from_millis(ms)).await;
                continue;
            }
            Step::Read { tool, key, takes, ends } => (READS[tool], key, takes, ends),
            Step::Write { tool, takes, ends } => (WRITES[tool], 0, takes, ends),
        };
        running.push(spawn(&client, call));
    }
    for call in running {
        call.await.expect("no panic");
    }
    judge(&facts, reached)
}

fn spawn(client: &Arc<Client>, call: (&'static str, u32, u64, Ends)) -> tokio::task::JoinHandle<()> {
    let client = Arc::clone(client);
    let (tool, key, takes, ends) = call;
    tokio::spawn(async move { server::call(&client, tool, key, takes, ends).await })
}

fn judge(facts: &Facts, reached: &Reached) -> Result<(), TestCaseError> {
    let facts = facts.calls();
    for read in &facts.reads {
        let Some(run) = read.served else { continue };
        reached.answers.fetch_add(1, Ordering::Relaxed);
        if read.own_run != Some(run) {
            reached.reused.fetch_add(1, Ordering::Relaxed);
        }
        // A write whose body never ran has changed nothing.
        let began = facts.writes.iter().filter(|write| write.body_began.is_some());
        for write in began.filter(|write| write.invalidates(read.tool)) {
            if write.ended.is_some_and(|ended| ended < read.began) {
                reached.after_writes.fetch_add(1, Ordering::Relaxed);
                prop_assert!(write.ended < Some(run), "the write had ended: {:?} {:?}", write, read);
            }
            if write.body_began.is_some_and(|began| began < read.began) {
                prop_assert!(write.body_began < Some(run), "the write had begun: {:?} {:?}", write, read);
            }
        }
    }
    Ok(())
}

/// What happened in all sequences, because otherwise they prove nothing.
#[derive(Default)]
struct Reached {
    answers: AtomicU32,
    /// Answers of a run that was not made for the call.
    reused: AtomicU32,
    after_writes: AtomicU32,
}

#[test]
fn after_a_write_no_answer_of_a_read_that_began_before_its_end_is_served() {
    let reached = Reached::default();
    let config = ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() };
    let run = |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(sequence(steps, &reached))
    };
    TestRunner::new(config)
        .run(&proptest::collection::vec(step(), 1..60), run)
        .unwrap_or_else(|error| panic!("{error}"));
    let counts = [&reached.answers, &reached.reused, &reached.after_writes];
    let [answers, reused, after_writes] = counts.map(|count| count.load(Ordering::Relaxed));
    assert!(reused > answers / 10 && after_writes > 1_000, "{answers} answers, {reused} reused, {after_writes} pairs");
}
