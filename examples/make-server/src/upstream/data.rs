//! The data of the upstream: teams, scenarios and connections, as JSON of Make's API v2.
//!
//! All data are a function of ids and of a revision that grows with each change of phase. So a test can compute the
//! expected response for any time, and an old response differs from a fresh one.

use serde_json::{Value, json};

/// The existing teams.
pub const TEAMS: std::ops::RangeInclusive<u64> = 1..=4;

/// Scenarios in each team.
const SCENARIOS: u64 = 6;

/// `GET /scenarios?teamId=…`: nothing for an unknown team, as a filter would.
#[must_use]
pub fn scenarios(team: u64, limit: u64, revision: u64) -> Value {
    let ids = scenario_ids(team).take(usize::try_from(limit).unwrap_or(usize::MAX));
    let scenarios: Vec<Value> = ids.map(|id| scenario_fields(id, revision)).collect();
    json!({
        "scenarios": scenarios,
        "pg": { "sortBy": "proprietal", "sortDir": "desc", "limit": limit, "offset": 0, "returnTotalCount": false },
    })
}

/// `GET /scenarios/{id}`, if there is one.
#[must_use]
pub fn scenario(id: u64, revision: u64) -> Option<Value> {
    exists(id).then(|| json!({ "scenario": scenario_fields(id, revision) }))
}

/// `GET /connections?teamId=…`.
#[must_use]
pub fn connections(team: u64, revision: u64) -> Value {
    let known = TEAMS.contains(&team);
    let kinds = [("google", "Google", "oauth"), ("airtable2", "Airtable", "basic"), ("slack2", "Slack", "oauth")];
    let connections: Vec<Value> = kinds
        .into_iter()
        .zip(1_u64..)
        .filter(|_| known)
        .map(|((name, label, kind), number)| {
            json!({
                "id": team * 10 + number,
                "name": format!("{label} of team {team}"),
                "accountName": name,
                "accountLabel": label,
                "packageName": null,
                // Each revision refreshes the OAuth grant.
                "expire": (kind == "oauth").then(|| format!("2027-01-01T00:{:02}:00.000Z", revision % 60)),
                "metadata": { "type": "email", "value": "somebody@example.com" },
                "teamId": team,
                "theme": "#18bfff",
                "upgradeable": false,
                "scopesCnt": number,
                "scoped": true,
                "accountType": kind,
                "editable": kind == "basic",
                "uid": null,
            })
        })
        .collect();
    json!({ "connections": connections })
}

/// The response to the `number`-th executed `POST /scenarios/{id}/run`.
#[must_use]
pub fn execution_id(scenario: u64, number: u64) -> String {
    let mut rng = fastrand::Rng::with_seed(scenario << 32 ^ number);
    format!("{:016x}{:016x}", rng.u64(..), rng.u64(..))
}

/// Whether the scenario exists.
#[must_use]
pub fn exists(id: u64) -> bool {
    TEAMS.contains(&(id / 100)) && (1..=SCENARIOS).contains(&(id % 100))
}

/// The scenarios of a team, newest first.
pub fn scenario_ids(team: u64) -> impl Iterator<Item = u64> {
    (1..=SCENARIOS).rev().filter(move |_| TEAMS.contains(&team)).map(move |number| team * 100 + number)
}

fn scenario_fields(id: u64, revision: u64) -> Value {
    let (team, number) = (id / 100, id % 100);
    let interval = 900 * number;
    json!({
        "id": id,
        "name": format!("Scenario {number} of team {team}"),
        "teamId": team,
        "hookId": null,
        "deviceId": null,
        "concept": false,
        "description": "",
        "folderId": if number % 2 == 0 { Some(team) } else { None },
        "isinvalid": false,
        "islinked": true,
        "isActive": true,
        "islocked": false,
        "isPaused": false,
        "usedPackages": ["gateway", "google-sheets"],
        "lastEdit": "2026-10-13T13:27:45.109Z",
        "scheduling": { "type": "indefinitely", "interval": interval },
        "iswaiting": false,
        "dlqCount": 0,
        "createdByUser": { "id": 11, "name": "Somebody", "email": "somebody@example.com" },
        "nextExec": format!("2026-12-01T08:{:02}:00.000Z", revision % 60),
        "operations": number * 1_000 + revision,
        "transfer": 40_236,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_revisions_differ_everywhere() {
        assert_ne!(scenarios(1, 10, 0), scenarios(1, 10, 1));
        assert_ne!(scenario(101, 0), scenario(101, 1));
        assert_ne!(connections(1, 0), connections(1, 1));
        assert_eq!(scenarios(1, 10, 3), scenarios(1, 10, 3));
    }

    #[test]
    fn unknown_things_do_not_exist() {
        assert_eq!(scenario(999, 0), None);
        assert_eq!(scenario(107, 0), None);
        assert_eq!(scenarios(9, 10, 0)["scenarios"], json!([]));
        assert_eq!(connections(9, 0)["connections"], json!([]));
    }

    #[test]
    fn the_limit_is_kept() {
        assert_eq!(scenarios(2, 3, 0)["scenarios"].as_array().unwrap().len(), 3);
        assert_eq!(scenarios(2, 50, 0)["scenarios"].as_array().unwrap().len(), 6);
    }
}
