//! The errors that the model reads if arguments do not fit.

mod secrets;
mod server;

use std::marker::PhantomData;

use resilient_tests::in_process::{Client, call, connect};
use resilient_tests::wire::{ERROR, meta, text};
use serde_json::{Value, json};

use server::{Item, Plain, Shop};

/// The error without its code and its id.
async fn told(client: &Client, tool: &'static str, arguments: Value) -> String {
    let result = call(client, tool, &arguments).await;
    assert_eq!(result.is_error, Some(true), "{tool} {arguments}: {}", text(&result));
    assert_eq!(meta(&result, ERROR)["code"], "INVALID_ARGUMENTS", "{tool} {arguments}");
    let text = text(&result);
    let message = text.strip_prefix("INVALID_ARGUMENTS: ").expect("the code first");
    let end = message.find(". Correct the arguments").expect("the hint last");
    message[..end].to_owned()
}

async fn shop() -> Client {
    connect(Shop::<Item>(PhantomData)).await
}

#[tokio::test(start_paused = true)]
async fn arguments_that_do_not_fit_are_told_by_path_with_what_was_expected_first() {
    let client = shop().await;
    let item = |id: Value| json!({ "teamId": 1, "items": [{ "id": 1 }, id] });
    for (arguments, expected) in [
        (json!({ "teamId": "x", "limit": 5 }), "argument `teamId`: expected u64, received string \"x\""),
        (json!({ "limit": 5 }), "argument `teamId` is missing"),
        (json!({ "teamId": 1, "limit": 300 }), "argument `limit`: expected u8, received integer `300`"),
        (json!({ "teamId": -1 }), "argument `teamId`: expected u64, received integer `-1`"),
        (json!({ "teamId": 1.5 }), "argument `teamId`: expected u64, received floating point `1.5`"),
        (json!({ "teamId": null }), "argument `teamId`: expected u64, received null"),
        (json!({ "teamId": [1] }), "argument `teamId`: expected u64, received an array"),
        (json!({ "teamId": 1, "items": 7 }), "argument `items`: expected an array, received integer `7`"),
        (
            json!({ "teamId": 1, "order": "latest" }),
            "argument `order`: expected `newest` or `oldest`, received string \"latest\"",
        ),
        (item(json!({ "id": "2" })), "argument `items[1].id`: expected u64, received string \"2\""),
        (item(json!({})), "argument `items[1].id` is missing"),
        (item(json!({ "id": 2, "nr": 3 })), "argument `items[1].nr` is unknown: expected `id`"),
        (item(json!("two")), "argument `items[1]`: expected an object, received string \"two\""),
        (
            json!({ "teamId": 1, "labels": { "a.b": "yes" } }),
            "argument `labels.a.b`: expected a boolean, received string \"yes\"",
        ),
        (json!({ "teamId": 1, "pair": [1] }), "argument `pair`: expected a tuple of size 2, received length 1"),
        (json!({ "teamId": 1, "even": 3 }), "argument `even`: 3 is odd"),
    ] {
        assert_eq!(told(&client, "list", arguments).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn every_tool_of_a_block_explains_its_arguments_whatever_guards_it() {
    let client = shop().await;
    for tool in ["list", "hooked", "skipped", "a-sync", "kept"] {
        // A second time, when it is known whether the tool stores responses.
        for _ in 0..2 {
            let told = told(&client, tool, json!({ "teamId": "x" })).await;
            assert_eq!(told, "argument `teamId`: expected u64, received string \"x\"", "{tool}");
            let good = call(&client, tool, &json!({ "teamId": 1 })).await;
            assert_eq!(good.is_error, Some(false), "{tool}");
        }
    }
    assert_eq!(told(&client, "generic", json!({})).await, "argument `id` is missing");
}

#[tokio::test(start_paused = true)]
async fn a_long_value_is_shortened_in_the_middle_and_pushes_nothing_out() {
    let client = shop().await;
    let long = format!("begins{}ends", "-".repeat(1_200));
    for tool in ["list", "kept"] {
        let told = told(&client, tool, json!({ "teamId": long })).await;
        assert!(told.starts_with("argument `teamId`: expected u64, received string \"begins---"), "{told}");
        assert!(told.ends_with("---ends\"") && told.contains("-…-") && told.chars().count() < 200, "{told}");
    }
    let key = "k".repeat(1_200);
    let told = told(&client, "list", json!({ "teamId": 1, "labels": { key: "no" } })).await;
    assert!(told.ends_with("kk`: expected a boolean, received string \"no\""), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_only_looks_like_the_wrong_one_is_not_blamed() {
    let client = shop().await;
    let wrong = told(&client, "buffered", json!({ "team": 300, "small": "300" })).await;
    assert_eq!(wrong, "the arguments: expected u8, received integer `300`");
    let right = told(&client, "buffered", json!({ "team": "x", "small": "3" })).await;
    assert_eq!(right, "argument `team`: expected u64, received string \"x\"");
    let negative = told(&client, "flat", json!({ "team": 1, "offset": -1 })).await;
    assert_eq!(negative, "argument `offset`: expected u64, received integer `-1`");
}

#[tokio::test(start_paused = true)]
async fn a_field_that_serde_read_into_a_buffer_is_found_by_its_value() {
    let client = shop().await;
    let found = told(&client, "flat", json!({ "team": 1, "offset": "y" })).await;
    assert_eq!(found, "argument `offset`: expected u64, received string \"y\"");
    let twice = told(&client, "flat", json!({ "team": 1, "offset": "y", "other": "y" })).await;
    assert_eq!(twice, "the arguments: expected u64, received string \"y\"", "two could be meant");
    assert_eq!(told(&client, "flat", json!({ "team": 1 })).await, "argument `offset` is missing");
}

#[tokio::test(start_paused = true)]
async fn types_with_their_own_way_of_reading_are_told_in_their_own_words() {
    let client = shop().await;
    assert_eq!(told(&client, "by_hand", json!({})).await, "the arguments: by hand, nothing fits");
    let panicked = call(&client, "by_hand", &json!({ "panic": 1 })).await;
    assert_eq!(meta(&panicked, ERROR)["kind"], "internal");
    assert_eq!(told(&client, "two", json!({ "id": 1 })).await, "argument `id` is missing");
    let anything = call(&client, "map", &json!({ "a": [1] })).await;
    assert_eq!(text(&anything), r#"{"a":[1]}"#);
}

#[tokio::test(start_paused = true)]
async fn very_long_arguments_and_routers_instrumented_by_hand_are_told_in_the_words_of_rmcp() {
    let client = shop().await;
    let much = "x".repeat(1 << 16);
    // The last good responses of a tool are stored under arguments of any length.
    for tool in ["list", "kept", "kept"] {
        let told_of_much = told(&client, tool, json!({ "teamId": true, "much": much })).await;
        assert_eq!(told_of_much, "failed to deserialize parameters: invalid type: boolean ***, expected u64");
        call(&client, tool, &json!({ "teamId": 1 })).await;
    }
    let by_hand = connect(Plain::new()).await;
    let told_by_hand = told(&by_hand, "list", json!({ "teamId": true })).await;
    assert_eq!(told_by_hand, "failed to deserialize parameters: invalid type: boolean `true`, expected u64");
}
