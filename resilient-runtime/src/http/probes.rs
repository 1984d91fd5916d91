//! The router for orchestrators and Prometheus: liveness, readiness, the health report and the metrics.

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

/// Creates the router for orchestrators and Prometheus, for an application with any state.
///
/// | route | status | body |
/// |---|---|---|
/// | `/livez` | 200 as long as the process responds; runs no checks | `{"alive": true}` |
/// | `/readyz` | 200; 503 while a critical check fails, a critical tool is unhealthy or another server cannot be reached, and from [`Health::drain`] on | `ready`, `draining`, `failing_checks`, `failing_tools`; with [`connections`](crate::connections) to other servers also `failing_connections` |
/// | `/healthz` | 200 for healthy and degraded, 503 for unhealthy | the [`HealthReport`](crate::health::HealthReport) without details |
/// | `/metrics` | 200 | [`export::prometheus`](crate::export::prometheus) in the format that `Accept` prefers: `OpenMetrics` if requested, else the Prometheus text format |
///
/// Whether other servers can be reached is read for each request: the connection is not down, and the breaker
/// `NAME.connection` does not reject calls. Otherwise, readiness and health come from the last report. A request that
/// finds it older than 30 s starts a new one. The request waits for the new report only if the last one is older than
/// 60 s or there is none; it then takes as long as the slowest check, whose timeout is 5 s by default. If you probe
/// less often than every 60 s, or with a short timeout, spawn [`Health::watch`]: then only the first report has to be
/// waited for.
///
/// Restart a process because of `/livez` only. Readiness means that another replica would not serve better. A
/// dependency that is down is down for all replicas: open breakers and a high error rate make a server degraded, but it
/// stays ready unless you configure otherwise ([`Health::critical_error_rate`], [`Health::critical_tool`], critical
/// checks).
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
    // A server that is stopping is not ready, regardless of its checks.
    let report = if health.is_draining() { None } else { Some(health.report().await) };
    let draining = health.is_draining();
    let (mut checks, mut tools) = (Vec::new(), Vec::new());
    if let Some(report) = &report {
        let failing = report.checks.iter().filter(|check| check.critical && check.status == CheckStatus::Fail);
        let failing = failing.filter(|check| !health.is_of_connections(&check.name));
        checks.extend(failing.map(|check| &*check.name));
        let failing = report.tools.iter().filter(|tool| tool.critical && tool.status == HealthStatus::Unhealthy);
        tools.extend(failing.map(|tool| &*tool.tool));
    }
    // Not from the report, which may be older than the last call.
    let connections = health.registry().connections();
    let failing = health.registry().failing_connections(&connections);
    let ready = !draining && checks.is_empty() && tools.is_empty() && failing.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!({ "ready": ready, "draining": draining, "failing_checks": checks, "failing_tools": tools });
    if !connections.is_empty() {
        body["failing_connections"] = json!(failing);
    }
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
