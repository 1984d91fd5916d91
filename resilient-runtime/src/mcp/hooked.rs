//! Routers whose routes have the hook.

use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use resilient_policy::Effect;
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};

#[cfg(feature = "deferred")]
use super::accepted::DeferringTool;
use super::annotations;
use super::authorize::Authorize;
use super::explain::Explain;
use super::gated::{GatedTool, RouteSite};
use super::hook::{Authorizers, Hook};
use super::operator::schemas;
use super::routes::Remembered;
#[cfg(feature = "deferred")]
use super::tasks::STATUS_TOOL;
use crate::gate::Gate;
use crate::registry::Registry;
use crate::site::Site;

/// Wraps every route of a router, with the records of the tools that have one, and disables the routes that the
/// settings at start turn off.
pub(super) fn hooked<S: Send + Sync + 'static>(
    mut router: ToolRouter<S>,
    site_of: impl Fn(&str) -> Option<&'static Site>,
    route_site: impl Fn(&ToolRoute<S>) -> RouteSite,
    explained: impl Fn(&str) -> Box<[Explain]>,
    authorized: impl Fn(&ToolRoute<S>) -> Vec<Authorize<S>>,
    gate: &Gate,
) -> ToolRouter<S> {
    let mut off = Vec::new();
    #[cfg(feature = "deferred")]
    let has_status_tool = router.has_route(STATUS_TOOL);
    for route in router.map.values_mut() {
        let tool: Arc<str> = route.attr.name.as_ref().into();
        let site = site_of(&tool);
        let name = site.map_or_else(|| Arc::clone(&tool), |site| Arc::from(site.name()));
        let statistics = Registry::global().statistics(&name);
        if name != tool {
            statistics.is_served_as(&tool);
        }
        let is_gated = !schemas::is_ready_made(&route.attr);
        let route_site = route_site(route);
        let authorized = authorized(route);
        let gated = is_gated.then(|| GatedTool::new(&route.attr, route_site));
        if let Some(gated) = &gated {
            gate.router_built();
            if gated.enter(gate) {
                off.push(route.attr.name.clone());
            }
        }
        let hook = Arc::new(Hook {
            statistics,
            name,
            effect: match site.filter(|site| !site.is_guarded()).map(|site| site.policy().effect) {
                None | Some(Effect::Unknown) => annotations::effect(route.attr.annotations.as_ref()),
                Some(said) => said,
            },
            #[cfg(feature = "deferred")]
            deferring: route_site
                .known()
                .filter(|site| site.policy().deferred.is_some())
                .map(|_| DeferringTool { has_output_schema: route.attr.output_schema.is_some(), has_status_tool }),
            limited: site.filter(|site| site.is_limited_by_hook()),
            learned: AtomicU8::new(0),
            explained: explained(&tool),
            tool,
            gated,
        });
        let inner = Arc::clone(&route.call);
        let remembered = Arc::new(Remembered::default());
        let of_route = Arc::clone(&remembered);
        if authorized.is_empty() {
            route.call = Arc::new(move |call| {
                let _ = &of_route;
                hook.clone().serve(inner.clone(), call)
            });
        } else {
            let site = route_site.certain().or(site).filter(|site| site.has_policy());
            let by = Arc::new(Authorizers { by: authorized.clone(), site });
            route.call = Arc::new(move |call| {
                let _ = &of_route;
                hook.clone().serve_authorized(inner.clone(), call, by.clone())
            });
        }
        remembered.remember(route, route_site.certain(), &authorized);
    }
    for tool in off {
        router.disable_route(tool);
    }
    router
}
