//! Values and keys below the name of a secret.

use resilient_runtime::Registry;
use resilient_tests::in_process::connect;
use serde_json::{Value, json};

use super::server::Plain;
use super::{shop, told};

#[tokio::test(start_paused = true)]
async fn a_value_under_the_name_of_a_secret_is_never_shown() {
    let client = shop().await;
    for (tool, arguments, expected) in [
        (
            "list",
            json!({ "teamId": 1, "api_key": "hunter-two" }),
            "argument `api_key`: expected u64, received string ***",
        ),
        (
            "list",
            json!({ "teamId": 1, "api_key": 7_771.5 }),
            "argument `api_key`: expected u64, received floating point ***",
        ),
        (
            "list",
            json!({ "teamId": 1, "api_key": { "is": "hunter-two" } }),
            "argument `api_key`: expected u64, received an object",
        ),
        (
            "list",
            json!({ "teamId": 1, "headers": [{ "name": "x-api-key", "value": "hunter-two" }] }),
            "argument `headers[0].value`: expected u64, received string ***",
        ),
        ("list", json!({ "teamId": 1, "key": "HUNTER" }), "argument `key`: `***` is none, as `K-7` is"),
        ("list", json!({ "teamId": 1, "key": "one" }), "argument `key`: the value was not accepted"),
        (
            "flat",
            json!({ "team": 1, "offset": 2, "password": "hunter \"two\"" }),
            "argument `password`: expected u64, received string ***",
        ),
        (
            "list",
            json!({ "teamId": "Bearer abcdef0123456789" }),
            "argument `teamId`: expected u64, received string \"Bearer ***\"",
        ),
    ] {
        let told = told(&client, tool, arguments).await;
        assert_eq!(told, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn keys_below_the_name_of_a_secret_are_never_shown() {
    let client = shop().await;
    let with = |name: &str, value: Value| json!({ "teamId": 1, name: value });
    for (arguments, expected) in [
        (
            with("api_keys", json!({ "hunter2-the-key": "x" })),
            "argument `api_keys.***`: expected u64, received string ***",
        ),
        (with("credentials", json!({ "hunter2": 1 })), "argument `credentials.***` is unknown: expected `id`"),
        (with("credentials", json!({})), "argument `credentials.id` is missing"),
        (with("session", json!([{ "id": 1 }, {}])), "argument `session[1].id` is missing"),
        (with("session", json!([{ "hunter2": 1 }])), "argument `session[0].***` is unknown: expected `id`"),
        (
            json!({ "teamId": 1, "api_keys": { "hunter2": 1 }, "key": "Hunter2" }),
            "argument `key`: `***` is none, as `K-7` is",
        ),
        (
            json!({ "teamId": "hunter2", "api_keys": { "hunter2": 1 } }),
            "argument `teamId`: expected u64, received string ***",
        ),
    ] {
        assert_eq!(told(&client, "list", arguments).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_under_the_name_of_a_secret_is_not_shown_where_arguments_are_not_explained() {
    let by_hand = connect(Plain::new()).await;
    let client = shop().await;
    let long = "x".repeat(1 << 16);
    for (arguments, expected) in [
        (json!({ "api_key": "hunter2" }), "invalid type: string ***, expected u64"),
        (json!({ "api_key": "x1" }), "invalid type: string ***, expected u64"),
        (json!({ "api_key": 7_771.5 }), "invalid type: floating point ***, expected u64"),
        (json!({ "key": "hunter2" }), "`***` is none, as `K-7` is"),
        (json!({ "key": "one" }), "the value was not accepted"),
        (json!({ "credentials": { "hunter2": 1 } }), "unknown field `***`, expected `id`"),
        (json!({ "limit": "many" }), "invalid type: string \"many\", expected u8"),
        (json!({ "api_key": "hunter2", "long": long }), "invalid type: string ***, expected u64"),
        (json!({ "api_key": ["hunter2"], "long": long }), "invalid type: sequence, expected u64"),
        (json!({ "key": "hunter2", "long": long }), "the value was not accepted"),
        (json!({ "order": "hunter2", "long": long }), "unknown variant ***, expected `newest` or `oldest`"),
        (json!({ "credentials": { "hunter2": 1 }, "long": long }), "unknown field ***, expected `id`"),
        (json!({ "credentials": {}, "long": long }), "missing field `id`"),
    ] {
        let mut arguments = arguments;
        arguments["teamId"] = 1.into();
        for (client, tool) in [(&client, "alias"), (&by_hand, "list")] {
            let told = told(client, tool, arguments.clone()).await;
            assert_eq!(told, format!("failed to deserialize parameters: {expected}"), "{tool}");
        }
    }
    let panicked = told(&client, "once", json!({ "password": "hunter2" })).await;
    assert_eq!(panicked, "failed to deserialize parameters: {\"password\": \"***\"} came too early");
    let kept = format!("{:?}", Registry::global().recent_errors());
    assert!(kept.contains("expected u64") && !kept.to_lowercase().contains("hunter2"), "{kept}");
}
