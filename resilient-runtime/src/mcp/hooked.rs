//! Routers whose routes have the hook.

use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use resilient_policy::Effect;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::ToolAnnotations;

use super::explain::Explain;
use super::hook::{Hook, UNKNOWN};
use crate::registry::Registry;
use crate::site::Site;

/// Wraps every route of a router, with the records of the tools that have one.
pub(super) fn hooked<S: Send + Sync + 'static>(
    mut router: ToolRouter<S>,
    site_of: impl Fn(&str) -> Option<&'static Site>,
    explained: impl Fn(&str) -> Box<[Explain]>,
) -> ToolRouter<S> {
    for route in router.map.values_mut() {
        let tool: Arc<str> = route.attr.name.as_ref().into();
        let site = site_of(&tool);
        let name = site.map_or_else(|| Arc::clone(&tool), |site| Arc::from(site.name()));
        let statistics = Registry::global().statistics(&name);
        if name != tool {
            statistics.is_served_as(&tool);
        }
        let hook = Arc::new(Hook {
            statistics,
            name,
            effect: match site.filter(|site| !site.is_guarded()).map(|site| site.policy().effect) {
                None | Some(Effect::Unknown) => effect(route.attr.annotations.as_ref()),
                Some(said) => said,
            },
            limited: site.filter(|site| site.is_limited_by_hook()),
            caches_responses: AtomicU8::new(UNKNOWN),
            explained: explained(&tool),
            tool,
        });
        let inner = Arc::clone(&route.call);
        route.call = Arc::new(move |call| hook.clone().serve(inner.clone(), call));
    }
    router
}

fn effect(annotations: Option<&ToolAnnotations>) -> Effect {
    let Some(hints) = annotations else { return Effect::Unknown };
    match (hints.read_only_hint, hints.idempotent_hint, hints.destructive_hint) {
        (Some(true), _, _) => Effect::ReadOnly,
        (_, Some(true), _) => Effect::Idempotent,
        (Some(false), _, _) | (_, _, Some(true)) => Effect::Writes,
        _ => Effect::Unknown,
    }
}
