//! The changes whose rules depend on the settings at start, and the reload.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use resilient_policy::{GateSettings, Level, Switches};
use serde_json::json;
use tower::ServiceExt as _;

use super::*;
use crate::gate::{Gate, Gated};

const TOKEN: &str = "0123456789abcdef";

/// A registry whose settings declare two features and turn a tool and a feature off.
fn registry() -> Arc<Registry> {
    for name in ["admin_list", "admin_export"] {
        let features: &[&str] = if name == "admin_export" { &["admin_exports"] } else { &[] };
        Gate::knows(&Gated { names: [name, name], features, writes: false, reads: true, is_critical: false });
    }
    let registry = Arc::new(Registry::new());
    let declared = ["admin_reports", "admin_off"].map(|name| (name.to_owned(), None));
    registry
        .gate
        .start(GateSettings {
            switches: Switches {
                tools: ["admin_list".to_owned()].into(),
                features: ["admin_off".to_owned()].into(),
                ..Switches::default()
            },
            features: BTreeMap::from(declared),
            ..GateSettings::default()
        })
        .log();
    registry
}

fn router(registry: &Arc<Registry>, reload: Option<Reload>) -> Router {
    let admin = Admin::new(Arc::new(Health::of(registry))).token(TOKEN).unwrap();
    match reload {
        Some(reload) => admin.reload_with(reload).router(),
        None => admin.router(),
    }
}

async fn post(router: &Router, path: &str, body: &Value) -> (StatusCode, Value) {
    let request = Request::post(path).header("host", "localhost").header("authorization", format!("Bearer {TOKEN}"));
    let request = request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap();
    read(router.clone().oneshot(request).await.unwrap()).await
}

