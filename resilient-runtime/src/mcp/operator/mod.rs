//! Ready-made tools for operators: health, metrics, breakers and recent errors.

mod answers;
mod requests;
pub(super) mod schemas;

use std::sync::Arc;

use rmcp::Json;
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{Tool, ToolAnnotations};

use super::instrument;
use crate::health::Health;
use crate::view::Breakers;
use requests::{CircuitStatus, GetMetrics, HealthCheck, RecentErrors};
use schemas::Schemas;

/// Returns a router with the tools `health_check`, `get_metrics`, `circuit_status` and `recent_errors`.
///
/// Add it to those of your server in the expression after `router =` of its `#[tool_handler]`. If
/// `#[tool_router(server_handler)]` generates your handler, remove that argument and write a `#[tool_handler]` instead.
///
/// | tool | arguments | response |
/// |---|---|---|
/// | `health_check` | `include_details`, `force` | [`HealthReport`](crate::health::HealthReport): cached for 30 s, with `force` for 1 s; also the [`alerts`](crate::alerts) that fire |
/// | `get_metrics` | `tool` | calls, outcomes, retries and durations of each tool, or of one |
/// | `circuit_status` | | each breaker, with all its partition keys as one: state, remaining time, last transitions |
/// | `recent_errors` | `tool`, `limit` (20, at most 100) | errors by tool and code, and the last ones |
///
/// All of them are read-only, have the annotations for that, and have output schemas. They pass through the hook like
/// other tools, and access only this process; `health_check` runs the checks of `health`.
///
/// Single errors are shown only to the [`Principal`](crate::identity::Principal) whose calls they ended, and not to unknown
/// callers. The numbers of errors are shown to all clients that may call the tools. If your server must not reveal
/// something to its clients, do not add the tool, or remove it with [`ToolRouter::remove_route`].
///
/// ```
/// use std::sync::{Arc, LazyLock};
/// use resilient_runtime::health::Health;
/// use resilient_runtime::{ResilienceError, mcp, resilient};
/// use rmcp::{ServerHandler, tool, tool_handler, tool_router};
///
/// static HEALTH: LazyLock<Arc<Health>> = LazyLock::new(|| Arc::new(Health::new().critical_tool("list")));
///
/// struct Shop;
///
/// #[resilient]
/// #[tool_router]
/// impl Shop {
///     /// Lists the products.
///     #[tool(annotations(read_only_hint = true))]
///     async fn list(&self) -> Result<String, ResilienceError> {
///         Ok("tea, milk".into())
///     }
/// }
///
/// #[resilient]
/// #[tool_handler(router = Self::tool_router() + mcp::operator_tools(&HEALTH))]
/// impl ServerHandler for Shop {}
/// # assert!(Shop.get_tool("health_check").is_some());
/// ```
#[must_use]
pub fn operator_tools<S: Send + Sync + 'static>(health: &Arc<Health>) -> ToolRouter<S> {
    let [of_health, of_metrics, of_breakers, of_errors] = schemas::all();
    let mut router = ToolRouter::new();
    let own = Arc::clone(health);
    router.add_route(ToolRoute::new(
        read_only_tool(
            "health_check",
            "Health",
            "Whether this server works: its checks, its tools and the dependencies behind them.",
            of_health,
        ),
        move |Parameters(request): Parameters<HealthCheck>| {
            let health = Arc::clone(&own);
            async move { Json(answers::health_check(&health, &request).await) }
        },
    ));
    let own = Arc::clone(health);
    router.add_route(ToolRoute::new(
        read_only_tool(
            "get_metrics",
            "Metrics",
            "What each tool of this server has counted since its start: calls, outcomes, retries, durations.",
            of_metrics,
        ),
        move |Parameters(request): Parameters<GetMetrics>| {
            let answer = answers::get_metrics(own.registry(), &request).map(Json);
            async move { answer }
        },
    ));
    let own = Arc::clone(health);
    router.add_route(ToolRoute::new(
        read_only_tool(
            "circuit_status",
            "Circuit breakers",
            "Where each circuit breaker of this server stands, since when and why.",
            of_breakers,
        ),
        move |Parameters(CircuitStatus {}): Parameters<CircuitStatus>| {
            let answer = Breakers::of(own.registry());
            async move { Json(answer) }
        },
    ));
    let own = Arc::clone(health);
    router.add_route(ToolRoute::new(
        read_only_tool(
            "recent_errors",
            "Recent errors",
            "What has gone wrong lately: errors by tool and code, and the last ones of your own calls.",
            of_errors,
        ),
        move |Parameters(request): Parameters<RecentErrors>| {
            let answer = answers::recent_errors(own.registry(), &request);
            async move { Json(answer) }
        },
    ));
    instrument(router)
}

fn read_only_tool(name: &'static str, title: &'static str, description: &'static str, schemas: &Schemas) -> Tool {
    let reads = ToolAnnotations::with_title(title).read_only(true).idempotent(true).open_world(false);
    Tool::new(name, description, Arc::clone(&schemas.input))
        .with_title(title)
        .with_annotations(reads)
        .with_raw_output_schema(Arc::clone(&schemas.output))
}
