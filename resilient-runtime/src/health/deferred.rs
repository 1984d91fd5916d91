//! The check of the store of deferred writes.

use std::sync::{Arc, OnceLock};

use serde_json::json;

use super::check::{CheckResult, HealthCheck};
use crate::deferred::{Counts, Deferral, Filter, OnExhausted, State, StoreError};
use crate::registry::Registry;

/// The name of the check.
pub(super) const NAME: &str = "deferred";

/// The number of dead letters that are read from the store at once.
const PAGE: usize = 1_000;

/// The check, which exists once the registry has a store.
pub(super) type DeferredCheck = Arc<OnceLock<Arc<HealthCheck>>>;

/// Returns the check, unless the registry has no store.
pub(super) fn check(registry: &Registry, check: &DeferredCheck) -> Option<Arc<HealthCheck>> {
    let deferral = registry.deferral()?;
    let check = check.get_or_init(|| {
        let is_shared = deferral.store.is_shared();
        let look = move || {
            let deferral = Arc::clone(&deferral);
            async move { look(&deferral).await.unwrap_or_else(|error| unusable(&deferral, &error)) }
        };
        let check = HealthCheck::new(NAME, look);
        // A replica with another store could accept what this one cannot.
        Arc::new(if is_shared { check } else { check.critical() })
    });
    Some(Arc::clone(check))
}

/// Fails, and shows the last counts.
fn unusable(deferral: &Deferral, error: &StoreError) -> CheckResult {
    let kind = error.kind().as_str();
    let last = deferral.last_counts.get();
    let details = last.map(|(counts, at)| {
        let age = deferral.clock.now().since(at);
        json!({ "store": kind, "age_ms": crate::clock::saturating_millis(age), "counts": shown(counts) })
    });
    let message = format!("the store can accept no write: {kind}");
    CheckResult::fail(message).details(details.unwrap_or_else(|| json!({ "store": kind })))
}

async fn look(deferral: &Deferral) -> Result<CheckResult, StoreError> {
    deferral.store.check().await?;
    let counts = deferral.sample().await?;
    let alerts = if counts.dead == 0 { 0 } else { alerts(deferral).await? };
    let live = counts.waiting + counts.running;
    let message = format!("{live} to deliver, {}", dead_letters(counts.dead));
    let result = match alerts {
        0 => CheckResult::pass(message),
        alerts => CheckResult::warn(format!("{message}, of which {alerts} with `on_exhausted = notify`")),
    };
    Ok(result.details(shown(counts)))
}

/// Returns the number of dead letters with `on_exhausted = notify`.
async fn alerts(deferral: &Deferral) -> Result<usize, StoreError> {
    let server = Some(deferral.server.clone());
    let mut filter = Filter { server, state: Some(State::Dead), after: None, limit: PAGE };
    let mut alerts = 0;
    loop {
        let page = deferral.store.list(&filter).await?;
        alerts += page.iter().filter(|entry| entry.policy.on_exhausted == OnExhausted::Notify).count();
        if page.len() < PAGE {
            return Ok(alerts);
        }
        filter.after = page.last().map(|entry| entry.receipt);
    }
}

fn dead_letters(count: u64) -> String {
    format!("{count} {}", if count == 1 { "dead letter" } else { "dead letters" })
}

fn shown(counts: Counts) -> serde_json::Value {
    let by_state = State::ALL.iter().map(|state| (state.as_str().to_owned(), counts.of(*state).into()));
    let mut shown: serde_json::Map<_, serde_json::Value> = by_state.collect();
    shown.insert("interrupted_tries".into(), counts.interrupted.into());
    shown.into()
}
