//! The arguments and results of the tools. Results use Make's names, so that its documentation applies.
//!
//! Results contain only fields that help to decide what to do next. Unknown fields are ignored and missing ones
//! accepted, because plans, zones and versions of Make differ.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::plain_numbers;

/// Arguments of `list_scenarios`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = plain_numbers)]
pub struct ListScenarios {
    /// The team whose scenarios are listed: the number in the address of the team's page in Make.
    pub team_id: u64,
    /// How many scenarios at most, 1 to 100.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 100))]
    pub limit: u32,
}

/// Arguments of `get_scenario`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = plain_numbers)]
pub struct GetScenario {
    /// The scenario's id, as `list_scenarios` gives it.
    pub id: u64,
}

/// Arguments of `run_scenario`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = plain_numbers)]
pub struct RunScenario {
    /// The scenario's id, as `list_scenarios` gives it. The scenario must be active.
    pub id: u64,
    /// A new id for this run, such as a UUID. With it, a run that Make cannot start now is tried for up to an hour. If you
    /// ask for the same run again, send the same id.
    #[serde(default)]
    pub idempotency_key: Option<RunKey>,
}

/// The idempotency key of a run or of an event: 1 to 64 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct RunKey(#[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_-]+$"))] String);

impl RunKey {
    /// The key itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// A run that is accepted for later does not reach the body of the tool, so the key is checked before.
impl TryFrom<String> for RunKey {
    type Error = String;

    fn try_from(key: String) -> Result<Self, String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if (1..=64).contains(&key.len()) && key.bytes().all(fits) {
            Ok(Self(key))
        } else {
            Err("expected 1 to 64 letters, digits, `-` or `_`".to_owned())
        }
    }
}

/// Arguments of `list_connections`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = plain_numbers)]
pub struct ListConnections {
    /// The team whose connections are listed.
    pub team_id: u64,
}

/// The scenarios of a team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scenarios {
    /// In the order that Make gives them.
    pub scenarios: Vec<Scenario>,
}

/// A scenario: an automation in Make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = plain_numbers)]
pub struct Scenario {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The team that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_id: Option<u64>,
    /// The folder it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder_id: Option<u64>,
    /// What its author says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether its schedule is on; only an active scenario can be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// Whether it is paused because of the subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_paused: Option<bool>,
    /// Whether it was stopped because of an error.
    #[serde(rename = "isinvalid", skip_serializing_if = "Option::is_none")]
    pub is_invalid: Option<bool>,
    /// When it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<Scheduling>,
    /// When it runs next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_exec: Option<String>,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_edit: Option<String>,
    /// The number of executions that wait until an error is resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dlq_count: Option<u64>,
    /// Operations used in the current period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations: Option<u64>,
    /// The apps it uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_packages: Vec<String>,
}

/// When a scenario runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
pub struct Scheduling {
    /// `indefinitely` (every `interval` seconds), `on-demand`, `immediately`, `daily`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Seconds between two runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<u64>,
}

/// A run that Make has accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Names the run in the scenario's history.
    pub execution_id: String,
    /// How it ended, where Make waited for the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// The connections of a team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connections {
    /// In the order that Make gives them.
    pub connections: Vec<Connection>,
}

/// A connection: an account at some other service that scenarios may use. What it is connected to, never with which
/// credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = plain_numbers)]
pub struct Connection {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The service's technical name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
    /// The service's name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_label: Option<String>,
    /// `oauth` or `basic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_type: Option<String>,
    /// The team that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_id: Option<u64>,
    /// When it expires unless it is renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire: Option<String>,
    /// Whether its parameters can be edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub editable: Option<bool>,
}

const fn default_limit() -> u32 {
    20
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_scenario_in_makes_words() {
        // As in Make's documentation, with unknown fields and null fields.
        let scenario: Scenario = serde_json::from_value(json!({
            "id": 925, "name": "New scenario", "teamId": 215, "hookId": null, "concept": false, "description": "",
            "folderId": null, "isinvalid": true, "islinked": false, "isActive": true, "isPaused": false,
            "usedPackages": ["builtin"], "lastEdit": "2021-09-22T06:40:56.692Z",
            "scheduling": { "type": "indefinitely", "interval": 900 }, "iswaiting": false, "dlqCount": 2,
            "createdByUser": { "id": 1, "name": "x", "email": "y" }, "nextExec": "2021-09-22T07:11:40Z", "operations": 5748
        }))
        .unwrap();
        assert_eq!((scenario.id, scenario.team_id, scenario.folder_id), (925, Some(215), None));
        assert_eq!((scenario.is_active, scenario.is_invalid, scenario.dlq_count), (Some(true), Some(true), Some(2)));
        let scheduling = Scheduling { kind: "indefinitely".to_owned(), interval: Some(900) };
        assert_eq!(scenario.scheduling, Some(scheduling));
        assert_eq!(scenario.next_exec.as_deref(), Some("2021-09-22T07:11:40Z"));
    }

    #[test]
    fn id_and_name_are_enough() {
        let scenario: Scenario = serde_json::from_value(json!({ "id": 1, "name": "x" })).unwrap();
        assert_eq!(serde_json::to_value(scenario).unwrap(), json!({ "id": 1, "name": "x" }));
        let connection: Connection = serde_json::from_value(json!({ "id": 1, "name": "x" })).unwrap();
        assert_eq!(connection.account_type, None);
        let execution: Execution = serde_json::from_value(json!({ "executionId": "9c48" })).unwrap();
        assert_eq!(execution.status, None);
    }

    #[test]
    fn the_key_of_a_run_is_optional_and_short() {
        let read = |arguments| serde_json::from_value::<RunScenario>(arguments);
        assert_eq!(read(json!({ "id": 1 })).unwrap().idempotency_key, None);
        let key = read(json!({ "id": 1, "idempotency_key": "a-1_B" })).unwrap().idempotency_key;
        assert_eq!(serde_json::to_value(key).unwrap(), "a-1_B");
        for wrong in ["", "a b", "é", &"a".repeat(65)] {
            assert!(read(json!({ "id": 1, "idempotency_key": wrong })).is_err(), "{wrong}");
        }
    }

    #[test]
    fn arguments_that_nobody_knows_are_refused() {
        assert!(serde_json::from_value::<ListScenarios>(json!({ "team_id": 1, "offset": 3 })).is_err());
        let arguments: ListScenarios = serde_json::from_value(json!({ "team_id": 1 })).unwrap();
        assert_eq!(arguments.limit, 20);
    }
}
