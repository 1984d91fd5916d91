//! The responses of the ready-made tools.

use std::time::Duration;

use resilient_policy::one_of;
use rmcp::ErrorData;

use super::super::bad_arguments::bad_arguments;
use super::requests::{GetMetrics, HealthCheck, RecentErrors};
use crate::context::CallContext;
use crate::health::{Health, HealthReport};
use crate::registry::Registry;
use crate::view::{Errors, Metrics};

/// The maximum number of single errors in a response.
const MOST_ERRORS: usize = 100;

/// The age up to which a report counts as new for `force`, so that a client cannot make the server probe its services
/// continuously.
const NEW: Duration = Duration::from_secs(1);

pub(super) async fn health_check(health: &Health, request: &HealthCheck) -> HealthReport {
    let report = if request.force { health.report_younger_than(NEW).await } else { health.report().await };
    if request.include_details { report } else { report.without_details() }
}

pub(super) fn get_metrics(registry: &Registry, request: &GetMetrics) -> Result<Metrics, ErrorData> {
    let metrics = Metrics::of(registry, request.tool.as_deref());
    match &request.tool {
        Some(tool) if metrics.is_empty() => {
            let all = registry.tools();
            let all: Vec<_> = all.iter().map(|(name, _)| &**name).collect();
            Err(bad_arguments(&format!("no tool has been called `{tool}`{}", one_of(tool, &all))))
        }
        _ => Ok(metrics),
    }
}

pub(super) fn recent_errors(registry: &Registry, request: &RecentErrors) -> Errors {
    let context = CallContext::current();
    let caller = context.as_ref().and_then(CallContext::principal);
    let most = usize::try_from(request.limit).unwrap_or(MOST_ERRORS).min(MOST_ERRORS);
    // Errors are shown to their caller only; an unknown caller sees none.
    Errors::of(registry, request.tool.as_deref(), most, |error| caller.is_some() && error.principal.as_ref() == caller)
}
