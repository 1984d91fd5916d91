//! The arguments and results of the tools, and the records of the service.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::schema::plain_numbers;

/// The maximum number of changes in a synchronisation.
const MOST_CHANGES: usize = 20;

/// Arguments of `sync_scenarios`.
///
/// Everything that can be wrong with them is found while they are read, before the call begins. A call that is accepted
/// for later does not run its body, so what the body rejects is found hours later.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = plain_numbers)]
pub struct SyncScenarios {
    /// A new id for each synchronisation, such as a UUID. If you send a synchronisation again, send the same id.
    pub request_id: RequestId,
    /// What to do with a change of a scenario that was changed at the service as well.
    pub on_conflict: OnConflict,
    /// The changes, 1 to 20, at most one for each scenario.
    #[serde(deserialize_with = "changes")]
    #[schemars(length(min = 1, max = MOST_CHANGES))]
    pub changes: Vec<Change>,
}

/// The id of a synchronisation, which is its idempotency key: 1 to 64 letters, digits, `-` and `_`.
// The characters are those that a header can contain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct RequestId(#[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_-]+$"))] String);

impl RequestId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RequestId {
    type Error = String;

    fn try_from(id: String) -> Result<Self, String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if (1..=64).contains(&id.len()) && id.bytes().all(fits) {
            Ok(Self(id))
        } else {
            Err("expected 1 to 64 letters, digits, `-` or `_`".to_owned())
        }
    }
}

/// What to do with a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Write the change; it replaces what the service has.
    ClientWins,
    /// Keep what the service has.
    ServerWins,
    /// Write the fields that only the change has, and keep those that were also changed at the service.
    Merge,
}

/// A change of one scenario.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = plain_numbers)]
pub struct Change {
    /// The scenario's id.
    pub id: u64,
    /// The version that the change is based on, from `list_scenarios`.
    pub version: u64,
    /// The new values.
    pub set: Fields,
}

/// The fields of a scenario that can be changed. A missing one stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = plain_numbers)]
pub struct Fields {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether its schedule is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The minutes between two runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_minutes: Option<u32>,
}

impl Fields {
    /// The names of the fields that have a value.
    #[must_use]
    pub fn names(&self) -> Vec<Field> {
        let values = [self.name.is_some(), self.enabled.is_some(), self.interval_minutes.is_some()];
        Field::ALL.into_iter().zip(values).filter(|(_, has_value)| *has_value).map(|(field, _)| field).collect()
    }

    /// The names of the fields that have another value in the scenario.
    #[must_use]
    pub fn differing_from(&self, scenario: &Scenario) -> Vec<Field> {
        let differ = [
            self.name.as_ref().is_some_and(|name| *name != scenario.name),
            self.enabled.is_some_and(|enabled| enabled != scenario.enabled),
            self.interval_minutes.is_some_and(|minutes| minutes != scenario.interval_minutes),
        ];
        Field::ALL.into_iter().zip(differ).filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
    }

    /// The same values without those of the given fields.
    #[must_use]
    pub fn without(mut self, fields: &[Field]) -> Self {
        for field in fields {
            match field {
                Field::Name => self.name = None,
                Field::Enabled => self.enabled = None,
                Field::IntervalMinutes => self.interval_minutes = None,
            }
        }
        self
    }
}

/// The name of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// [`Fields::name`].
    Name,
    /// [`Fields::enabled`].
    Enabled,
    /// [`Fields::interval_minutes`].
    IntervalMinutes,
}

impl Field {
    const ALL: [Self; 3] = [Self::Name, Self::Enabled, Self::IntervalMinutes];
}

/// The scenarios of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scenarios {
    /// In the order of their ids.
    pub scenarios: Vec<Scenario>,
}

/// A scenario as the service has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
pub struct Scenario {
    /// Its id.
    pub id: u64,
    /// The number of its changes.
    pub version: u64,
    /// Its name.
    pub name: String,
    /// Whether its schedule is on.
    pub enabled: bool,
    /// The minutes between two runs.
    pub interval_minutes: u32,
}

/// What a synchronisation did. A change is in `successful` if any of it was written, and in `failed` if the service
/// rejects it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
pub struct SyncResult {
    /// The id of the synchronisation.
    pub request_id: RequestId,
    /// The scenarios that have a change now, as the service has them.
    pub successful: Vec<Scenario>,
    /// The changes that the service rejects. Nothing of them was written.
    pub failed: Vec<Failed>,
    /// The changes of scenarios that were changed at the service as well.
    pub conflicts: Vec<Conflict>,
}

/// A change that the service rejects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
pub struct Failed {
    /// The scenario's id.
    pub id: u64,
    /// Why.
    pub reason: Reason,
}

/// Why the service rejects a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is no scenario with this id.
    NoSuchScenario,
    /// A value is not allowed.
    InvalidValue,
    /// It was changed again and again at the same time.
    ChangedTooOften,
}

/// A change of a scenario that was changed at the service as well. A conflict is not listed if an earlier attempt of the
/// same synchronisation has resolved it by writing all fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
pub struct Conflict {
    /// The scenario's id.
    pub id: u64,
    /// The fields of the change that were written.
    pub written: Vec<Field>,
    /// The fields of the change that were not written: the service's values were kept.
    pub kept: Vec<Field>,
    /// The scenario as the service has it now.
    pub scenario: Scenario,
}

fn changes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Change>, D::Error> {
    let changes = Vec::<Change>::deserialize(deserializer)?;
    if !(1..=MOST_CHANGES).contains(&changes.len()) {
        return Err(D::Error::custom(format!("expected 1 to {MOST_CHANGES} changes")));
    }
    let mut ids: Vec<_> = changes.iter().map(|change| change.id).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => Err(D::Error::custom(format!("expected one change for each scenario; {} has two", twice[0]))),
        None => Ok(changes),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(request_id: &str, changes: &Value) -> Result<SyncScenarios, serde_json::Error> {
        serde_json::from_value(json!({ "request_id": request_id, "on_conflict": "merge", "changes": changes }))
    }

    #[test]
    fn arguments_that_no_attempt_could_carry_out_are_not_read() {
        let change = |id: u64| json!({ "id": id, "version": 1, "set": { "name": "x" } });
        assert!(read("a-1_B", &json!([change(1), change(2)])).is_ok());
        for id in ["", "a b", "é", &"a".repeat(65)] {
            assert!(read(id, &json!([change(1)])).is_err(), "{id}");
        }
        let many: Vec<_> = (1..=21).map(change).collect();
        for changes in [json!([]), json!(many), json!([change(1), change(2), change(1)])] {
            assert!(read("a", &changes).is_err(), "{changes}");
        }
    }

    #[test]
    fn fields_are_removed_by_name() {
        let all = Fields { name: Some("x".to_owned()), enabled: Some(true), interval_minutes: Some(5) };
        assert_eq!(all.names(), Field::ALL);
        let rest = all.without(&[Field::Name, Field::IntervalMinutes]);
        assert_eq!(rest, Fields { enabled: Some(true), ..Fields::default() });
        assert_eq!(rest.names(), [Field::Enabled]);
    }
}
