//! What file and variables change about the policies and breakers of one registry.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use resilient_policy::{
    BreakerSettings, BreakerTable, BreakerUse, File, FileProblem, For, Place, Places, Policy, Problem, Table, check,
    check_breaker, check_breaker_for, tune, tune_breaker,
};

use super::variables::{Section, Variable, Variables};
use crate::site::Site;

/// The file and the variables, as far as they could be read.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    pub(super) file: File,
    pub(super) variables: Vec<Variable>,
    disabled: bool,
    /// Whether the start was refused: what comes later is as the code has it.
    refused: AtomicBool,
}

/// A policy as it holds.
pub(crate) struct Holding {
    pub(crate) policy: Policy,
    /// Whether a breaker of the user's guards the function, where one is compiled in.
    pub(crate) keeps_static: bool,
}

impl Overrides {
    pub(super) fn new(file: File, variables: Variables) -> Self {
        Self { file, variables: variables.all, disabled: variables.disabled, refused: AtomicBool::new(false) }
    }

    pub(super) fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    pub(crate) fn are_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether there is anything that could change a policy.
    pub(crate) fn are_there(&self) -> bool {
        let File { default, profiles, breakers, tools } = &self.file;
        let in_file = *default != Table::default() || !(profiles.is_empty() && breakers.is_empty() && tools.is_empty());
        in_file || self.disabled || !self.variables.is_empty()
    }

    /// The policy of a function as it holds. What breaks a rule is told, and changes nothing.
    pub(crate) fn policy(&self, site: &Site, problems: &mut Vec<FileProblem>) -> Holding {
        // A breaker of the user's can be taken away like any other.
        let own = site.breaker.map(|own| BreakerUse::named(own.name()));
        let mut compiled = *site.policy();
        compiled.breaker = own.or(compiled.breaker);
        let before = problems.len();
        let mut policy = compiled;
        let tables = self.tables(site, problems);
        for (table, whom) in &tables {
            let found = tune(&mut policy, &compiled, table, *whom);
            problems.extend(found.into_iter().map(|problem| placed(problem, &[&table.places], None, site)));
        }
        if let Some(breaker) = &mut policy.breaker
            && let Some(settings) = &mut breaker.settings
        {
            // What is wrong with it is told where the breaker is made.
            *settings = self.breaker(breaker.name, *settings, &mut Vec::new());
        }
        if policy != compiled && problems.len() == before {
            let breaker = policy.breaker.map(|breaker| breaker.name).unwrap_or_default();
            let of_breaker = self.breaker_tables(breaker, &mut Vec::new());
            let places: Vec<&Places> = tables.iter().rev().map(|(table, _)| &table.places).collect();
            let places: Vec<&Places> = places.into_iter().chain(of_breaker.iter().map(|table| &table.places)).collect();
            // A rule between two settings is told at the one that was changed.
            let changed = tables.iter().rev().find_map(|(table, _)| table.any_place());
            let changed = changed.or_else(|| of_breaker.last().map(|table| &table.place));
            problems.extend(check(&policy).into_iter().map(|problem| placed(problem, &places, changed, site)));
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
        let keeps_static = policy.breaker.is_some();
        if site.breaker.is_some() {
            policy.breaker = site.policy().breaker;
        }
        Holding { policy, keeps_static }
    }

    /// The rules between a policy and the breaker that another place sets, where either was changed.
    pub(crate) fn suits(&self, site: &Site, policy: &Policy, settings: &BreakerSettings) -> Vec<FileProblem> {
        let name = site.breaker.map(crate::Breaker::name).or(policy.breaker.map(|breaker| breaker.name));
        let of_breaker = self.breaker_tables(name.unwrap_or_default(), &mut Vec::new());
        let tables = self.tables(site, &mut Vec::new());
        let changed = of_breaker.last().map(|table| &table.place);
        let changed = changed.or_else(|| tables.iter().rev().find_map(|(table, _)| table.any_place()));
        if changed.is_none() {
            return Vec::new();
        }
        let places: Vec<&Places> = of_breaker.iter().rev().map(|table| &table.places).collect();
        let found = check_breaker_for(policy, settings);
        found.into_iter().map(|problem| placed(problem, &places, changed, site)).collect()
    }

    /// Whether what guards with the breaker of this name is to do without.
    pub(crate) fn is_disabled(&self, breaker: &str) -> bool {
        let tables = self.breaker_tables(breaker, &mut Vec::new());
        self.disabled || tables.iter().filter_map(|table| table.enabled).next_back() == Some(false)
    }

    /// The settings of a breaker as they hold. What breaks a rule is told, and changes nothing.
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

    /// Whether anything is said of a breaker but whether it is there.
    pub(crate) fn tunes_breaker(&self, name: &str) -> bool {
        let tables = self.breaker_tables(name, &mut Vec::new());
        tables.iter().any(|table| !table.parts.is_empty())
    }

    /// What is said of a function, the weakest first.
    fn tables(&self, site: &Site, problems: &mut Vec<FileProblem>) -> Vec<(Table, For)> {
        let mut tables: Vec<(Table, For)> = vec![(self.file.default.clone(), For::Many)];
        for profile in site.profiles.iter().rev() {
            tables.extend(self.file.profiles.get(*profile).map(|table| (table.clone(), For::Many)));
        }
        let tool = site.tool().and_then(|tool| self.file.tools.get(tool));
        tables.extend(tool.map(|table| (table.clone(), For::OneFunction)));
        let mut of_variables = |section, name: &str, whom| {
            for variable in self.variables.iter().filter(|variable| variable.section == section) {
                if let Some(keys) = variable.keys_for(name) {
                    let (table, found) = Table::of_variable(&variable.name, &keys, &variable.value);
                    // What is wrong by itself is no setting.
                    if found.is_empty() {
                        tables.push((table, whom));
                    }
                    problems.extend(found);
                }
            }
        };
        of_variables(Section::Default, "", For::Many);
        for profile in site.profiles.iter().rev() {
            of_variables(Section::Profile, profile, For::Many);
        }
        if let Some(tool) = site.tool() {
            of_variables(Section::Tool, tool, For::OneFunction);
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

/// A problem with a function's policy, where the strongest place wrote it, or where something was
/// changed that it clashes with.
fn placed(problem: Problem, places: &[&Places], changed: Option<&Place>, site: &Site) -> FileProblem {
    let found = places.iter().find_map(|places| places.find(problem.path)).or(changed).cloned();
    let place = found.unwrap_or_else(|| Place::File(site.location().file.into(), site.location().line, 1));
    FileProblem { place, key: format!("{}: {}", site.name(), problem.path), message: problem.message }
}

fn of_breaker(problem: Problem, places: &[&Places], table: &BreakerTable, name: &str) -> FileProblem {
    let found = places.iter().find_map(|places| places.find(problem.path)).cloned();
    let path = problem.path.strip_prefix("breaker.").unwrap_or(problem.path);
    let place = found.unwrap_or_else(|| table.place.clone());
    FileProblem { place, key: format!("breaker {name}: {path}"), message: problem.message }
}
