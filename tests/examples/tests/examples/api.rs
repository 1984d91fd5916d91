//! The API client with the embedded upstream: every fault becomes the matching error.

use std::time::Duration;

use make_server::{
    api::MakeApi,
    error::MakeError,
    settings::Settings,
    upstream::{DEMO_TOKEN, PANIC_TEXT, PRIVATE_TEXT, Upstream, phase::Phase},
};

async fn api(phase: Phase, token: &str) -> (Upstream, MakeApi) {
    let upstream = Upstream::start(DEMO_TOKEN, 1).await.unwrap();
    let api = MakeApi::new(&Settings::for_demo(&upstream.base_url(), token).unwrap()).unwrap();
    let client = resilient_tests::loopback::client().build().unwrap();
    let address = format!("{}/demo/phase/{}", upstream.origin(), phase.name());
    client.post(address).send().await.unwrap().error_for_status().unwrap();
    (upstream, api)
}

#[tokio::test]
async fn the_four_routes() {
    let (_upstream, api) = api(Phase::Healthy, DEMO_TOKEN).await;
    let listed = api.scenarios(1, 2).await.unwrap().scenarios;
    assert_eq!(listed.iter().map(|scenario| scenario.id).collect::<Vec<_>>(), [106, 105]);
    assert_eq!(api.scenarios(1, 0).await.unwrap().scenarios.len(), 1, "a limit of 0 asks for one");
    let scenario = api.scenario(105).await.unwrap();
    assert_eq!((scenario.team_id, scenario.is_active), (Some(1), Some(true)));
    assert_eq!(scenario, listed[1]);
    assert_eq!(api.run(105, None).await.unwrap().execution_id.len(), 32);
    assert_eq!(api.connections(1).await.unwrap().connections.len(), 3);
}

#[tokio::test]
async fn an_id_that_does_not_exist() {
    let (_upstream, api) = api(Phase::Healthy, DEMO_TOKEN).await;
    assert!(matches!(api.scenario(999).await, Err(MakeError::NoSuchScenario { id: 999 })));
    assert!(matches!(api.run(999, None).await, Err(MakeError::NoSuchScenario { id: 999 })));
}

#[tokio::test]
async fn a_token_that_is_refused() {
    let (_upstream, api) = api(Phase::Healthy, "not-the-token-of-anybody").await;
    let error = api.scenario(101).await.unwrap_err();
    assert!(matches!(error, MakeError::TokenRefused { .. }), "{error}");
    assert!(!error.to_string().contains("not-the-token"));
}

#[tokio::test]
async fn too_many_requests() {
    let (_upstream, api) = api(Phase::RateLimited, DEMO_TOKEN).await;
    for _ in 0..50 {
        if let Err(error) = api.scenario(101).await {
            assert!(
                matches!(error, MakeError::RateLimited { wait: Some(wait) } if wait == Duration::from_secs(1)),
                "{error}"
            );
            return;
        }
    }
    panic!("not one of 50 requests was refused");
}

#[tokio::test]
async fn an_outage_is_a_status_or_no_answer() {
    let (_upstream, api) = api(Phase::Outage, DEMO_TOKEN).await;
    let (mut statuses, mut silences) = (0, 0);
    for _ in 0..40 {
        match api.scenario(101).await.unwrap_err() {
            MakeError::Upstream { status: 500 | 503, body, .. } => {
                assert!(body.contains(PRIVATE_TEXT), "the log gets the body");
                statuses += 1;
            }
            MakeError::Http(error) => {
                assert!(error.is_request(), "{error:?}");
                silences += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(statuses > 0 && silences > 0);
}

#[tokio::test]
async fn half_an_answer() {
    let (_upstream, api) = api(Phase::BrokenJson, DEMO_TOKEN).await;
    assert!(matches!(api.scenario(101).await, Err(MakeError::BadResponse(_))));
    assert!(matches!(api.connections(1).await, Err(MakeError::BadResponse(_))));
}

#[tokio::test]
async fn nobody_there() {
    let (upstream, api) = api(Phase::Healthy, DEMO_TOKEN).await;
    drop(upstream);
    // The port may take a moment to close.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(matches!(api.scenario(101).await, Err(MakeError::Http(_))));
}

#[tokio::test]
async fn a_marked_answer_panics_with_the_secret_text() {
    let (_upstream, api) = api(Phase::ToolPanic, DEMO_TOKEN).await;
    for _ in 0..50 {
        let api = api.clone();
        if let Err(error) = tokio::spawn(async move { api.scenario(101).await }).await {
            let text = error.into_panic();
            assert_eq!(text.downcast_ref::<String>().map(String::as_str), Some(PANIC_TEXT));
            return;
        }
    }
    panic!("not one of 50 answers was marked");
}
