//! What the gate needs to know of the tool of a route.

use std::sync::Arc;

use resilient_policy::Effect;
use rmcp::model::Tool;

use super::annotations;
use crate::context::CallContext;
use crate::error::Refusal;
use crate::gate::{Gate, Gated, InFlight};
use crate::registry::Registry;
use crate::site::Site;

/// The record of the tool of a route, as far as it is known.
#[derive(Clone, Copy)]
pub(super) enum RouteSite {
    /// The route is the function with this record.
    Certain(&'static Site),
    /// There is a function with this record and the name of the route, but the route may be another one.
    ByName(&'static Site),
    /// There is no record.
    Unknown,
}

/// A tool that is gated.
pub(super) struct GatedTool {
    tool: Arc<str>,
    /// The name of its policy.
    policy: Arc<str>,
    pub(super) effect: Effect,
    features: &'static [&'static str],
    is_critical: bool,
    /// The guarded function that can apply a refusal.
    pub(super) applied_by: Option<&'static Site>,
}

impl GatedTool {
    pub(super) fn new(tool: &Tool, site: RouteSite) -> Self {
        let annotated = annotations::effect(tool.annotations.as_ref());
        let (known, effect, certain) = match site {
            RouteSite::Certain(site) => match site.policy().effect {
                Effect::Unknown => (Some(site), annotated, Some(site)),
                effect => (Some(site), effect, Some(site)),
            },
            // It reads if the route and the function of its name both say so.
            RouteSite::ByName(site) if site.policy().effect == Effect::ReadOnly => (Some(site), annotated, None),
            RouteSite::ByName(site) => (Some(site), Effect::Unknown, None),
            RouteSite::Unknown => (None, annotated, None),
        };
        Self {
            tool: tool.name.as_ref().into(),
            policy: known.map_or_else(|| tool.name.as_ref().into(), |site| site.name().into()),
            effect,
            features: known.map_or(&[], Site::features),
            is_critical: certain.is_some_and(Site::is_critical),
            applied_by: certain.filter(|site| site.is_guarded()),
        }
    }

    pub(super) fn facts(&self) -> Gated<'_> {
        Gated {
            names: [&self.tool, &self.policy],
            features: self.features,
            reads: self.effect == Effect::ReadOnly,
            is_critical: self.is_critical,
        }
    }

    /// Requests a decision about a call.
    pub(super) fn admit(&self) -> Result<Option<InFlight>, Refusal> {
        let context = CallContext::current();
        let outer = context.as_ref().and_then(CallContext::request);
        let is_nested = outer.is_some_and(|request| request.is_hooked);
        Registry::here(|registry| registry.gate().admit(&self.facts(), is_nested))
    }

    /// Makes the tool known, and returns whether the settings at start turn it off.
    pub(super) fn enter(&self, gate: &Gate) -> bool {
        let facts = self.facts();
        Gate::knows(&facts);
        gate.is_off_at_start(&facts)
    }
}
