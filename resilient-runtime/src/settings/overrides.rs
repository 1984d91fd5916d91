//! Overrides of the policies and breakers of one registry, from the file and variables.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use resilient_policy::{
    BreakerSettings, BreakerTable, File, FileProblem, For, Policy, Problem, SourceLocations as Places, Table, check,
    check_breaker, check_breaker_for, tune, tune_breaker,
};

use super::function::{Function, fitted};
use super::switches::GateVariables;
use super::variable::{Section, Variable};
use super::variables::Variables;
use crate::site::Site;

/// The contents of the file and the variables, as far as they are readable.
#[derive(Debug)]
pub(crate) struct Overrides {
    pub(super) file: File,
    pub(super) variables: Arc<[Variable]>,
    disabled: bool,
    pub(super) gate: Arc<GateVariables>,
    /// Whether the start was refused. If so, everything that is bound later uses the compiled settings.
    refused: AtomicBool,
}

/// An effective policy.
pub(crate) struct EffectivePolicy {
    pub(crate) policy: Policy,
    /// Whether a `static` breaker in the code stays in effect.
    pub(crate) keeps_static: bool,
}

impl Overrides {
    pub(crate) fn new(file: File, variables: Variables) -> Self {
        let Variables { all, disabled, gate, .. } = variables;
        Self { file, variables: all.into(), disabled, gate: Arc::new(gate), refused: AtomicBool::new(false) }
    }

    /// Returns the overrides with the same variables, and with the contents of another file.
    pub(crate) fn with_file(&self, file: File) -> Self {
        let (variables, gate) = (Arc::clone(&self.variables), Arc::clone(&self.gate));
        Self { file, variables, disabled: self.disabled, gate, refused: AtomicBool::new(false) }
    }

    /// Returns whether the policies and breakers are the same with another file.
    pub(crate) fn have_policies_of(&self, other: &Self) -> bool {
        self.file.sets_policies_of(&other.file)
    }

    pub(crate) fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    pub(crate) fn are_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Returns whether the overrides could change anything.
    pub(crate) fn are_there(&self) -> bool {
        self.change_policies() || !self.gate.is_empty() || !self.file.gate.is_empty()
    }

    /// Returns whether the overrides could change any policy.
    pub(crate) fn change_policies(&self) -> bool {
        let File { default, profiles, breakers, tools, gate: _ } = &self.file;
        let in_file = *default != Table::default() || !(profiles.is_empty() && breakers.is_empty() && tools.is_empty());
        in_file || self.disabled || !self.variables.is_empty()
    }

    /// Returns the effective policy of a function. If an override breaks a rule, adds the problem and returns the
    /// compiled policy.
    pub(crate) fn policy(&self, site: &Site, problems: &mut Vec<FileProblem>) -> EffectivePolicy {
        let mut policy = self.policy_of(&Function::of(site), problems);
        let keeps_static = policy.breaker.is_some();
        if site.breaker.is_some() {
            policy.breaker = site.policy().breaker;
        }
        EffectivePolicy { policy, keeps_static }
    }

    /// Returns the effective policy, with a `static` breaker like any other.
    pub(super) fn policy_of(&self, function: &Function<'_>, problems: &mut Vec<FileProblem>) -> Policy {
        let compiled = function.policy;
        let before = problems.len();
        let mut policy = compiled;
        let tables = self.tables(function, problems);
        for (table, whom) in &tables {
            let found = tune(&mut policy, &compiled, table, *whom);
            problems.extend(found.into_iter().map(|problem| function.placed(problem, &[&table.places], None)));
        }
        if let Some(breaker) = &mut policy.breaker
            && let Some(settings) = &mut breaker.settings
        {
            // Problems are reported where the breaker is created.
            *settings = self.breaker(breaker.name, *settings, &mut Vec::new());
        }
        if policy != compiled && problems.len() == before {
            let breaker = policy.breaker.map(|breaker| breaker.name).unwrap_or_default();
            let of_breaker = self.breaker_tables(breaker, &mut Vec::new());
            let places: Vec<&Places> = tables.iter().rev().map(|(table, _)| &table.places).collect();
            let places: Vec<&Places> = places.into_iter().chain(of_breaker.iter().map(|table| &table.places)).collect();
            // A rule between two settings is reported at the one that was changed.
            let changed = tables.iter().rev().find_map(|(table, _)| table.any_place());
            let changed = changed.or_else(|| of_breaker.last().map(|table| &table.place));
            if function.is_fitted {
                policy = fitted(&policy, |path| places.iter().any(|places| places.under(path).next().is_some()));
            }
            problems.extend(check(&policy).into_iter().map(|problem| function.placed(problem, &places, changed)));
        }
        if problems.len() > before {
            policy = compiled;
        }
        if self.disabled {
            policy.timeout = Duration::MAX;
            policy.attempt_timeout = None;
            policy.retry = None;
            policy.breaker = None;
            policy.bulkhead = None;
            policy.rate_limit = None;
        }
        if policy.breaker.is_some_and(|breaker| self.is_disabled(breaker.name)) {
            policy.breaker = None;
        }
        policy
    }

