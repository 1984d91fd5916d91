//! A store that fails, hangs or is slow, and clients that leave.

use std::time::Duration;

use resilient_runtime::deferred::StoreErrorKind;
use resilient_runtime::statistics::DeferredResult;
use resilient_runtime::testing::deferred::counted;
use resilient_runtime::{Outcome, mcp, resilient, testing};
use resilient_tests::in_process::{call, connect, request};
use resilient_tests::logs::{Events, listen};
use resilient_tests::wire::{CALL, error, meta, text};
use rmcp::model::{CallToolRequestParams, CallToolResponse, CancelledNotificationParam, ClientRequest};
use rmcp::service::{PeerRequestOptions, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler, tool_handler};
use serde_json::json;
use tokio::time::{sleep, timeout};
use tracing_subscriber::layer::SubscriberExt as _;

use super::shop::{Fault, Faulty, Service, Shop, down};

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
fn a_store_that_panics_accepts_nothing_and_the_call_ends_with_its_own_error() {
    testing::run(async |lab| {
        let its = down(lab).await;
        *its.store.put.lock().expect("no panic") = Some(Fault::Panics);
        let facts = error(&call(&its.client, "set", &json!({})).await);
        assert_eq!(facts["kind"], "unavailable");
        assert_eq!(facts["details"]["deferred"], json!({ "accepted": false, "reason": "unavailable" }));
        assert_eq!(counted(lab.registry(), "set"), [(DeferredResult::Refused, 1)]);
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
            assert_eq!((&facts["code"], &facts["kind"]), (&json!("KEY_UNKNOWN"), &json!("unavailable")), "{fault:?}");
            assert_eq!(facts["retryable"], true, "{fault:?}");
            assert_eq!(facts["details"].get("performed"), None, "{fault:?}");
            assert!(!text(&answer.answer).contains("Nothing was changed"), "{}", text(&answer.answer));
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

/// Hands the request of each call to the store, which cancels it once the call is stored.
struct Leaving(Shop, Faulty);

impl ServerHandler for Leaving {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        *self.1.leaving.lock().expect("no panic") = Some(context.ct.clone());
        self.0.call_tool(request, context).await
    }
}

#[test]
fn the_entry_of_a_client_that_leaves_is_withdrawn_and_a_failure_of_that_is_logged() {
    for fault in [None, Some(Fault::Fails(StoreErrorKind::Busy))] {
        testing::run(async |lab| {
            let log = Events::default();
            let _listening = listen(tracing_subscriber::registry().with(log.clone()));
            let its = down(lab).await;
            *its.store.withdraw.lock().expect("no panic") = fault;
            let client = connect(Leaving(its.shop.clone(), its.store.clone())).await;
            // rmcp sends no answer to a request that was cancelled.
            let _ = timeout(Duration::from_secs(5), client.call_tool(request("set", &json!({})))).await;
            lab.calls("set").assert_outcomes([(Outcome::Cancelled, 1)]);
            assert!(its.store.leaving.lock().expect("no panic").is_none(), "it was stored before");
            let failed = lines(&log, "deferred.store_failed");
            assert_eq!(its.store.counts().await.waiting, failed.len() as u64, "{failed:?}");
            let Some(_) = fault else { return assert!(failed.is_empty(), "{failed:?}") };
            let receipt = its.store.entry().await.summary.receipt;
            let expected =
                format!("ERROR event=\"deferred.store_failed\" operation=\"withdraw\" receipt=\"{}\"", receipt.short());
            assert!(matches!(&*failed, [line] if line.starts_with(&expected)), "{failed:?}");
            assert!(!failed[0].contains(&receipt.to_string()), "{failed:?}");
        });
    }
}

/// A server with the tools for the callers of deferred writes alone.
struct Receipts;

#[resilient]
#[tool_handler(name = "receipts", router = mcp::deferred_tools::<Self>())]
impl ServerHandler for Receipts {}

#[test]
fn a_cancellation_that_succeeded_is_the_answer_even_if_the_store_fails_then() {
    for fault in [Fault::Fails(StoreErrorKind::Unavailable), Fault::Hangs] {
        testing::run(async |lab| {
            let its = down(lab).await;
            let accepted = call(&its.client, "set", &json!({})).await;
            let receipt = &meta(&accepted, CALL)["deferred"]["receipt"];
            let caller = connect(Receipts).await;
            *its.store.get_after_cancel.lock().expect("no panic") = Some(fault);
            let answer = call(&caller, "deferred_cancel", &json!({ "receipt": receipt })).await;
            assert!(its.store.get.lock().expect("no panic").is_some(), "the store fails now");
            let answer = answer.structured_content.as_ref().unwrap_or_else(|| panic!("{answer:?}"));
            assert_eq!((&answer["cancelled"], &answer["state"]), (&json!(true), &json!("cancelled")), "{fault:?}");
            assert_eq!(counted(lab.registry(), "set"), [(DeferredResult::Accepted, 1), (DeferredResult::Cancelled, 1)]);
            assert_eq!(its.store.counts().await.cancelled, 1);
        });
    }
}

/// The events with this name.
fn lines(log: &Events, event: &str) -> Vec<String> {
    let name = format!(" event=\"{event}\" ");
    log.seen().into_iter().filter(|line| line.contains(&name)).collect()
}

#[test]
fn an_outage_of_the_store_is_one_line_of_the_log_and_the_next_one_is_another() {
    testing::run(async |lab| {
        let log = Events::default();
        let _listening = listen(tracing_subscriber::registry().with(log.clone()));
        let its = down(lab).await;
        let order = async |key: &str| text(&call(&its.client, "order_typed", &json!({ "key": key })).await);
        for outage in 1..=2 {
            *its.store.put.lock().expect("no panic") = Some(Fault::Fails(StoreErrorKind::Unavailable));
            for call in 0..3 {
                order("a").await;
                assert_eq!(lines(&log, "deferred.refused").len(), outage, "call {call}");
            }
            *its.store.put.lock().expect("no panic") = None;
            assert!(order(&format!("accepted {outage}")).await.starts_with("ACCEPTED_FOR_LATER"));
        }
        its.shop.turn(Service::Up);
        for outage in 1..=2 {
            *its.store.find.lock().expect("no panic") = Some(Fault::Fails(StoreErrorKind::Unavailable));
            for call in 0..3 {
                order("a").await;
                assert_eq!(lines(&log, "deferred.unchecked").len(), outage, "call {call}");
            }
            *its.store.find.lock().expect("no panic") = None;
            order("a").await;
        }
        assert_eq!(lines(&log, "deferred.unchecked").len() + lines(&log, "deferred.refused").len(), 4);
        let counted = counted(lab.registry(), "order_typed");
        for six in [DeferredResult::Refused, DeferredResult::Unchecked] {
            assert!(counted.contains(&(six, 6)), "every call is counted: {counted:?}");
        }
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
