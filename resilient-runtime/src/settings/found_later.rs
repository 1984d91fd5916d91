//! Settings of tools that are found later: a client or a proxy learns them from other servers.

use std::collections::BTreeSet;

use resilient_policy::{BreakerTable, FileProblem, For, Policy};

use super::function::Function;
use super::overrides::Overrides;
use super::variable::{Section, Variable};

impl Overrides {
    /// Checks the settings of tools that are not `known` yet, each with every policy that such a tool may begin with. A
    /// rule has to hold for all of these policies; a key only has to exist in one of them.
    pub(super) fn check_found_later(&self, bases: &[Policy], known: &[&str], problems: &mut Vec<FileProblem>) {
        let in_file = self
            .file
            .tools
            .iter()
            .filter(|(name, table)| table.any_place().is_some() && !known.contains(&name.as_str()));
        let mut names: BTreeSet<String> = in_file.map(|(name, _)| name.clone()).collect();
        let is_of_known = |variable: &&Variable| {
            variable.section == Section::Tool && known.iter().any(|name| variable.keys_for(name).is_some())
        };
        for variable in self.variables.iter().filter(|variable| !is_of_known(variable)) {
            match (variable.section, variable.name_found_later()) {
                (Section::Tool | Section::Breaker, Err(problem)) => problems.push(problem),
                (Section::Tool, Ok(name)) => {
                    names.insert(name);
                }
                (Section::Breaker, Ok(name)) => {
                    let keys = variable.keys_for(&name).unwrap_or_default();
                    let mut found = BreakerTable::of_variable(&variable.name, &keys, &variable.value).1;
                    found.retain(|problem| !problems.contains(problem));
                    problems.extend(found);
                }
                _ => {}
            }
        }
        let mut found: Vec<FileProblem> = Vec::new();
        for tool in std::iter::once(None).chain(names.iter().map(|name| Some(name.as_str()))) {
            for problem in self.check_with(bases, tool) {
                // What is wrong with the defaults is reported once.
                if !found.iter().any(|known| known.place == problem.place && known.message == problem.message) {
                    found.push(problem);
                }
            }
        }
        // What is wrong with a value by itself was reported when it was read.
        found.retain(|problem| !problems.iter().any(|known| known.place == problem.place));
        problems.extend(found);
    }

    fn check_with(&self, bases: &[Policy], tool: Option<&str>) -> Vec<FileProblem> {
        let check = |base: &Policy, of_tool| {
            let mut found = Vec::new();
            let _ = self.policy_of(&Function::found_later(tool, base, of_tool), &mut found);
            found
        };
        let mut found = Vec::new();
        let mut lacking: Option<Vec<FileProblem>> = None;
        for base in bases {
            let rules = check(base, For::Many);
            let mut missing = check(base, For::OneFunction);
            missing
                .retain(|problem| !rules.contains(problem) && lacking.as_ref().is_none_or(|it| it.contains(problem)));
            lacking = Some(missing);
            found.extend(rules);
        }
        found.extend(lacking.unwrap_or_default());
        found
    }
}
