//! Liveness, readiness, the health report and the metrics.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::now;
use crate::export::prometheus::Format;
use crate::health::{Health, HealthStatus};
use crate::outcomes::CheckStatus;

/// What an orchestrator and Prometheus ask, for an application with any state.
///
/// | route | status | body |
/// |---|---|---|
/// | `/livez` | 200 as long as the process answers; nothing is looked at | `{"alive": true}` |
/// | `/readyz` | 200; 503 while a critical check fails or a critical tool is unhealthy, and from [`Health::drain`] on | `ready`, `draining`, `failing_checks`, `failing_tools` |
/// | `/healthz` | 200 for healthy and degraded, 503 for unhealthy | the [`HealthReport`](crate::health::HealthReport) without details |
/// | `/metrics` | 200 | [`export::prometheus`](crate::export::prometheus) in the format that `Accept` prefers: `OpenMetrics` if it is asked for, else the Prometheus text format |
///
/// Readiness and health are those of the last report. Who asks once it is older than 30 s has a new one made,
/// and does not wait for it unless the last one is older than a minute, or there is none: then an answer takes
/// as long as the slowest check, 5 s unless it says otherwise. Who probes less often than that, and with less
/// patience, spawns [`Health::watch`], with which only the first report has to be waited for.
///
/// Restart a process for `/livez` alone. Readiness answers whether another replica would serve better. A dependency
/// that is down is down for all of them: open breakers and a high rate of errors make a server degraded, and it stays
/// ready, unless you say otherwise ([`Health::critical_error_rate`], [`Health::critical_tool`], critical checks).
///
/// ```
/// use std::sync::Arc;
/// use resilient_runtime::{health::Health, http};
///
/// let health = Arc::new(Health::new());
/// let app: axum::Router = axum::Router::new()
///     // .nest_service("/mcp", your `StreamableHttpService`)
///     .merge(http::router(health));
/// # drop(app);
/// ```
pub fn router<S: Clone + Send + Sync + 'static>(health: Arc<Health>) -> Router<S> {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn livez() -> Response {
    now(StatusCode::OK, json!({ "alive": true }))
}

async fn readyz(State(health): State<Arc<Health>>) -> Response {
    // Who stops needs no checks to say so.
    let report = if health.is_draining() { None } else { Some(health.report().await) };
    let draining = health.is_draining();
    let (mut checks, mut tools) = (Vec::new(), Vec::new());
    if let Some(report) = &report {
        let failing = report.checks.iter().filter(|check| check.critical && check.status == CheckStatus::Fail);
        checks.extend(failing.map(|check| &*check.name));
        let failing = report.tools.iter().filter(|tool| tool.critical && tool.status == HealthStatus::Unhealthy);
        tools.extend(failing.map(|tool| &*tool.tool));
    }
    let ready = !draining && checks.is_empty() && tools.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "ready": ready, "draining": draining, "failing_checks": checks, "failing_tools": tools });
    now(status, body)
}

async fn healthz(State(health): State<Arc<Health>>) -> Response {
    let report = health.report().await.without_details();
    let status = match report.status {
        HealthStatus::Healthy | HealthStatus::Degraded => StatusCode::OK,
        HealthStatus::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    };
    now(status, report)
}

async fn metrics(State(health): State<Arc<Health>>, headers: HeaderMap) -> Response {
    let accept: Vec<_> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let format = Format::accepted(&accept.join(","));
    let text = match health.own_registry() {
        Some(registry) => format.text(registry),
        None => format.global_text(),
    };
    let headers =
        [(header::CONTENT_TYPE, format.content_type()), (header::CACHE_CONTROL, "no-store"), (header::VARY, "accept")];
    (headers, text).into_response()
}
