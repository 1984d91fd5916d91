//! A store that fails, hangs or is slow, and clients that leave.

use std::time::Duration;

use resilient_runtime::deferred::StoreErrorKind;
use resilient_runtime::statistics::DeferredResult;
use resilient_runtime::testing::deferred::counted;
use resilient_runtime::{Outcome, testing};
use resilient_tests::in_process::{call, request};
use resilient_tests::wire::{error, text};
use rmcp::model::{CancelledNotificationParam, ClientRequest};
use rmcp::service::PeerRequestOptions;
use serde_json::json;
use tokio::time::sleep;

use super::shop::{Fault, Service, down};

#[test]
fn if_the_store_does_not_accept_a_call_it_ends_in_time_with_its_own_error() {
    testing::run(async |lab| {
        let its = down(lab).await;
        let kinds = [
            StoreErrorKind::Full,
            StoreErrorKind::TooLarge,
            StoreErrorKind::Busy,
            StoreErrorKind::ReadOnly,
            StoreErrorKind::Corrupt,
            StoreErrorKind::Unavailable,
        ];
        for kind in kinds {
            *its.store.put.lock().expect("no panic") = Some(Fault::Fails(kind));
            let answer = call(&its.client, "set", &json!({})).await;
            let facts = error(&answer);
            assert_eq!(facts["kind"], "unavailable");
            assert_eq!(facts["details"]["deferred"], json!({ "accepted": false, "reason": kind.as_str() }));
            assert!(text(&answer).contains("It was not accepted for later."), "{}", text(&answer));
        }
        lab.calls("set").assert_outcomes([(Outcome::Error, 6)]);
        assert_eq!(counted(lab.registry(), "set"), [(DeferredResult::Refused, 6)]);
    });
}

#[test]
fn a_store_that_hangs_delays_the_answer_by_the_timeout_at_most() {
    testing::run(async |lab| {
        let its = down(lab).await;
        *its.store.put.lock().expect("no panic") = Some(Fault::Hangs);
        let answer = lab.timed(call(&its.client, "set", &json!({}))).await;
        answer.assert_took("2s");
        assert_eq!(error(&answer.answer)["details"]["deferred"]["reason"], "timeout");
    });
}

#[test]
fn if_the_store_does_not_answer_within_50_ms_the_call_runs_and_is_counted_as_unchecked() {
    let late = Fault::Takes(Duration::from_secs(1));
    for fault in [Fault::Hangs, late, Fault::Fails(StoreErrorKind::Busy), Fault::Panics] {
        testing::run(async |lab| {
            let its = down(lab).await;
            its.shop.turn(Service::Up);
            *its.store.find.lock().expect("no panic") = Some(fault);
            let answer = lab.timed(call(&its.client, "set", &json!({}))).await;
            assert_eq!(text(&answer.answer), "set");
            answer.assert_took(if matches!(fault, Fault::Fails(_) | Fault::Panics) { "0s" } else { "50ms" });
            assert_eq!(counted(lab.registry(), "set"), [(DeferredResult::Unchecked, 1)]);
        });
    }
}

#[test]
fn a_call_whose_key_waits_does_not_run_even_if_the_store_cannot_be_written() {
    for fault in [Fault::Hangs, Fault::Takes(Duration::from_secs(1)), Fault::Fails(StoreErrorKind::Busy), Fault::Panics]
    {
        testing::run(async |lab| {
            let its = down(lab).await;
            let receipt = text(&call(&its.client, "set", &json!({})).await);
            its.shop.turn(Service::Up);
            let ran = its.shop.ran();
            *its.store.share.lock().expect("no panic") = Some(fault);
            let answer = lab.timed(call(&its.client, "set", &json!({}))).await;
            assert_eq!(its.shop.ran(), ran, "{fault:?}");
            if let Fault::Takes(_) = fault {
                answer.assert_took("1s");
                assert!(text(&answer.answer).starts_with("ACCEPTED_FOR_LATER"));
                return;
            }
            answer.assert_took(if fault == Fault::Hangs { "2s" } else { "0s" });
            let facts = error(&answer.answer);
            assert_eq!((&facts["kind"], &facts["retryable"]), (&json!("timeout"), &json!(true)), "{fault:?}");
            // Once the store works again, the receipt is that of the first call.
            *its.store.share.lock().expect("no panic") = None;
            let again = text(&call(&its.client, "set", &json!({})).await);
            assert_eq!(again.split(':').next(), receipt.split(':').next());
            assert_eq!(its.shop.ran(), ran);
        });
    }
}

#[test]
fn a_slow_store_that_answers_in_time_is_waited_for() {
    testing::run(async |lab| {
        let its = down(lab).await;
        *its.store.put.lock().expect("no panic") = Some(Fault::Takes(Duration::from_millis(1_500)));
        let answer = lab.timed(call(&its.client, "set", &json!({}))).await;
        answer.assert_took("1500ms");
        assert!(text(&answer.answer).starts_with("ACCEPTED_FOR_LATER"));
    });
}

#[test]
fn a_call_that_is_cancelled_while_it_is_stored_leaves_no_entry() {
    testing::run(async |lab| {
        let its = down(lab).await;
        *its.store.put.lock().expect("no panic") = Some(Fault::Takes(Duration::from_secs(1)));
        let sent = ClientRequest::CallToolRequest(rmcp::model::CallToolRequest::new(request("set", &json!({}))));
        let handle = its
            .client
            .send_cancellable_request(sent, PeerRequestOptions::no_options())
            .await
            .expect("a request is sent");
        sleep(Duration::from_millis(500)).await;
        let cancelled = CancelledNotificationParam::new(Some(handle.id.clone()), None);
        its.client.notify_cancelled(cancelled).await.expect("a notification is sent");
        sleep(Duration::from_secs(5)).await;
        assert_eq!(its.store.counts().await.waiting, 0);
        lab.calls("set").assert_outcomes([(Outcome::Cancelled, 1)]);
    });
}

#[test]
fn two_calls_with_one_key_at_once_get_one_receipt() {
    testing::run(async |lab| {
        let its = down(lab).await;
        *its.store.put.lock().expect("no panic") = Some(Fault::Takes(Duration::from_millis(100)));
        let arguments = json!({ "key": "a" });
        let (first, second) =
            tokio::join!(call(&its.client, "order", &arguments), call(&its.client, "order", &arguments));
        let receipt = its.store.entry().await.summary.receipt.to_string();
        for answer in [first, second] {
            assert!(text(&answer).starts_with(&format!("ACCEPTED_FOR_LATER {receipt}")), "{}", text(&answer));
        }
    });
}
