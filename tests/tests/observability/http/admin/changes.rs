//! What the routes show and change, and the event of each change.

use axum::Router;
use http::{Method, StatusCode};
use resilient_runtime::breaker::BreakerState;
use resilient_runtime::resilient;
use resilient_tests::failure::ShopError;
use serde_json::json;

use super::{Operators, TOKEN, bearer, empty, form, to};

#[resilient(
    name = "admin_ask",
    timeout = "5s",
    retry = 2,
    read_only,
    breaker(name = "admin_shop", open = "1h", distributed),
    rate_limit(rate = "900/1s", name = "admin_shop", distributed),
    bulkhead(max = 7, name = "admin_shop")
)]
async fn ask() -> Result<(), ShopError> {
    Ok(())
}

#[tokio::test]
async fn a_level_is_set_shown_and_logged_with_who_claims_it() {
    let operators = Operators::new();
    let status = async || operators.send(empty(bearer(to(Method::GET, "/status"), TOKEN))).await.json();
    assert_eq!((&status().await["level"], &status().await["level_source"]), (&json!("normal"), &json!("default")));
    let changed = operators.change("/level", r#"{"level": "degraded", "by": "ann\u202e"}"#).await;
    assert_eq!(changed.status, StatusCode::OK);
    let state = changed.json();
    assert_eq!(
        (&state["level"], &state["level_source"], &state["concurrency"]),
        (&json!("degraded"), &json!("admin"), &json!(50))
    );
    assert!(state["in_flight"].is_u64() && state["level_since_unix_ms"].is_u64() && state["tools_off"] == json!([]));
    assert_eq!(status().await, state);
    assert_eq!(operators.change("/level", r#"{"level": "emergency"}"#).await.json()["level"], "emergency");
    assert_eq!(operators.change("/level", r#"{"level": "automatic", "by": ""}"#).await.json()["level"], "normal");
    let expected = [
        r#"what="level" from="normal" to="degraded" by="ann""#,
        r#"what="level" from="degraded" to="emergency""#,
        r#"what="level" from="emergency" to="automatic""#,
    ];
    assert_eq!(operators.changed(), expected);
    assert_eq!(operators.refused(), [""; 0]);
}

#[tokio::test]
async fn a_form_leads_back_to_the_status_wherever_the_router_is() {
    let operators = Operators::new();
    operators.registry.clone().scope(ask()).await.expect("it works");
    let nested = Operators { router: Router::new().nest("/ops", operators.router.clone()), ..operators };
    for (path, body, location) in
        [("/ops/level", "level=minimal", "status"), ("/ops/breakers/admin_shop", "action=isolate&by=ann", "../status")]
    {
        let answer = nested.send(form(to(Method::POST, path), &format!("token={TOKEN}&{body}"))).await;
        assert_eq!(
            (answer.status, answer.header("location"), &*answer.text),
            (StatusCode::SEE_OTHER, vec![location], "")
        );
    }
    let expected = [
        r#"what="level" from="normal" to="minimal""#,
        r#"what="breaker admin_shop" from="closed" to="isolated" by="ann""#,
    ];
    assert_eq!(nested.changed(), expected);
}

#[tokio::test]
async fn a_breaker_is_opened_isolated_and_closed_by_its_name() {
    let operators = Operators::new();
    operators.registry.clone().scope(ask()).await.expect("it works");
    for (action, state, is_working) in
        [("open", "open", false), ("isolate", "isolated", false), ("close", "closed", true)]
    {
        let answer = operators.change("/breakers/admin_shop", &json!({ "action": action }).to_string()).await;
        assert_eq!(answer.status, StatusCode::OK);
        let shown = answer.json();
        assert_eq!(shown["breakers"].as_array().map(Vec::len), Some(1));
        assert_eq!(
            (&shown["breakers"][0]["breaker"], &shown["breakers"][0]["state"]),
            (&json!("admin_shop"), &json!(state))
        );
        let breaker = operators.registry.breaker("admin_shop").expect("a breaker");
        assert_eq!(breaker.state().as_str(), state);
        assert_eq!(operators.registry.clone().scope(ask()).await.is_ok(), is_working, "{action}");
    }
    let unknown = operators.change("/breakers/admin_shp", r#"{"action": "isolate"}"#).await;
    let error = "there is no breaker of this name; did you mean `admin_shop`?";
    assert_eq!((unknown.status, unknown.json()), (StatusCode::NOT_FOUND, json!({ "error": error })));
    let far = operators.change("/breakers/zzz", r#"{"action": "isolate"}"#).await;
    assert_eq!(far.json(), json!({ "error": "there is no breaker of this name" }));
    assert_eq!(operators.registry.breaker("admin_shop").map(|breaker| breaker.state()), Some(BreakerState::Closed));
    assert_eq!((operators.refused(), operators.counted("unknown")), (vec!["unknown".to_owned(); 2], 2));
    let expected = [
        r#"what="breaker admin_shop" from="closed" to="open""#,
        r#"what="breaker admin_shop" from="open" to="isolated""#,
        r#"what="breaker admin_shop" from="isolated" to="closed""#,
    ];
    assert_eq!(operators.changed(), expected);
}

#[tokio::test]
async fn what_is_as_it_was_is_no_change_and_a_name_that_is_not_text_is_that_of_nothing() {
    let operators = Operators::new();
    operators.registry.clone().scope(ask()).await.expect("it works");
    for _ in 0..2 {
        for (path, body) in
            [("/level", r#"{"level": "degraded"}"#), ("/breakers/admin_shop", r#"{"action": "isolate"}"#)]
        {
            assert_eq!(operators.change(path, body).await.status, StatusCode::OK, "{path}");
        }
    }
    assert_eq!(operators.changed().len(), 2, "{:?}", operators.changed());
    for (path, body) in [
        ("/tools/%ff", r#"{"enabled": false}"#),
        ("/features/%ff", r#"{"enabled": false}"#),
        ("/breakers/%ff", r#"{"action": "open"}"#),
    ] {
        let answer = operators.change(path, body).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.json()["error"].as_str().is_some_and(|error| error.starts_with("there is no ")), "{path}");
    }
    assert_eq!((operators.refused(), operators.counted("unknown")), (vec!["unknown".to_owned(); 3], 3));
}

#[tokio::test]
async fn policies_are_shown_as_settings_write_them() {
    let operators = Operators::new();
    operators.registry.clone().scope(ask()).await.expect("it works");
    let shown = operators.send(empty(bearer(to(Method::GET, "/policies"), TOKEN))).await.json();
    let policies = shown["policies"].as_array().expect("a list");
    assert_eq!(policies.len(), 1);
    let policy = &policies[0];
    assert_eq!(
        (&policy["name"], &policy["timeout"], &policy["tool"]),
        (&json!("admin_ask"), &json!("5s"), &json!(null))
    );
    assert_eq!((&policy["answers_within"], &policy["fallback"]), (&json!("5s"), &json!([])));
    assert_eq!((&policy["breaker"]["name"], &policy["breaker"]["open"]), (&json!("admin_shop"), &json!("1h")));
    assert_eq!((&policy["bulkhead"]["max"], &policy["retry"]["max"]), (&json!("7"), &json!("2")));
    let distributed = ["breaker", "rate_limit", "bulkhead"].map(|key| policy[key]["distributed"].as_str());
    assert_eq!((&policy["rate_limit"]["rate"], distributed), (&json!("900/1s"), [Some("true"), Some("true"), None]));
}

#[tokio::test]
async fn a_listener_that_panics_hides_no_change() {
    struct Panics;
    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Panics {
        fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            assert!(
                event.fields().all(|field| field.name() != "what" && field.name() != "reason"),
                "the listener panics"
            );
        }
    }
    use tracing_subscriber::layer::SubscriberExt as _;
    let operators = Operators::new();
    let _log = resilient_tests::logs::listen(tracing_subscriber::registry().with(Panics));
    assert_eq!(operators.change("/level", r#"{"level": "minimal"}"#).await.status, StatusCode::OK);
    assert_eq!(operators.registry.gate().level().as_str(), "minimal");
    let refused = operators.send(empty(to(Method::GET, "/status"))).await;
    assert_eq!((refused.status, operators.counted("no_token")), (StatusCode::UNAUTHORIZED, 1));
}
