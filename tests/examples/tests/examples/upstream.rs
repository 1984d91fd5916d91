//! The embedded upstream over real connections: what a client sees of each fault, and what the upstream counts.

use std::time::{Duration, Instant};

use make_server::upstream::{PANIC_HEADER, PANIC_TEXT, Upstream, phase::Phase, stats::Stats};
use reqwest::{Client, Response, StatusCode, header::RETRY_AFTER};
use resilient_tests::loopback;
use serde_json::Value;
use tokio::time::{sleep, timeout};

const TOKEN: &str = "token-of-this-test";

struct Fixture {
    upstream: Upstream,
    client: Client,
}

impl Fixture {
    async fn start(phase: Phase) -> Self {
        let client = loopback::client().build().unwrap();
        let upstream = Upstream::start(TOKEN, 1).await.unwrap();
        let fixture = Self { upstream, client };
        fixture.enter(phase).await;
        fixture
    }

    async fn enter(&self, phase: Phase) -> u64 {
        let address = format!("{}/demo/phase/{}", self.upstream.origin(), phase.name());
        let answer: Value = self.client.post(address).send().await.unwrap().json().await.unwrap();
        answer["revision"].as_u64().unwrap()
    }

    async fn get(&self, path: &str) -> reqwest::Result<Response> {
        let address = format!("{}{path}", self.upstream.base_url());
        self.client.get(address).header("Authorization", format!("Token {TOKEN}")).send().await
    }

