//! The calls of the demo, and the expected responses of the upstream.

use rmcp::model::{CallToolRequestParams, JsonObject};
use serde_json::Value;

use crate::upstream::data;

/// The limit of every listing, larger than any team.
const LIMIT: u64 = 10;

/// One call of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    ListScenarios { team: u64 },
    GetScenario { id: u64 },
    ListConnections { team: u64 },
    RunScenario { id: u64 },
}

impl Call {
    /// The `number`-th call of the run. Every tenth runs a scenario, the others read. The reads repeat after
    /// [`Call::READS`], so that the healthy phase makes every read of the later phases.
    pub(super) fn nth(number: u64) -> Self {
        let team = |number| 1 + number % 4;
        if number % 10 == 9 {
            return Self::RunScenario { id: team(number / 10) * 100 + 1 };
        }
        let read = (number - number / 10) % Self::READS;
        match read {
            0..4 => Self::ListScenarios { team: team(read) },
            4..8 => Self::ListConnections { team: team(read) },
            _ => Self::GetScenario { id: team(read) * 100 + read - 7 },
        }
    }

    /// The number of different reads.
    pub(super) const READS: u64 = 13;

    /// Whether the call changes nothing.
    pub(super) const fn reads(self) -> bool {
        !matches!(self, Self::RunScenario { .. })
    }

    /// The parameters of the MCP request.
    pub(super) fn request(self) -> CallToolRequestParams {
        let (tool, arguments): (_, &[(&str, u64)]) = match self {
            Self::ListScenarios { team } => ("list_scenarios", &[("team_id", team), ("limit", LIMIT)]),
            Self::GetScenario { id } => ("get_scenario", &[("id", id)]),
            Self::ListConnections { team } => ("list_connections", &[("team_id", team)]),
            Self::RunScenario { id } => ("run_scenario", &[("id", id)]),
        };
        let arguments: JsonObject = arguments.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect();
        CallToolRequestParams::new(tool).with_arguments(arguments)
    }

    /// The upstream's response to a read at a revision. `None` for a run, whose response is new each time.
    pub(super) fn truth(self, revision: u64) -> Option<Value> {
        match self {
            Self::ListScenarios { team } => Some(data::scenarios(team, LIMIT, revision)),
            Self::GetScenario { id } => data::scenario(id, revision).map(|mut answer| answer["scenario"].take()),
            Self::ListConnections { team } => Some(data::connections(team, revision)),
            Self::RunScenario { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::data::TEAMS;

    #[test]
    fn one_call_in_ten_runs_a_scenario() {
        let calls: Vec<Call> = (0..100).map(Call::nth).collect();
        assert_eq!(calls.iter().filter(|call| !call.reads()).count(), 10);
    }

    #[test]
    fn the_first_calls_ask_for_everything() {
        let mut first: Vec<Call> = (0..20).map(Call::nth).filter(|call| call.reads()).collect();
        first.dedup();
        for later in (20..400).map(Call::nth).filter(|call| call.reads()) {
            assert!(first.contains(&later), "{later:?}");
        }
    }

    #[test]
    fn every_call_is_about_something_that_exists() {
        for call in (0..400).map(Call::nth) {
            match call {
                Call::GetScenario { id } | Call::RunScenario { id } => assert!(data::exists(id), "{call:?}"),
                Call::ListScenarios { team } | Call::ListConnections { team } => assert!(TEAMS.contains(&team)),
            }
            assert_eq!(call.truth(3).is_some(), call.reads());
        }
    }
}
