//! A client that cancels a call which others wait for.

use std::sync::Arc;

use resilient_runtime::Outcome;
use resilient_tests::in_process::{Client, call, request, with_meta};
use resilient_tests::wire::text;
use rmcp::model::{ClientRequest, Request};
use rmcp::service::{PeerRequestOptions, RequestHandle, RoleClient};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::server::{Shop, TAKES};

async fn begin(client: &Client, user: &str) -> RequestHandle<RoleClient> {
    let request = with_meta(request("stock", &json!({ "key": 7 })), &[("user", user)]);
    let request = ClientRequest::CallToolRequest(Request::new(request));
    client.send_cancellable_request(request, PeerRequestOptions::no_options()).await.expect("sent")
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cancels_its_call_costs_the_others_one_more_request() {
    let (shop, client) = Shop::connected().await;
    let leader = begin(&client, "local").await;
    sleep(TAKES / 4).await;
    let followers: Vec<_> = (0..199)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move {
                let request = with_meta(request("stock", &json!({ "key": 7 })), &[("user", "local")]);
                client.call_tool(request).await.expect("an answer")
            })
        })
        .collect();
    sleep(TAKES / 4).await;
    assert_eq!(shop.runs(), 1);
    leader.cancel(None).await.expect("cancelled");
    let started = Instant::now();
    for follower in followers {
        assert_eq!(text(&follower.await.expect("no panic")), "7 by run 2");
    }
    assert_eq!((shop.runs(), started.elapsed()), (2, TAKES));
    let read = shop.registry.tool("stock").expect("counted");
    assert_eq!((read.outcome(Outcome::Cancelled), read.outcome(Outcome::Ok), read.in_flight), (1, 199, 0));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cancels_while_it_waits_for_another_call_ends_its_own_alone() {
    let (shop, client) = Shop::connected().await;
    let leader = {
        let client = Arc::clone(&client);
        tokio::spawn(async move { call(&client, "stock", &json!({ "key": 7 })).await })
    };
    sleep(TAKES / 4).await;
    let request = ClientRequest::CallToolRequest(Request::new(request("stock", &json!({ "key": 7 }))));
    let follower = client.send_cancellable_request(request, PeerRequestOptions::no_options()).await.expect("sent");
    sleep(TAKES / 4).await;
    follower.cancel(None).await.expect("cancelled");
    sleep(TAKES / 8).await;
    let read = shop.registry.tool("stock").expect("counted");
    assert_eq!((read.outcome(Outcome::Cancelled), read.in_flight), (1, 1));
    assert_eq!((text(&leader.await.expect("no panic")).as_str(), shop.runs()), ("7 by run 1", 1));
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_the_cancellation_is_neither_kept_nor_shared() {
    let (_shop, client) = Shop::connected().await;
    let ask = ClientRequest::CallToolRequest(Request::new(request("gives_up", &json!({}))));
    let leader = client.send_cancellable_request(ask, PeerRequestOptions::no_options()).await.expect("sent");
    sleep(TAKES / 4).await;
    let follower = {
        let client = Arc::clone(&client);
        tokio::spawn(async move { call(&client, "gives_up", &json!({})).await })
    };
    sleep(TAKES / 4).await;
    leader.cancel(None).await.expect("cancelled");
    assert_eq!(text(&follower.await.expect("no panic")), "whole");
    assert_eq!(text(&call(&client, "gives_up", &json!({})).await), "whole");
}
