//! A synchronisation: one request for each change, and what happens to conflicts.

use super::{
    client::{Patched, ScenarioApi},
    error::SyncError,
    types::{Change, Conflict, Failed, Field, OnConflict, Reason, SyncResult, SyncScenarios},
};

/// How often a change is sent if the scenario is changed again in between.
const MOST_ROUNDS: usize = 4;

/// Sends the changes one after the other.
///
/// If the service fails in the middle, the call fails, and a later attempt sends all changes again. Each has its own
/// idempotency key, so those that succeeded have no second effect and are not conflicts with themselves.
///
/// # Errors
///
/// If the service fails or cannot be reached. Some of the changes may be written then.
pub async fn synchronise(api: &ScenarioApi, sync: &SyncScenarios) -> Result<SyncResult, SyncError> {
    let SyncScenarios { request_id, on_conflict, changes } = sync;
    let mut result = SyncResult {
        request_id: request_id.clone(),
        successful: Vec::new(),
        failed: Vec::new(),
        conflicts: Vec::new(),
    };
    for change in changes {
        let key = format!("{}.{}", request_id.as_str(), change.id);
        synchronise_one(api, change, *on_conflict, &key, &mut result).await?;
    }
    Ok(result)
}

async fn synchronise_one(
    api: &ScenarioApi,
    change: &Change,
    on_conflict: OnConflict,
    key: &str,
    result: &mut SyncResult,
) -> Result<(), SyncError> {
    let id = change.id;
    let (mut version, mut set) = (change.version, change.set.clone());
    let mut kept: Vec<Field> = Vec::new();
    let mut is_conflict = false;
    for _ in 0..MOST_ROUNDS {
        let (scenario, changed) = match api.patch(id, version, &set, key).await? {
            Patched::Done(scenario) => {
                // What an earlier attempt has merged has this key, so the service repeats that response instead of
                // reporting the conflict.
                if !is_conflict {
                    kept = set.differing_from(&scenario);
                    set = set.without(&kept);
                }
                if is_conflict || !kept.is_empty() {
                    result.conflicts.push(Conflict { id, written: set.names(), kept, scenario: scenario.clone() });
                }
                result.successful.push(scenario);
                return Ok(());
            }
            Patched::NotFound => {
                result.failed.push(Failed { id, reason: Reason::NoSuchScenario });
                return Ok(());
            }
            Patched::Invalid => {
                result.failed.push(Failed { id, reason: Reason::InvalidValue });
                return Ok(());
            }
            Patched::Conflict(conflict) => (conflict.scenario, conflict.changed),
        };
        is_conflict = true;
        let lost = match on_conflict {
            OnConflict::ClientWins => Vec::new(),
            OnConflict::ServerWins => set.names(),
            OnConflict::Merge => set.names().into_iter().filter(|field| changed.contains(field)).collect(),
        };
        version = scenario.version;
        set = set.without(&lost);
        kept.extend(lost);
        kept.sort_unstable();
        if set.names().is_empty() {
            result.conflicts.push(Conflict { id, written: Vec::new(), kept, scenario });
            return Ok(());
        }
    }
    result.failed.push(Failed { id, reason: Reason::ChangedTooOften });
    Ok(())
}
