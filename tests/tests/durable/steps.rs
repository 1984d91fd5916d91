//! Servers that are killed at one step, while a second one works on the same file.

use resilient_runtime::deferred::State;
use resilient_tests::child::Server;
use resilient_tests::records::{HOLD, Mode, Step, Upstream};

use resilient_tests::wire::text;

use crate::{
    StoreFile, accept, arguments, assert_written_once, block, counted, counts, delivered, record, summary, write,
};

async fn upstream(mode: Mode) -> Upstream {
    Upstream::start(mode).await.expect("a port")
}

/// Starts a server whose store stops at a step.
async fn serve_until(store_file: &StoreFile, upstream: &Upstream, step: Step) -> Server {
    store_file.serve(upstream, &[(HOLD, step.as_str())]).await
}

/// Sends a write that the server does not answer, and kills the server once it has reached the step.
async fn killed_while_accepting(server: &Server, step: Step) {
    let sent = record("a");
    let (answer, ()) = tokio::join!(server.call("write", arguments(&sent)), async {
        let line = format!("step: {}", step.as_str());
        server.process().wait_for_log(|logged| logged == line).await.expect("the step");
        server.process().kill().expect("a running process");
    });
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test]
async fn killed_before_the_commit_nothing_is_accepted_and_the_key_is_free() {
    let (store_file, upstream) = (StoreFile::new(), upstream(Mode::Down).await);
    let store = store_file.open();
    let other = store_file.serve(&upstream, &[]).await;
    let first = serve_until(&store_file, &upstream, Step::Putting).await;
    let blocked = block(&store_file.file);
    killed_while_accepting(&first, Step::Putting).await;
    drop(blocked);
    let counted = counts(&store).await;
    assert_eq!(State::ALL.iter().map(|state| counted.of(*state)).sum::<u64>(), 0, "{counted:?}");
    let receipt = accept(&other, &record("a")).await;
    upstream.set(Mode::Up);
    assert_eq!(delivered(&store, receipt).await.interrupted, 0);
    assert_written_once(&upstream, &record("a"));
}

#[tokio::test]
async fn killed_after_the_commit_and_before_the_answer_the_entry_is_delivered_and_a_second_call_gets_its_receipt() {
    let (store_file, upstream) = (StoreFile::new(), upstream(Mode::Down).await);
    let store = store_file.open();
    let other = store_file.serve(&upstream, &[]).await;
    killed_while_accepting(&serve_until(&store_file, &upstream, Step::Put).await, Step::Put).await;
    let counted = counts(&store).await;
    assert_eq!(counted.waiting + counted.running, 1, "{counted:?}");
    let receipt = accept(&other, &record("a")).await;
    let counted = counts(&store).await;
    assert_eq!(counted.waiting + counted.running, 1, "the same entry: {counted:?}");
    upstream.set(Mode::Up);
    delivered(&store, receipt).await;
    assert_written_once(&upstream, &record("a"));
}

/// Lets a server accept a write and try to deliver it, and kills it there: at a step of the store, or while the upstream
/// has the request. A second server takes over. Returns how many tries were used, and how many interrupted, from then on.
async fn killed_while_delivering(hold: Option<Step>, mode: Mode) -> (Upstream, u32, u32) {
    let (store_file, upstream) = (StoreFile::new(), upstream(Mode::Down).await);
    let store = store_file.open();
    let first = match hold {
        Some(step) => serve_until(&store_file, &upstream, step).await,
        None => store_file.serve(&upstream, &[]).await,
    };
    let receipt = accept(&first, &record("a")).await;
    match hold {
        Some(step) => {
            upstream.set(mode);
            let line = format!("step: {}", step.as_str());
            first.process().wait_for_log(|logged| logged == line).await.expect("the step");
        }
        None => upstream.set_until_request(mode).await.expect("a try"),
    }
    let before = summary(&store, receipt).await.expect("the entry");
    let other = if hold.is_some() {
        // The step lasts until the process is killed.
        let other = store_file.serve(&upstream, &[]).await;
        first.process().kill().expect("a running process");
        other
    } else {
        first.process().kill().expect("a running process");
        upstream.set(Mode::Up);
        store_file.serve(&upstream, &[]).await
    };
    let after = delivered(&store, receipt).await;
    let answer = write(&other, &record("a")).await;
    assert_eq!((text(&answer).as_str(), super::receipt(&answer)), ("written: a", None), "the kept result");
    let interrupted = after.interrupted - before.interrupted;
    assert!(counted(&other, "interrupted").await >= f64::from(interrupted), "the survivor reports it");
    (upstream, after.tries_used - before.tries_used, interrupted)
}

#[tokio::test]
async fn killed_after_the_claim_the_next_try_is_of_the_survivor() {
    let (upstream, tries, interrupted) = killed_while_delivering(Some(Step::Claimed), Mode::Up).await;
    assert_eq!((tries, interrupted), (1, 1));
    assert_eq!(assert_written_once(&upstream, &record("a")), 0);
}

#[tokio::test]
async fn killed_in_the_middle_of_a_try_the_next_one_takes_effect() {
    let (upstream, tries, interrupted) = killed_while_delivering(None, Mode::Hangs).await;
    assert_eq!((tries, interrupted), (1, 1));
    assert_eq!(assert_written_once(&upstream, &record("a")), 0);
}

#[tokio::test]
async fn killed_after_the_effect_and_before_the_answer_of_the_upstream_the_key_prevents_a_second_effect() {
    let (upstream, tries, interrupted) = killed_while_delivering(None, Mode::HangsAfterEffect).await;
    assert_eq!((tries, interrupted), (1, 1));
    assert_eq!(assert_written_once(&upstream, &record("a")), 1, "the upstream received it again");
}

#[tokio::test]
async fn killed_after_the_effect_and_before_the_completion_the_key_prevents_a_second_effect() {
    let (upstream, tries, interrupted) = killed_while_delivering(Some(Step::Completing), Mode::Up).await;
    assert_eq!((tries, interrupted), (1, 1));
    assert_eq!(assert_written_once(&upstream, &record("a")), 1);
}

#[tokio::test]
async fn killed_after_the_completion_there_is_no_further_try() {
    let (upstream, tries, interrupted) = killed_while_delivering(Some(Step::Completed), Mode::Up).await;
    assert_eq!((tries, interrupted), (0, 0));
    assert_eq!(assert_written_once(&upstream, &record("a")), 0);
}
