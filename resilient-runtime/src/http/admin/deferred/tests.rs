//! The routes with a store in memory. What a server with a worker shows is tested from outside.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use resilient_policy::{DeferredSettings, OnExhausted};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::deferred::{
    Cancellation, Claim, ClaimToken, ClaimedTool, Claims, Counts, DeferredStore, Entry, Failure, Found, NewEntry,
    NextTry, Put, Scope, StoreErrorKind, StoreFuture, Swept, Timestamp, WallClock,
};
use crate::export::prometheus;
use crate::health::{CheckResult, CheckStatus, Health, HealthCheck, HealthStatus};
use crate::http::Admin;
use crate::registry::Registry;
use crate::testing::deferred::MemoryStore;

const TOKEN: &str = "0123456789abcdef";
const PRIVATE: &str = "private-4711";

/// A registry whose server `shop` stores its writes in `store`, and the routes for its operators.
fn operators(store: impl DeferredStore) -> (Arc<Deferral>, Arc<Registry>, Router) {
    let registry = Arc::new(Registry::new());
    let clock = WallClock::starting_at(Timestamp::from_millis(1_796_000_000_000));
    let deferral = Arc::new(Deferral::new(Arc::new(store), "shop".into(), clock));
    assert!(registry.set_deferral(Arc::clone(&deferral)));
    let router = Admin::new(Arc::new(Health::of(&registry))).token(TOKEN).unwrap().router();
    (deferral, registry, router)
}

/// Accepts a write of the tool `order`, with `on_exhausted = notify`.
async fn accept(deferral: &Deferral, server: &str, receipt: u128, key: &str) {
    accept_with(deferral, server, receipt, key, OnExhausted::Notify).await;
}

async fn accept_with(deferral: &Deferral, server: &str, receipt: u128, key: &str, on_exhausted: OnExhausted) {
    let now = deferral.clock.now();
    let policy = DeferredSettings::new().on_exhausted(on_exhausted);
    let scope = Scope { server: server.into(), tool: "order".into(), principal: PRIVATE.into(), key: key.into() };
    let new = NewEntry {
        receipt: Receipt::from_bits(receipt),
        scope,
        arguments: json!({ "text": PRIVATE }).to_string(),
        correlation_id: "1".into(),
        policy,
        due: now,
        now,
    };
    assert!(matches!(deferral.store.put(new).await, Ok(Put::Accepted(_))));
}

/// Makes the oldest due write a dead letter.
async fn kill(deferral: &Deferral) {
    let now = deferral.clock.now();
    let tools = vec![ClaimedTool { name: "order".into(), lease: Duration::from_secs(20) }];
    let claim = Claim { server: deferral.server.clone(), tools, limit: 1, now };
    let mut claims = deferral.store.claim(&claim).await.unwrap();
    let token = claims.entries.remove(0).token();
    let failure = Failure { code: "SHOP_DOWN".into(), result: Some(json!(PRIVATE).to_string()), next: NextTry::Never };
    deferral.store.fail(token, failure, now).await.unwrap();
}

async fn send(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(!text.contains(PRIVATE), "{text}");
    (status, serde_json::from_str(&text).unwrap_or_default())
}

async fn get(router: &Router, path: &str) -> (StatusCode, Value) {
    let request = Request::get(path).header("host", "localhost").header("authorization", format!("Bearer {TOKEN}"));
    send(router, request.body(Body::empty()).unwrap()).await
}

async fn post(router: &Router, path: &str, body: &Value) -> (StatusCode, Value) {
    let request = Request::post(path).header("host", "localhost").header("authorization", format!("Bearer {TOKEN}"));
    let request = request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap();
    send(router, request).await
}

/// A receipt whose first eight digits are `first`.
fn receipt(first: u32, rest: u128) -> u128 {
    u128::from(first) << 96 | rest
}