async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test]
async fn tools_and_features_are_turned_off_and_on_again() {
    let registry = registry();
    let router = router(&registry, None);
    for (path, key, name) in [
        ("/tools/admin_export", "tools_off", "admin_export"),
        ("/features/admin_exports", "features_off", "admin_exports"),
        ("/features/admin_reports", "features_off", "admin_reports"),
    ] {
        let (status, state) = post(&router, path, &json!({ "enabled": false })).await;
        let off = |state: &Value| {
            let all = state[key].as_array().expect("a list");
            all.iter().find(|off| off["name"] == name).map(|off| off["by"].clone())
        };
        assert_eq!((status, off(&state)), (StatusCode::OK, Some(json!("admin"))), "{path}: {state}");
        // Twice is the same.
        assert_eq!(post(&router, path, &json!({ "enabled": false })).await, (status, state), "{path}");
        let (status, state) = post(&router, path, &json!({ "enabled": true })).await;
        assert_eq!((status, off(&state)), (StatusCode::OK, None), "{path}: {state}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_suggested_and_what_the_settings_turn_off_stays_off() {
    let router = router(&registry(), None);
    for (path, error) in [
        ("/tools/admin_exprot", "there is no tool of this name; did you mean `admin_export`?"),
        ("/tools/zzz", "there is no tool of this name"),
        ("/features/admin_report", "there is no feature of this name; did you mean `admin_reports`?"),
        ("/features/%00%ff", "there is no feature of this name"),
        ("/tools/%ff", "there is no tool of this name"),
        ("/breakers/zzz", ""),
    ] {
        for enabled in [true, false] {
            let (status, body) = post(&router, path, &json!({ "enabled": enabled })).await;
            if error.is_empty() {
                assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {body}");
            } else {
                assert_eq!((status, body), (StatusCode::NOT_FOUND, json!({ "error": error })), "{path}");
            }
        }
    }
    for (path, what) in [("/tools/admin_list", "tool `admin_list`"), ("/features/admin_off", "feature `admin_off`")] {
        let (status, body) = post(&router, path, &json!({ "enabled": true })).await;
        let error = format!("the settings turn the {what} off, and nothing at run time lifts that");
        assert_eq!((status, body), (StatusCode::CONFLICT, json!({ "error": error })), "{path}");
    }
}

#[tokio::test]
async fn a_level_by_hand_holds_until_it_is_automatic_again() {
    let registry = registry();
    let router = router(&registry, None);
    let (status, state) = post(&router, "/level", &json!({ "level": "minimal" })).await;
    assert_eq!((status, &state["level"], &state["level_source"]), (StatusCode::OK, &json!("minimal"), &json!("admin")));
    assert_eq!(registry.gate.level(), Level::Minimal);
    let (status, state) = post(&router, "/level", &json!({ "level": "automatic" })).await;
    assert_eq!((status, &state["level"]), (StatusCode::OK, &json!("normal")));
}

/// A reload with this result, and whether it ran.
fn reload(result: Result<Value, Value>) -> (Reload, Arc<AtomicBool>) {
    let ran = Arc::new(AtomicBool::new(false));
    let by_reload = Arc::clone(&ran);
    let reload: Reload = Arc::new(move || {
        let (result, ran) = (result.clone(), Arc::clone(&by_reload));
        Box::pin(async move {
            tokio::task::yield_now().await;
            ran.store(true, Ordering::SeqCst);
            assert_ne!(result, Err(json!("panics")));
            Ok(result)
        })
    });
    (reload, ran)
}

#[tokio::test]
async fn a_reload_answers_with_its_report_its_problems_or_that_it_panicked() {
    let registry = registry();
    for (result, status, body) in [
        (Ok(json!({ "changed": [] })), StatusCode::OK, json!({ "changed": [] })),
        (Err(json!({ "problems": ["a"] })), StatusCode::UNPROCESSABLE_ENTITY, json!({ "problems": ["a"] })),
        (
            Err(json!("panics")),
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({ "error": "the settings could not be reloaded" }),
        ),
    ] {
        let (reload, ran) = reload(result);
        let router = router(&registry, Some(reload));
        let (refused, _) = post(&router, "/reload", &json!({ "file": "other.toml" })).await;
        assert_eq!((refused, ran.load(Ordering::SeqCst)), (StatusCode::BAD_REQUEST, false));
        assert_eq!(post(&router, "/reload", &json!({ "by": "ann" })).await, (status, body));
        assert!(ran.load(Ordering::SeqCst));
        let request = Request::post("/reload").header("host", "localhost");
        let request = request.header("authorization", format!("Bearer {TOKEN}")).body(Body::empty()).unwrap();
        assert_eq!(read(router.clone().oneshot(request).await.unwrap()).await.0, status);
    }
    let without = router(&registry, None);
    assert_eq!(post(&without, "/reload", &json!({})).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_token_of_the_settings_holds_unless_the_author_sets_another() {
    let registry = registry();
    registry.admin_token.set(TokenSetting::Valid(AccessToken::new("of-the-settings-0").unwrap())).unwrap();
    let health = Arc::new(Health::of(&registry));
    for (router, token, expected) in [
        (Admin::new(Arc::clone(&health)).router(), "of-the-settings-0", StatusCode::OK),
        (Admin::new(Arc::clone(&health)).router(), TOKEN, StatusCode::UNAUTHORIZED),
        (Admin::new(Arc::clone(&health)).token(TOKEN).unwrap().router(), TOKEN, StatusCode::OK),
        (Admin::new(health).token(TOKEN).unwrap().router(), "of-the-settings-0", StatusCode::UNAUTHORIZED),
    ] {
        let request = Request::get("/status").header("host", "localhost");
        let request = request.header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
        let router: Router = router;
        assert_eq!(router.oneshot(request).await.unwrap().status(), expected, "{token}");
    }
}

#[tokio::test]
async fn an_invalid_token_of_the_settings_closes_the_routes_unless_the_author_sets_another() {
    let registry = registry();
    registry.admin_token.set(TokenSetting::Invalid).unwrap();
    let health = Arc::new(Health::of(&registry));
    let send = async |router: Router, method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.header("authorization", format!("Bearer {TOKEN}")).body(Body::empty()).unwrap();
        router.oneshot(request).await.unwrap().status()
    };
    let closed: Router = Admin::new(Arc::clone(&health)).router();
    assert_eq!(send(closed.clone(), "GET", "/status").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(send(closed.clone(), "POST", "/level").await, StatusCode::NOT_FOUND);
    let other: Router = Admin::new(health).token(TOKEN).unwrap().router();
    assert_eq!(send(other, "GET", "/status").await, StatusCode::OK);
}
