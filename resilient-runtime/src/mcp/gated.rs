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

impl RouteSite {
    /// Returns the record of a function with the name of the route.
    pub(super) const fn known(self) -> Option<&'static Site> {
        match self {
            Self::Certain(site) | Self::ByName(site) => Some(site),
            Self::Unknown => None,
        }
    }

    /// Returns the record of the function that the route is certain to be.
    pub(super) const fn certain(self) -> Option<&'static Site> {
        match self {
            Self::Certain(site) => Some(site),
            Self::ByName(_) | Self::Unknown => None,
        }
    }
}

/// A tool that is gated.
pub(super) struct GatedTool {
    tool: Arc<str>,
    /// The name of its policy.
    policy: Arc<str>,
    pub(super) effect: Effect,
    /// Whether it may be one that only reads, although its effect is not known.
    may_read: bool,
    features: &'static [&'static str],
    is_critical: bool,
    /// The guarded function that can apply a refusal.
    pub(super) applied_by: Option<&'static Site>,
}

impl GatedTool {
    pub(super) fn new(tool: &Tool, site: RouteSite) -> Self {
        let annotated = annotations::effect(tool.annotations.as_ref());
        let certain = site.certain();
        let known = site.known();
        let of_function = known.map_or(Effect::Unknown, |site| site.policy().effect);
        let effect = match (site, of_function) {
            // By its name alone, it only reads if the route and the function both say so.
            (RouteSite::Certain(_), Effect::Unknown)
            | (RouteSite::ByName(_), Effect::ReadOnly)
            | (RouteSite::Unknown, _) => annotated,
            (RouteSite::Certain(_), effect) => effect,
            (RouteSite::ByName(_), _) => Effect::Unknown,
        };
        if let Some(site) = certain {
            site.serves_route(effect);
        }
        Self {
            tool: tool.name.as_ref().into(),
            policy: known.map_or_else(|| tool.name.as_ref().into(), |site| site.name().into()),
            effect,
            // A read that is not certain is none in read-only mode, and one while only kept answers are served.
            may_read: match certain {
                Some(_) => effect == Effect::ReadOnly,
                None => annotated == Effect::ReadOnly || of_function == Effect::ReadOnly,
            },
            features: known.map_or(&[], Site::features),
            is_critical: certain.is_some_and(Site::is_critical),
            // A route under another name is not claimed by the function.
            applied_by: certain.filter(|site| site.is_guarded() && site.tool() == Some(&*tool.name)),
        }
    }

    pub(super) fn facts(&self) -> Gated<'_> {
        Gated {
            names: [&self.tool, &self.policy],
            features: self.features,
            writes: self.effect != Effect::ReadOnly,
            reads: self.may_read,
            is_critical: self.is_critical,
        }
    }

    /// Requests a decision about a call.
    pub(super) fn admit(&self) -> Result<Option<InFlight>, Refusal> {
        let context = CallContext::current();
        let outer = context.as_ref().and_then(CallContext::request);
        // A task may outlive the call that has spawned it.
        let is_nested = outer.is_some_and(|request| request.is_of_hook() && request.is_running());
        Registry::here(|registry| registry.gate().admit(&self.facts(), is_nested))
    }

    /// Makes the tool known, and returns whether the settings at start turn it off.
    pub(super) fn enter(&self, gate: &Gate) -> bool {
        let facts = self.facts();
        Gate::knows(&facts);
        gate.is_off_at_start(&facts)
    }
}