#[tokio::test(start_paused = true)]
async fn entries_of_this_server_are_listed_without_arguments_callers_and_receipts() {
    let (deferral, _, router) = operators(MemoryStore::default());
    accept(&deferral, "shop", receipt(1, 5), "a").await;
    accept(&deferral, "other", receipt(2, 5), "a").await;
    kill(&deferral).await;
    accept(&deferral, "shop", receipt(3, 5), "b").await;
    let (status, shown) = get(&router, "/deferred").await;
    assert_eq!((status, &shown["server"]), (StatusCode::OK, &json!("shop")));
    let counts = &shown["counts"];
    assert_eq!((&counts["waiting"], &counts["dead"], &counts["interrupted"]), (&json!(1), &json!(1), &json!(0)));
    let now = deferral.clock.now().millis();
    assert_eq!(
        shown["entries"][0],
        json!({
            "id": "rsl-00000001", "tool": "order", "state": "dead", "accepted_unix_ms": now,
            "expires_unix_ms": now + 24 * 60 * 60 * 1_000, "tries": 1, "tries_left": 0, "interrupted": 0,
            "last_code": "SHOP_DOWN", "ended_unix_ms": now, "cancel_requested": false, "on_exhausted": "notify",
        })
    );
    let ids = |shown: &Value| {
        let entries = shown["entries"].as_array().expect("entries").iter();
        entries.map(|entry| entry["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&shown), ["rsl-00000001", "rsl-00000003"]);
    assert_eq!(shown["entries"][1]["next_attempt_unix_ms"], now);
    for (query, expected) in [
        ("state=dead", vec!["rsl-00000001"]),
        ("state=waiting&limit=1", vec!["rsl-00000003"]),
        ("limit=1", vec!["rsl-00000001"]),
        ("after=rsl-00000001&limit=1", vec!["rsl-00000003"]),
        ("after=rsl-00000003", vec![]),
    ] {
        assert_eq!(ids(&get(&router, &format!("/deferred?{query}")).await.1), expected, "{query}");
    }
    for query in ["state=lost", "limit=0", "limit=1001", "server=other"] {
        let (status, body) = get(&router, &format!("/deferred?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(body["error"].as_str().is_some_and(|error| error.starts_with("expected `state`, one of `waiting`")));
    }
    let (status, _) = get(&router, "/deferred?after=rsl-00000002").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "an entry of another server");
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_retried_or_discarded_by_its_id() {
    let (deferral, registry, router) = operators(MemoryStore::default());
    for n in 1..=2 {
        accept(&deferral, "shop", receipt(n, 5), &n.to_string()).await;
        kill(&deferral).await;
    }
    let (status, entry) = post(&router, "/deferred/rsl-00000001", &json!({ "action": "retry", "by": "ann" })).await;
    let shown = (&entry["id"], &entry["state"], &entry["tries_left"]);
    assert_eq!((status, shown), (StatusCode::OK, (&json!("rsl-00000001"), &json!("waiting"), &json!(8))));
    // The worker looks for it now.
    tokio::time::timeout(Duration::from_millis(1), deferral.wake.notified()).await.expect("a wake-up");
    let whole = format!("/deferred/{}", Receipt::from_bits(receipt(2, 5)));
    let (status, entry) = post(&router, &whole, &json!({ "action": "discard" })).await;
    assert_eq!((status, &entry["state"]), (StatusCode::OK, &json!("discarded")));
    for (path, action, state) in
        [("/deferred/00000001", "retry", "waiting"), ("/deferred/rsl-00000002", "discard", "discarded")]
    {
        let (status, body) = post(&router, path, &json!({ "action": action })).await;
        let error = format!("only a dead letter can be changed, and this write was `{state}`");
        assert_eq!((status, body), (StatusCode::CONFLICT, json!({ "error": error })), "{path}");
    }
    let text = prometheus::text(&registry);
    assert!(text.contains("resilient_deferred_total{tool=\"order\",result=\"discarded\"} 1\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_wrong_too_short_or_ambiguous_changes_nothing() {
    let (deferral, _, router) = operators(MemoryStore::default());
    for n in 0..2 {
        accept(&deferral, "shop", receipt(7, n), &n.to_string()).await;
        kill(&deferral).await;
    }
    accept(&deferral, "other", receipt(8, 0), "a").await;
    for (id, expected) in [
        ("rsl-00000009", StatusCode::NOT_FOUND),
        ("rsl-0000007", StatusCode::NOT_FOUND),
        ("rsl-0000000g", StatusCode::NOT_FOUND),
        ("%ff", StatusCode::NOT_FOUND),
        ("rsl-00000008", StatusCode::NOT_FOUND),
        (&*Receipt::from_bits(receipt(8, 0)).to_string(), StatusCode::NOT_FOUND),
        ("rsl-00000007", StatusCode::CONFLICT),
    ] {
        let (status, body) = post(&router, &format!("/deferred/{id}"), &json!({ "action": "discard" })).await;
        assert_eq!(status, expected, "{id}: {body}");
    }
    let (status, _) = post(&router, "/deferred/rsl-00000007", &json!({ "action": "cancel" })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(deferral.sample().await.unwrap().dead, 2);
}

#[tokio::test]
async fn a_server_without_a_store_has_no_deferred_writes() {
    let router = Admin::new(Arc::new(Health::of(&Arc::new(Registry::new())))).token(TOKEN).unwrap().router();
    let error = json!({ "error": "this server defers no writes" });
    assert_eq!(get(&router, "/deferred").await, (StatusCode::NOT_FOUND, error.clone()));
    assert_eq!(
        post(&router, "/deferred/rsl-00000001", &json!({ "action": "retry" })).await,
        (StatusCode::NOT_FOUND, error)
    );
}

/// A store that fails with an error, or never answers.
#[derive(Debug)]
struct Broken(Option<StoreErrorKind>);

macro_rules! broken {
    ($($name:ident($($argument:ident: $is:ty),*) -> $out:ty;)*) => {
        #[allow(clippy::elidable_lifetime_names, reason = "some methods need the lifetime")]
        impl DeferredStore for Broken {
            $(fn $name<'a>(&'a self, $($argument: $is),*) -> StoreFuture<'a, $out> {
                $(let _ = $argument;)*
                Box::pin(async move {
                    match self.0 {
                        Some(kind) => Err(StoreError::new(kind, PRIVATE)),
                        None => std::future::pending().await,
                    }
                })
            })*
        }
    };
}

broken! {
    put(entry: NewEntry) -> Put;
    withdraw(receipt: Receipt) -> bool;
    find(scope: &'a Scope, arguments: &'a str, now: Timestamp) -> Option<Found>;
    share(scope: &'a Scope, arguments: &'a str, now: Timestamp) -> Option<Found>;
    get(receipt: Receipt, viewer: &'a Viewer) -> Option<Entry>;
    claim(claim: &'a Claim) -> Claims;
    renew(token: ClaimToken, lease: Duration, now: Timestamp) -> Option<Timestamp>;
    complete(token: ClaimToken, result: Option<String>, now: Timestamp) -> Option<Summary>;
    fail(token: ClaimToken, failure: Failure, now: Timestamp) -> Option<Summary>;
    postpone(token: ClaimToken, until: Timestamp, now: Timestamp) -> Option<Summary>;
    cancel(receipt: Receipt, viewer: &'a Viewer, now: Timestamp) -> Option<Cancellation>;
    retry(receipt: Receipt, now: Timestamp) -> Retried;
    discard(receipt: Receipt, now: Timestamp) -> bool;
    list(filter: &'a Filter) -> Vec<Summary>;
    counts(server: Option<&'a str>) -> Counts;
    recover(server: &'a str, now: Timestamp) -> u64;
    sweep(server: &'a str, now: Timestamp) -> Swept;
    check() -> ();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_or_hangs_gets_503_in_time_and_fails_the_check_and_readiness() {
    let silent = "the store of deferred writes did not answer in time";
    for (store, error, check) in [
        (Broken(Some(StoreErrorKind::Full)), "the store of deferred writes failed: full", "can accept no write: full"),
        (Broken(None), silent, "no answer within 5s"),
    ] {
        let (deferral, registry, router) = operators(store);
        let expected = (StatusCode::SERVICE_UNAVAILABLE, json!({ "error": error }));
        assert_eq!(get(&router, "/deferred").await, expected);
        let action = json!({ "action": "retry" });
        assert_eq!(post(&router, "/deferred/rsl-00000001", &action).await, expected);
        // Exports show the last counts, and never wait.
        deferral.observed(Counts { waiting: 3, ..Counts::default() }, deferral.clock.now());
        let text = prometheus::text(&registry);
        assert!(text.contains("resilient_deferred_entries{state=\"waiting\"} 3\n"), "{text}");
        let health = Arc::new(Health::of(&registry));
        let report = health.report().await;
        let found = report.checks.iter().find(|check| check.name == "deferred").expect("the check");
        assert!(found.critical && found.message.contains(check), "{found:?}");
        assert_eq!(report.status, HealthStatus::Unhealthy);
        let probes: Router = crate::http::router(health);
        let (status, ready) = send(&probes, Request::get("/readyz").body(Body::empty()).unwrap()).await;
        assert_eq!((status, &ready["failing_checks"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(["deferred"])));
    }
}

#[tokio::test(start_paused = true)]
async fn the_check_passes_while_writes_wait_and_warns_of_dead_letters_that_ask_for_an_alert() {
    let (deferral, registry, _) = operators(MemoryStore::default());
    let health = Health::of(&registry);
    let check = async || {
        let report = health.report_now().await;
        report.checks.into_iter().find(|check| check.name == "deferred").expect("the check")
    };
    accept(&deferral, "shop", 1, "a").await;
    accept(&deferral, "shop", 2, "b").await;
    let found = check().await;
    assert_eq!((found.status, &*found.message), (CheckStatus::Pass, "2 to deliver, 0 dead letters"));
    assert_eq!(found.details.expect("details")["waiting"], 2);
    kill(&deferral).await;
    let found = check().await;
    let message = "1 to deliver, 1 dead letter, of which 1 with `on_exhausted = notify`";
    assert_eq!((found.status, &*found.message), (CheckStatus::Warn, message));
    // A check of the author's with this name replaces it.
    let own = HealthCheck::new("deferred", || async { CheckResult::pass("mine") });
    let report = Health::of(&registry).check(own).report_now().await;
    let found = report.checks.iter().filter(|check| check.name == "deferred");
    assert_eq!(found.map(|check| &*check.message).collect::<Vec<_>>(), ["mine"]);
}

#[tokio::test(start_paused = true)]
async fn the_series_show_the_last_counts_and_their_age() {
    let (deferral, registry, _) = operators(MemoryStore::default());
    assert!(!prometheus::text(&registry).contains("resilient_deferred_entries"), "nothing was counted yet");
    accept(&deferral, "shop", 1, "a").await;
    accept(&deferral, "other", 2, "a").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    deferral.sample().await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    // Later counts are not replaced by earlier ones.
    deferral.observed(Counts::default(), Timestamp::default());
    deferral.statistics.count("order", DeferredResult::Accepted);
    let text = prometheus::text(&registry);
    for line in [
        "resilient_deferred_entries{state=\"waiting\"} 1",
        "resilient_deferred_entries{state=\"dead\"} 0",
        "resilient_deferred_oldest_seconds 70",
        "resilient_deferred_counted_seconds 60",
        "resilient_deferred_interrupted_tries 0",
        "resilient_deferred_total{tool=\"order\",result=\"accepted\"} 1",
        "resilient_deferred_total{tool=\"order\",result=\"unchecked\"} 0",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_asks_for_an_alert_is_found_behind_many_that_do_not() {
    let (deferral, registry, _) = operators(MemoryStore::default());
    for number in 0..1_000 {
        accept_with(&deferral, "shop", number, &number.to_string(), OnExhausted::DeadLetter).await;
        kill(&deferral).await;
    }
    accept(&deferral, "shop", 1_000, "last").await;
    kill(&deferral).await;
    let report = Health::of(&registry).report_now().await;
    let found = report.checks.into_iter().find(|check| check.name == "deferred").expect("the check");
    let message = "0 to deliver, 1001 dead letters, of which 1 with `on_exhausted = notify`";
    assert_eq!((found.status, &*found.message), (CheckStatus::Warn, message));
}

#[cfg(feature = "status-page")]
async fn page(router: &Router) -> String {
    let request = Request::get("/status?edit=1").header("host", "localhost").header("accept", "text/html");
    let request = request.header("authorization", format!("Bearer {TOKEN}")).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let page = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(!page.contains(PRIVATE) && page.ends_with("</html>"), "{page}");
    page
}

#[cfg(feature = "status-page")]
#[tokio::test(start_paused = true)]
async fn the_page_shows_counts_and_dead_letters_with_their_forms() {
    let (deferral, _, router) = operators(MemoryStore::default());
    assert!(page(&router).await.contains("No dead letters"));
    accept(&deferral, "shop", receipt(1, 5), "a").await;
    kill(&deferral).await;
    accept(&deferral, "shop", receipt(2, 5), "b").await;
    let page = page(&router).await;
    for expected in [
        "<dt>Waiting</dt><dd>1</dd>",
        "<dt>Dead letters</dt><dd>1</dd>",
        ">rsl-00000001<",
        "<td>SHOP_DOWN</td>",
        "formaction=\"deferred/rsl-00000001\" name=\"action\" value=\"retry\"",
        "formaction=\"deferred/rsl-00000001\" name=\"action\" value=\"discard\"",
    ] {
        assert!(page.contains(expected), "{expected} in {page}");
    }
    assert!(!page.contains("rsl-00000002"));
}

#[cfg(feature = "status-page")]
#[tokio::test(start_paused = true)]
async fn the_page_is_there_in_time_even_if_the_store_fails_or_hangs() {
    for (store, problem) in [
        (Broken(Some(StoreErrorKind::Full)), "the store of deferred writes failed: full."),
        (Broken(None), "the store of deferred writes did not answer within 2 s."),
    ] {
        let (deferral, _, router) = operators(store);
        let begun = tokio::time::Instant::now();
        assert!(page(&router).await.contains(problem));
        assert!(begun.elapsed() <= Duration::from_secs(2));
        deferral.observed(Counts { waiting: 3, ..Counts::default() }, deferral.clock.now());
        let page = page(&router).await;
        assert!(page.contains(problem) && page.contains("<dt>Waiting</dt><dd>3</dd>"), "{page}");
    }
}
