//! `POST /reload` through the handle of the settings, and the token of the settings.

use std::ffi::OsString;
use std::sync::Arc;

use http::{Method, StatusCode};
use resilient_runtime::health::Health;
use resilient_runtime::http::Admin;
use resilient_runtime::{Registry, Resilience};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::logs::{Events, listen};
use serde_json::json;
use tempfile::NamedTempFile;
use tracing_subscriber::layer::SubscriberExt as _;

use super::{Operators, TOKEN, bearer, empty, to};

fn variables(pairs: &[(&str, &str)]) -> Resilience {
    Resilience::from_variables(pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))))
}

/// The routes for operators with the handle of the settings in this file.
fn operators(file: &NamedTempFile) -> Operators {
    let registry = Arc::new(Registry::new());
    let started = variables(&[("RESILIENT_CONFIG", file.path().to_str().expect("text"))]).start_with(&registry);
    let settings = started.expect("nothing is wrong");
    let admin = Admin::new(Arc::new(Health::of(&registry))).token(TOKEN).expect("a token").settings(&settings);
    let events = Events::default();
    let log = listen(tracing_subscriber::registry().with(events.clone()));
    Operators { router: admin.router(), registry, events, _log: log }
}

#[tokio::test]
async fn a_file_is_read_again_and_a_broken_one_is_refused_with_its_line() {
    let file = NamedTempFile::new().expect("a file");
    let operators = operators(&file);
    std::fs::write(file.path(), "[level]\nstart = \"minimal\"\n").expect("the file is written");
    let answer = operators.change("/reload", r#"{"by": "ann"}"#).await;
    let report = json!({
        "changes": [{ "what": "level", "from": "none", "to": "minimal" }], "needs_restart": [],
    });
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, report));
    assert_eq!(operators.registry.gate().level().as_str(), "minimal");
    assert_eq!(operators.changed(), [r#"what="settings" to="reloaded" by="ann""#]);
    let again = operators.change("/reload", "{}").await;
    assert_eq!((again.status, again.json()["changes"].clone()), (StatusCode::OK, json!([])));
    assert_eq!(operators.changed().len(), 1, "nothing is different");
    std::fs::write(file.path(), "[level]\nstart = \"maximal\"\n").expect("the file is written");
    let broken = operators.change("/reload", r#"{"by": "ann"}"#).await;
    assert_eq!(broken.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(broken.json()["problems"][0].as_str().is_some_and(|problem| problem.contains(":2:9")));
    assert_eq!(operators.refused(), [r#"settings" by="ann"#]);
    assert_eq!((operators.counted("settings"), operators.registry.gate().level().as_str()), (1, "minimal"));
}

#[tokio::test]
async fn a_listener_that_panics_makes_no_failure_of_a_reload() {
    struct Panics;
    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Panics {
        fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            assert!(!event.metadata().target().contains("startup"), "the listener panics");
        }
    }
    // A reload runs on another thread, which has the listener of the process.
    if ran_in_a_child() {
        return;
    }
    let file = NamedTempFile::new().expect("a file");
    let operators = operators(&file);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Panics)).expect("the first");
    std::fs::write(file.path(), "[level]\nstart = \"minimal\"\n").expect("the file is written");
    assert_eq!(operators.change("/reload", "{}").await.status, StatusCode::OK);
    assert_eq!(operators.registry.gate().level().as_str(), "minimal");
}

#[tokio::test]
async fn an_invalid_token_in_the_variables_refuses_the_start_and_every_request() {
    for token in ["", "short", "sixteen-letters!\n"] {
        let registry = Arc::new(Registry::new());
        variables(&[("RESILIENT_ADMIN_TOKEN", token)]).start_with(&registry).expect_err("refused");
        let operators = Operators::of(&registry, |admin| admin);
        let answer = operators.send(empty(bearer(to(Method::GET, "/status"), TOKEN))).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{token}");
        assert_eq!(operators.change("/level", r#"{"level": "minimal"}"#).await.status, StatusCode::NOT_FOUND);
        assert_eq!((operators.refused(), operators.counted("invalid_token")), (vec!["invalid_token".to_owned()], 1));
    }
}

#[test]
fn a_router_that_is_built_before_the_start_is_warned_of() {
    let registry = Arc::new(Registry::new());
    let operators = Operators::of(&registry, |admin| admin);
    variables(&[("RESILIENT_ADMIN_TOKEN", TOKEN)]).start_with(&registry).expect("nothing is wrong");
    let seen = operators.events.seen();
    assert!(
        seen.iter().any(|event| event.contains("config.warning") && event.contains("before its token")),
        "{seen:?}"
    );
}
