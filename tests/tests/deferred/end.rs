//! How an entry ends, and what postpones it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use resilient_runtime::deferred::{Cancellation, Claim, ClaimedTool, DeferredStore as _, State, Viewer};
use resilient_runtime::statistics::DeferredResult;
use resilient_runtime::testing;
use resilient_runtime::testing::deferred::counted;
use resilient_tests::wire::text;
use tokio::time::sleep;

use super::shop::{SECOND, kept_text, serve};

#[test]
fn a_delivery_keeps_the_result_of_the_tool_for_a_call_with_the_same_key() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        served.upstream().down(true);
        let receipt = served.defer("order", "k").await;
        served.upstream().down(false);
        let entry = served.ended(receipt).await;
        assert_eq!((entry.summary.state, entry.summary.tries_used), (State::Done, 1));
        assert_eq!(kept_text(&entry), "placed k");
        let seen = served.upstream().seen.lock().unwrap().clone();
        assert_eq!(
            seen.iter().map(|it| it.map(|it| (it.receipt, it.attempt))).collect::<Vec<_>>(),
            [None, Some((receipt, 1))]
        );
        assert_eq!(text(&served.call("order", "k").await), "placed k");
        assert_eq!(served.upstream().placed(), ["k"]);
    });
}

#[test]
fn a_callers_mistake_and_a_panic_are_dead_letters_after_one_try() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        served.upstream().down(true);
        let missing = served.defer("order", "missing").await;
        let bug = served.defer("order", "bug").await;
        served.upstream().down(false);
        for (receipt, code) in [(missing, "MISSING"), (bug, "INTERNAL")] {
            let entry = served.ended(receipt).await;
            assert_eq!((entry.summary.state, entry.summary.tries_used), (State::Dead, 1));
            assert_eq!(entry.summary.last_code.as_deref(), Some(code));
            assert!(entry.result.is_some_and(|result| result.contains(r#""isError":true"#)));
        }
    });
}

#[test]
fn tries_that_are_used_up_make_a_dead_letter() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        served.upstream().down(true);
        let receipt = served.defer("order_elsewhere", "k").await;
        let entry = served.ended(receipt).await;
        assert_eq!((entry.summary.state, entry.summary.tries_used), (State::Dead, 2));
        assert_eq!(entry.summary.last_code.as_deref(), Some("DOWN"));
        // The fallback ran for the call, and for no delivery.
        assert_eq!((served.upstream().runs(), served.upstream().fallbacks.load(Ordering::Relaxed)), (3, 1));
    });
}

#[test]
fn a_delivery_is_authorized_for_the_caller_of_then() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        served.upstream().down(true);
        let ann = served.defer("order_checked", "of ann").await;
        let bob = super::shop::receipt(&served.call_for("bob", "order_checked", "of bob").await);
        *served.upstream().banned.lock().unwrap() = Some("ann".into());
        served.upstream().down(false);
        let ann = served.ended(ann).await;
        assert_eq!((ann.summary.state, ann.summary.tries_used), (State::Dead, 1));
        assert_eq!(ann.summary.last_code.as_deref(), Some("BANNED"));
        assert_eq!(served.ended(bob).await.summary.state, State::Done);
        assert_eq!(served.upstream().placed(), ["of bob"]);
    });
}

#[test]
fn a_switch_postpones_and_uses_up_no_try() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        served.upstream().down(true);
        let receipt = served.defer("order", "k").await;
        served.upstream().down(false);
        lab.registry().gate().switch_tool("order", false).unwrap();
        sleep(Duration::from_secs(3_600)).await;
        let entry = served.entry(receipt).await;
        assert_eq!((entry.summary.state, entry.summary.tries_used), (State::Waiting, 0));
        lab.registry().gate().switch_tool("order", true).unwrap();
        sleep(Duration::from_secs(20)).await;
        assert_eq!(served.entry(receipt).await.summary.state, State::Done);
        assert_eq!(served.upstream().runs(), 2);
    });
}

#[test]
fn an_open_breaker_postpones_and_uses_up_no_try() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        served.upstream().down(true);
        let receipt = served.defer("order", "k").await;
        served.upstream().down(false);
        lab.registry().breaker("orders").unwrap().isolate();
        sleep(Duration::from_secs(3_600)).await;
        let entry = served.entry(receipt).await;
        assert_eq!((entry.summary.state, entry.summary.tries_used), (State::Waiting, 0));
        lab.registry().breaker("orders").unwrap().close();
        sleep(Duration::from_secs(10)).await;
        assert_eq!(served.entry(receipt).await.summary.state, State::Done);
    });
}