    /// Checks the rules between a policy and the settings of its breaker, if either was changed.
    pub(crate) fn suits(&self, site: &Site, policy: &Policy, settings: &BreakerSettings) -> Vec<FileProblem> {
        let name = site.breaker.map(crate::Breaker::name).or(policy.breaker.map(|breaker| breaker.name));
        let of_breaker = self.breaker_tables(name.unwrap_or_default(), &mut Vec::new());
        let function = Function::of(site);
        let tables = self.tables(&function, &mut Vec::new());
        let changed = of_breaker.last().map(|table| &table.place);
        let changed = changed.or_else(|| tables.iter().rev().find_map(|(table, _)| table.any_place()));
        if changed.is_none() {
            return Vec::new();
        }
        let places: Vec<&Places> = of_breaker.iter().rev().map(|table| &table.places).collect();
        let found = check_breaker_for(policy, settings);
        found.into_iter().map(|problem| function.placed(problem, &places, changed)).collect()
    }

    /// Returns whether the breaker of this name is disabled.
    pub(crate) fn is_disabled(&self, breaker: &str) -> bool {
        let tables = self.breaker_tables(breaker, &mut Vec::new());
        self.disabled || tables.iter().filter_map(|table| table.enabled).next_back() == Some(false)
    }

    /// Returns the effective settings of a breaker. If an override breaks a rule, adds the problem and returns the
    /// compiled settings.
    pub(crate) fn breaker(
        &self,
        name: &str,
        compiled: BreakerSettings,
        problems: &mut Vec<FileProblem>,
    ) -> BreakerSettings {
        let mut settings = compiled;
        let before = problems.len();
        let tables = self.breaker_tables(name, problems);
        let places: Vec<_> = tables.iter().rev().map(|table| &table.places).collect();
        for table in &tables {
            let found = tune_breaker(&mut settings, &table.parts);
            problems.extend(found.into_iter().map(|problem| of_breaker(problem, &places, table, name)));
        }
        if let Some(last) = tables.last()
            && settings != compiled
            && problems.len() == before
        {
            let found = check_breaker(name, Some(&settings));
            problems.extend(found.into_iter().map(|problem| of_breaker(problem, &places, last, name)));
        }
        if problems.len() > before { compiled } else { settings }
    }

    /// Returns whether any override changes the settings of a breaker, other than `enabled`.
    pub(crate) fn tunes_breaker(&self, name: &str) -> bool {
        let tables = self.breaker_tables(name, &mut Vec::new());
        tables.iter().any(|table| !table.parts.is_empty())
    }

    /// Returns the overrides for a function, the one with the lowest precedence first.
    fn tables(&self, function: &Function<'_>, problems: &mut Vec<FileProblem>) -> Vec<(Table, For)> {
        let mut tables: Vec<(Table, For)> = vec![(self.file.default.clone(), For::Many)];
        for profile in function.profiles.iter().rev() {
            tables.extend(self.file.profiles.get(*profile).map(|table| (table.clone(), For::Many)));
        }
        let tool = function.tool.and_then(|tool| self.file.tools.get(tool));
        tables.extend(tool.map(|table| (table.clone(), function.of_tool)));
        let mut of_variables = |section, name: &str, whom| {
            for variable in self.variables.iter().filter(|variable| variable.section == section) {
                if let Some(keys) = variable.keys_for(name) {
                    let (table, found) = Table::of_variable(&variable.name, &keys, &variable.value);
                    // A variable that is invalid changes nothing.
                    if found.is_empty() {
                        tables.push((table, whom));
                    }
                    problems.extend(found);
                }
            }
        };
        of_variables(Section::Default, "", For::Many);
        for profile in function.profiles.iter().rev() {
            of_variables(Section::Profile, profile, For::Many);
        }
        if let Some(tool) = function.tool {
            of_variables(Section::Tool, tool, function.of_tool);
        }
        tables
    }

    fn breaker_tables(&self, name: &str, problems: &mut Vec<FileProblem>) -> Vec<BreakerTable> {
        let mut tables: Vec<_> = self.file.breakers.get(name).cloned().into_iter().collect();
        for variable in self.variables.iter().filter(|variable| variable.section == Section::Breaker) {
            if let Some(keys) = variable.keys_for(name) {
                let (table, found) = BreakerTable::of_variable(&variable.name, &keys, &variable.value);
                if found.is_empty() {
                    tables.push(table);
                }
                problems.extend(found);
            }
        }
        tables
    }
}

fn of_breaker(problem: Problem, places: &[&Places], table: &BreakerTable, name: &str) -> FileProblem {
    let found = places.iter().find_map(|places| places.find(problem.path)).cloned();
    let path = problem.path.strip_prefix("breaker.").unwrap_or(problem.path);
    let place = found.unwrap_or_else(|| table.place.clone());
    FileProblem { place, key: format!("breaker {name}: {path}"), message: problem.message }
}
