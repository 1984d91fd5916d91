//! Levels, switches and features at start: what is wrong with them, and the level that follows the health.

use std::sync::Arc;

use resilient_policy::{FileProblem, GateTables, Located};
use tokio::runtime::Handle as Runtime;

use super::Handle;
use crate::health::Health;
use crate::registry::Registry;
use crate::settings::{DeclaredNames, Overrides};

/// Reports what is wrong with the settings of the gate, once the tools are known. Returns whether the level follows the
/// health.
pub(super) fn check(
    registry: &Registry,
    overrides: &Overrides,
    known: &DeclaredNames,
    health: Option<&Health>,
    problems: &mut Vec<FileProblem>,
) -> bool {
    let tables = registry.check_gate(overrides, known, problems);
    warn_of_unused(&tables, known);
    report_unhooked(&tables, known, problems);
    let Some(Located { value: true, place }) = tables.automatic else { return false };
    let message = match health {
        None => {
            "the level cannot follow the health of the server, which is unknown here; pass it to \
                 `Resilience::health`"
        }
        Some(health) if !health.has_own_checks() => {
            "the level follows your own checks of the health, and there are none; add one with `Health::check`"
        }
        Some(_) if Runtime::try_current().is_err() => {
            "the level follows the health in a Tokio runtime; call `Resilience::start` within one"
        }
        Some(_) => return true,
    };
    problems.push(FileProblem { place, key: "level.automatic".into(), message: message.into() });
    false
}

/// Reports tools that no switch reaches, because their routes have no hook, if the settings switch anything.
fn report_unhooked(tables: &GateTables, known: &DeclaredNames, problems: &mut Vec<FileProblem>) {
    let off = |enabled: &&Located<bool>| !enabled.value;
    let on = |set: &&Located<bool>| set.value;
    let features = tables.features.values().filter_map(|table| table.enabled.as_ref());
    let mut places = tables.tools.values().chain(features).filter(off).map(|enabled| &enabled.place);
    let level = || tables.start.as_ref().map(|start| &start.place);
    let whole = || tables.read_only.iter().chain(&tables.automatic).find(on).map(|set| &set.place);
    let Some(place) = whole().or_else(level).or_else(|| places.next()) else { return };
    problems.extend(known.unhooked.iter().map(|tool| FileProblem {
        place: place.clone(),
        key: String::new(),
        message: format!(
            "no switch and no level reaches the tool `{tool}`, which has no hook; add `#[resilient]` above \
             `#[tool_router]`, or wrap the router with `mcp::instrument`"
        ),
    }));
}

/// Warns of declared features that no tool has.
fn warn_of_unused(tables: &GateTables, known: &DeclaredNames) {
    for (name, table) in &tables.features {
        if !known.hooked.iter().any(|site| site.features().contains(&name.as_str())) {
            let place = table.place.to_string();
            tracing::warn!(event = "config.warning", feature = name, place, "no known tool has this feature");
        }
    }
}

/// Makes the level of a registry follow the health of the server, until the handle is shut down.
pub(super) fn follow(health: Arc<Health>, own: Option<&Arc<Registry>>, handle: &Handle) {
    match own {
        Some(own) => own.follows_health(),
        None => Registry::global().follows_health(),
    }
    let own = own.cloned();
    handle.spawn(async move {
        let registry = own.as_deref().unwrap_or_else(|| Registry::global());
        health.follow(|level| registry.gate.level_by_health(level)).await;
    });
}