    async fn stats(&self) -> Stats {
        let address = format!("{}/demo/stats", self.upstream.origin());
        self.client.get(address).send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test]
async fn healthy_routes_answer_as_make_does() {
    let fixture = Fixture::start(Phase::Healthy).await;
    let list: Value = fixture.get("/scenarios?teamId=2&pg%5Blimit%5D=3").await.unwrap().json().await.unwrap();
    assert_eq!(list["scenarios"].as_array().unwrap().len(), 3);
    assert_eq!(list["scenarios"][0]["teamId"], 2);
    let one: Value = fixture.get("/scenarios/203").await.unwrap().json().await.unwrap();
    assert_eq!(one["scenario"]["id"], 203);
    let connections: Value = fixture.get("/connections?teamId=2").await.unwrap().json().await.unwrap();
    assert_eq!(connections["connections"].as_array().unwrap().len(), 3);
    assert_eq!(fixture.get("/scenarios/999").await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(fixture.get("/scenarios").await.unwrap().status(), StatusCode::BAD_REQUEST);

    let stats = fixture.stats().await;
    assert_eq!((stats.total.requests, stats.total.abandoned, stats.in_flight), (5, 0, 0));
}

#[tokio::test]
async fn a_run_is_booked_once() {
    let fixture = Fixture::start(Phase::Healthy).await;
    let address = format!("{}/scenarios/101/run", fixture.upstream.base_url());
    let request = fixture.client.post(address).header("Authorization", format!("Token {TOKEN}"));
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let id = answer["executionId"].as_str().unwrap();
    let stats = fixture.stats().await;
    assert_eq!(stats.executions.get(id), Some(&101));
    assert_eq!(stats.total.runs, 1);
}

#[tokio::test]
async fn a_wrong_token_gets_nothing() {
    let fixture = Fixture::start(Phase::Healthy).await;
    let address = format!("{}/scenarios?teamId=1", fixture.upstream.base_url());
    for value in ["Token wrong", "Bearer token-of-this-test", "token-of-this-test"] {
        let answer = fixture.client.get(&address).header("Authorization", value).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{value}");
    }
}

#[tokio::test]
async fn rate_limits_name_a_time() {
    let fixture = Fixture::start(Phase::RateLimited).await;
    let mut refused = 0;
    for _ in 0..50 {
        let answer = fixture.get("/scenarios/101").await.unwrap();
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(answer.headers()[RETRY_AFTER], "1");
            refused += 1;
        }
    }
    assert!((20..=40).contains(&refused), "{refused} of 50");
}

#[tokio::test]
async fn nothing_succeeds_in_an_outage() {
    let fixture = Fixture::start(Phase::Outage).await;
    let mut dropped = 0;
    for _ in 0..40 {
        match fixture.get("/scenarios/101").await {
            Ok(answer) => assert!(answer.status().is_server_error()),
            Err(error) => {
                assert!(error.is_request() && !error.is_timeout(), "{error:?}");
                dropped += 1;
            }
        }
    }
    assert!(dropped > 0);
}

#[tokio::test]
async fn a_dropped_connection_gives_no_byte() {
    let fixture = Fixture::start(Phase::Dropped).await;
    for _ in 0..3 {
        let error = fixture.get("/scenarios/101").await.unwrap_err();
        assert!(error.is_request(), "{error:?}");
    }
    // A connection that the upstream cuts does not count as abandoned, and neither do the controls.
    let stats = fixture.stats().await;
    assert_eq!((stats.total.requests, stats.total.abandoned), (3, 0));
}

#[tokio::test]
async fn broken_json_has_a_good_status() {
    let fixture = Fixture::start(Phase::BrokenJson).await;
    let answer = fixture.get("/scenarios/101").await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let text = answer.text().await.unwrap();
    assert!(text.starts_with('{') && serde_json::from_str::<Value>(&text).is_err(), "{text}");
}

#[tokio::test]
async fn slow_answers_are_right() {
    let fixture = Fixture::start(Phase::Slow).await;
    let begun = Instant::now();
    assert_eq!(fixture.get("/scenarios/101").await.unwrap().status(), StatusCode::OK);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn panics_are_marked() {
    let fixture = Fixture::start(Phase::ToolPanic).await;
    let mut marked = 0;
    for _ in 0..40 {
        let answer = fixture.get("/scenarios/101").await.unwrap();
        if let Some(text) = answer.headers().get(PANIC_HEADER) {
            assert_eq!(text, PANIC_TEXT);
            marked += 1;
        }
    }
    assert!((4..=20).contains(&marked), "{marked} of 40");
    assert_eq!(fixture.stats().await.total.panics, marked);
}

#[tokio::test]
async fn whoever_leaves_a_hanging_request_is_counted() {
    let fixture = Fixture::start(Phase::Hanging).await;
    assert!(timeout(Duration::from_millis(200), fixture.get("/scenarios/101")).await.is_err());
    let mut stats = fixture.stats().await;
    for _ in 0..50 {
        if stats.in_flight == 0 {
            break;
        }
        sleep(Duration::from_millis(10)).await;
        stats = fixture.stats().await;
    }
    assert_eq!((stats.total.requests, stats.total.abandoned, stats.in_flight), (1, 1, 0));
    assert_eq!(stats.phases["hanging"].abandoned, 1);
}

#[tokio::test]
async fn each_phase_has_new_data_and_books_of_its_own() {
    let fixture = Fixture::start(Phase::Healthy).await;
    let operations = async || -> u64 {
        let one: Value = fixture.get("/scenarios/101").await.unwrap().json().await.unwrap();
        one["scenario"]["operations"].as_u64().unwrap()
    };
    let first = operations().await;
    let revision = fixture.enter(Phase::Recovery).await;
    assert_ne!(first, operations().await);
    let stats = fixture.stats().await;
    assert_eq!((stats.phase.as_str(), stats.revision), ("recovery", revision));
    assert_eq!((stats.phases["healthy"].requests, stats.phases["recovery"].requests), (1, 1));
}

#[tokio::test]
async fn an_unknown_phase_is_refused() {
    let fixture = Fixture::start(Phase::Healthy).await;
    let address = format!("{}/demo/phase/apocalypse", fixture.upstream.origin());
    assert_eq!(fixture.client.post(address).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(fixture.stats().await.phase, "healthy");
}
