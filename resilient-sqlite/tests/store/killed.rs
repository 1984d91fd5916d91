//! Several processes on one file, some of which are killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use resilient_runtime::deferred::{
    Claim, ClaimedTool, DeferredStore, Failure, Filter, NextTry, Put, Receipt, State, Viewer,
};
use resilient_sqlite::SqliteStore;

use crate::child::{Running, command, file_of_child, report};
use crate::{now, write};

fn me() -> std::path::PathBuf {
    std::env::current_exe().expect("the path of this executable")
}

/// Accepts, claims and ends entries until the end of time, and reports each step after it was acknowledged.
async fn work(file: &Path) {
    let store = SqliteStore::open(file).expect("a store");
    loop {
        for _ in 0..3 {
            let new = write();
            let receipt = new.receipt;
            let put = store.put(new).await.expect("the store works");
            assert!(matches!(put, Put::Accepted(_)), "{put:?}");
            report(&format!("accepted {receipt}"));
        }
        let tools = vec![ClaimedTool { name: "write".into(), lease: Duration::from_secs(600) }];
        let claim = Claim { server: "server".into(), tools, limit: 2, now: now() };
        for entry in store.claim(&claim).await.expect("the store works").entries {
            let receipt = entry.summary.receipt;
            report(&format!("claimed {receipt}"));
            if receipt.bits() % 2 == 0 {
                store.complete(entry.token(), Some("{}".into()), now()).await.expect("the store works");
                report(&format!("done {receipt}"));
            } else {
                let failure = Failure { code: "invalid_input".into(), result: None, next: NextTry::Never };
                store.fail(entry.token(), failure, now()).await.expect("the store works");
                report(&format!("dead {receipt}"));
            }
        }
    }
}

#[tokio::test]
async fn what_a_killed_process_was_acknowledged_is_in_the_file() {
    if let Some(file) = file_of_child() {
        return work(&file).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("deferred.db");
    let started = Instant::now();
    let mut reported: BTreeMap<Receipt, Vec<String>> = BTreeMap::new();
    let (mut kills, mut steps) = (0, 0);
    while started.elapsed() < Duration::from_secs(5) {
        // Both open the file at the same time, in the first round a new one, and in the others one that needs recovery.
        let children = [(); 2].map(|()| Running::start(command(&me(), &file)));
        children.iter().for_each(Running::wait_for_first);
        sleep(Duration::from_micros(fastrand_micros()));
        for child in children {
            for line in child.kill() {
                let (step, receipt) = line.split_once(' ').expect("a step and a receipt");
                steps += 1;
                reported.entry(receipt.parse().expect("a receipt")).or_default().push(step.to_owned());
            }
            kills += 1;
        }
    }
    let store = SqliteStore::open(&file).expect("the file is in order");
    for (receipt, steps) in &reported {
        let entry = store.get(*receipt, &Viewer::Operator).await.expect("the store works");
        let state = entry.unwrap_or_else(|| panic!("{receipt} is lost after {steps:?}")).summary.state;
        let has = |step: &str| steps.iter().any(|it| it == step);
        // The other process may have gone on before it was killed too.
        let fits = match state {
            State::Waiting => !has("claimed"),
            State::Running => !has("done") && !has("dead"),
            State::Done => !has("dead"),
            State::Dead => !has("done"),
            _ => false,
        };
        assert!(fits, "{receipt} is {state:?} after {steps:?}");
    }
    let all = store.list(&Filter { limit: usize::MAX, ..Filter::default() }).await.expect("the store works");
    // A process can be killed between the commit and the report.
    let unreported = all.len() - reported.len();
    assert!(unreported <= kills, "{unreported} of {} after {kills} kills", all.len());
    assert!(kills >= 6 && steps > 100, "{kills} kills, {steps} steps");
    eprintln!(
        "{kills} kills, {} entries accepted, {steps} steps acknowledged, {unreported} unreported",
        reported.len()
    );
}

fn fastrand_micros() -> u64 {
    let random = Receipt::random().expect("random bits").bits();
    u64::try_from(random % 150_000).expect("a small number")
}

#[tokio::test]
async fn of_two_processes_that_write_without_pause_none_starves() {
    if let Some(file) = file_of_child() {
        let store = SqliteStore::open(&file).expect("a store");
        report("ready");
        loop {
            let put = store.put(write()).await.expect("no error, although two processes write");
            assert!(matches!(put, Put::Accepted(_)), "{put:?}");
            report("accepted");
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("deferred.db");
    let children = [(); 2].map(|()| Running::start(command(&me(), &file)));
    children.iter().for_each(Running::wait_for_first);
    sleep(Duration::from_millis(1_500));
    let [first, second] = children.map(|child| child.kill().len() - 1);
    assert!(first.min(second) * 3 >= first.max(second), "{first} and {second} entries");
    eprintln!("{first} and {second} entries in 1.5 s");
}