#[test]
fn an_entry_that_is_cancelled_during_a_try_ends_after_it_unless_that_succeeds() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        served.upstream().down(true);
        served.upstream().takes.store(2_000, Ordering::Relaxed);
        let receipt = served.defer("order", "k").await;
        while served.entry(receipt).await.summary.state != State::Running {
            sleep(SECOND / 2).await;
        }
        let cancelled = served.store.cancel(receipt, &Viewer::Operator, served.clock.now()).await.unwrap();
        assert_eq!(cancelled, Some(Cancellation::AfterTry));
        assert_eq!(served.ended(receipt).await.summary.state, State::Cancelled);
    });
}

#[test]
fn arguments_that_no_longer_fit_are_a_dead_letter_and_an_unknown_tool_waits() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        let misfit = served.put("order", r#"{"id":1}"#, SECOND).await;
        let unreadable = served.put("order", "[", SECOND).await;
        let of_later_version = served.put("order_by_post", r#"{"key":"k"}"#, SECOND).await;
        sleep(Duration::from_secs(60)).await;
        for receipt in [misfit, unreadable] {
            let entry = served.entry(receipt).await;
            assert_eq!((entry.summary.state, entry.summary.tries_used), (State::Dead, 1), "{entry:?}");
        }
        let entry = served.entry(of_later_version).await;
        assert_eq!((entry.summary.state, entry.summary.tries_used), (State::Waiting, 0));
        assert_eq!(served.upstream().runs(), 0);
    });
}

#[test]
fn a_handler_that_does_not_answer_uses_up_the_try_after_the_longest_answer_and_a_quarter() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        served.upstream().down(true);
        let receipt = served.defer("order", "k").await;
        served.upstream().down(false);
        served.upstream().is_stuck.store(true, Ordering::Relaxed);
        sleep(Duration::from_secs(40)).await;
        let entry = served.entry(receipt).await;
        assert_eq!((entry.summary.state, entry.summary.tries_used), (State::Waiting, 1));
        assert_eq!((entry.summary.last_code.as_deref(), entry.summary.interrupted), (Some("no_answer"), 0));
        served.upstream().is_stuck.store(false, Ordering::Relaxed);
        assert_eq!(served.ended(receipt).await.summary.state, State::Done);
    });
}

#[test]
fn a_shutdown_waits_for_the_running_delivery_and_claims_nothing_more() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        served.upstream().down(true);
        let first = served.defer("order", "first").await;
        served.upstream().down(false);
        served.upstream().takes.store(3_000, Ordering::Relaxed);
        while served.entry(first).await.summary.state != State::Running {
            sleep(SECOND / 2).await;
        }
        let second = served.put("order_elsewhere", r#"{"key":"second"}"#, SECOND * 2).await;
        served.handle.shutdown().await;
        assert_eq!(served.entry(first).await.summary.state, State::Done);
        sleep(Duration::from_secs(3_600)).await;
        assert_eq!(served.entry(second).await.summary.state, State::Waiting);
    });
}

#[test]
fn a_try_ends_when_it_learns_that_another_worker_has_its_entry() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        served.upstream().down(true);
        let receipt = served.defer("order", "k").await;
        served.upstream().down(false);
        // Longer than half a lease, at which the lease is renewed.
        served.upstream().takes.store(25_000, Ordering::Relaxed);
        while served.entry(receipt).await.summary.state != State::Running {
            sleep(SECOND / 2).await;
        }
        // The clock of the other worker's process is ahead.
        let lease = Duration::from_secs(120);
        let tools = vec![ClaimedTool { name: "order".into(), lease }];
        let claim = Claim { server: "shop".into(), tools, limit: 1, now: served.clock.now().after(lease) };
        assert_eq!(served.store.claim(&claim).await.unwrap().entries.len(), 1);
        sleep(Duration::from_secs(60)).await;
        assert!(served.upstream().placed().is_empty(), "{:?}", served.upstream().placed());
        let summary = served.entry(receipt).await.summary;
        assert_eq!((summary.state, summary.tries_used, summary.interrupted), (State::Running, 2, 1));
    });
}

#[test]
fn interrupted_tries_are_counted_even_if_the_last_one_ended_the_entry() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        let hour = Duration::from_secs(3_600);
        let receipt = served.put("order", r#"{"key":"k"}"#, hour).await;
        // Another worker is killed during each of its tries.
        let tools = vec![ClaimedTool { name: "order".into(), lease: SECOND }];
        for killed in 0..8 {
            let now = served.clock.now().after(hour + SECOND * (2 * killed));
            let claim = Claim { server: "shop".into(), tools: tools.clone(), limit: 1, now };
            assert_eq!(served.store.claim(&claim).await.unwrap().entries.len(), 1);
        }
        let entry = served.ended(receipt).await;
        assert_eq!((entry.summary.state, entry.summary.interrupted), (State::Dead, 8));
        sleep(SECOND).await;
        let counts = counted(lab.registry(), "order");
        assert_eq!(counts, [(DeferredResult::Interrupted, 8), (DeferredResult::Dead, 1)]);
    });
}
