//! What file and variables change about the policies and breakers of one registry.

use std::time::Duration;

use resilient_policy::{
    BreakerSettings, BreakerTable, File, FileProblem, For, Place, Places, Policy, Problem, Table, check, check_breaker,
    tune, tune_breaker,
};

use super::variables::{Section, Variable, Variables};
use crate::site::Site;

/// The file and the variables, as far as they could be read.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    pub(super) file: File,
    pub(super) variables: Vec<Variable>,
    disabled: bool,
}

impl Overrides {
    pub(super) fn new(file: File, variables: Variables) -> Self {
        Self { file, variables: variables.all, disabled: variables.disabled }
    }

    /// Whether there is anything that could change a policy.
    pub(super) fn are_there(&self) -> bool {
        let File { default, profiles, breakers, tools } = &self.file;
        let in_file = *default != Table::default() || !(profiles.is_empty() && breakers.is_empty() && tools.is_empty());
        in_file || self.disabled || !self.variables.is_empty()
    }

    /// The policy of a function as it holds. What breaks a rule is told, and changes nothing.
    pub(crate) fn policy(&self, site: &Site, problems: &mut Vec<FileProblem>) -> Policy {
        let compiled = *site.policy();
        let mut policy = compiled;
        let before = problems.len();
        let mut tables: Vec<(Table, For)> = vec![(self.file.default.clone(), For::Many)];
        for profile in site.profiles.iter().rev() {
            tables.extend(self.file.profiles.get(*profile).map(|table| (table.clone(), For::Many)));
        }
        tables.extend(
            site.tool().and_then(|tool| self.file.tools.get(tool)).map(|table| (table.clone(), For::OneFunction)),
        );
        self.tables_of_variables(Section::Default, "", For::Many, &mut tables, problems);
        for profile in site.profiles.iter().rev() {
            self.tables_of_variables(Section::Profile, profile, For::Many, &mut tables, problems);
        }
        if let Some(tool) = site.tool() {
            self.tables_of_variables(Section::Tool, tool, For::OneFunction, &mut tables, problems);
        }
        for (table, whom) in &tables {
            let found = tune(&mut policy, table, *whom);
            problems.extend(found.into_iter().map(|problem| placed(problem, &[&table.places], site)));
        }
        if let Some(settings) = policy.breaker.as_mut().and_then(|breaker| breaker.settings.as_mut()) {
            // What is wrong with it is told where the breaker is made.
            *settings = self.breaker(compiled.breaker.map_or("", |breaker| breaker.name), *settings, &mut Vec::new());
        }
        if policy != compiled && problems.len() == before {
            let places: Vec<&Places> = tables.iter().rev().map(|(table, _)| &table.places).collect();
            let breaker = policy.breaker.map(|breaker| breaker.name).unwrap_or_default();
            let tables = self.breaker_tables(breaker, &mut Vec::new());
            let places: Vec<&Places> = places.into_iter().chain(tables.iter().map(|table| &table.places)).collect();
            problems.extend(check(&policy).into_iter().map(|problem| placed(problem, &places, site)));
        }
        if problems.len() > before {
            policy = compiled;
        }
        if policy.breaker.is_some_and(|breaker| self.is_disabled(breaker.name)) {
            policy.breaker = None;
        }
        if self.disabled {
            policy.timeout = Duration::MAX;
            policy.attempt_timeout = None;
            policy.retry = None;
            policy.breaker = None;
            policy.bulkhead = None;
            policy.rate_limit = None;
        }
        policy
    }

    /// Whether what guards with the breaker of this name is to do without.
    pub(crate) fn is_disabled(&self, breaker: &str) -> bool {
        let tables = self.breaker_tables(breaker, &mut Vec::new());
        self.disabled || tables.iter().filter_map(|table| table.part.enabled).next_back() == Some(false)
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
            let found = tune_breaker(&mut settings, &table.part);
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
        tables.iter().any(|table| {
            table.part != resilient_policy::BreakerPart { enabled: table.part.enabled, ..Default::default() }
        })
    }

    /// Every variable about a breaker, with each of these names.
    pub(super) fn of_breakers<'a>(
        &'a self,
        names: &'a [&'static str],
    ) -> impl Iterator<Item = (&'a Variable, &'a str)> {
        let about = self.variables.iter().filter(|variable| variable.section == Section::Breaker);
        about.flat_map(|variable| names.iter().map(move |name| (variable, *name)))
    }

    fn breaker_tables(&self, name: &str, problems: &mut Vec<FileProblem>) -> Vec<BreakerTable> {
        let mut tables: Vec<_> = self.file.breakers.get(name).cloned().into_iter().collect();
        for variable in self.variables.iter().filter(|variable| variable.section == Section::Breaker) {
            if let Some(keys) = variable.keys_for(name) {
                let (table, found) = BreakerTable::of_variable(&variable.name, &keys, &variable.value);
                problems.extend(found);
                tables.push(table);
            }
        }
        tables
    }

    fn tables_of_variables(
        &self,
        section: Section,
        name: &str,
        whom: For,
        tables: &mut Vec<(Table, For)>,
        problems: &mut Vec<FileProblem>,
    ) {
        for variable in self.variables.iter().filter(|variable| variable.section == section) {
            if let Some(keys) = variable.keys_for(name) {
                let (table, found) = Table::of_variable(&variable.name, &keys, &variable.value);
                problems.extend(found);
                tables.push((table, whom));
            }
        }
    }
}

/// A problem with a function's policy, where the strongest place wrote it.
fn placed(problem: Problem, places: &[&Places], site: &Site) -> FileProblem {
    let found = places.iter().find_map(|places| places.find(problem.path)).cloned();
    let place = found.unwrap_or_else(|| Place::File(site.location().file.into(), site.location().line, 1));
    FileProblem { place, key: format!("{}: {}", site.name(), problem.path), message: problem.message }
}

fn of_breaker(problem: Problem, places: &[&Places], table: &BreakerTable, name: &str) -> FileProblem {
    let found = places.iter().find_map(|places| places.find(problem.path)).cloned();
    let path = problem.path.strip_prefix("breaker.").unwrap_or(problem.path);
    let place = found.unwrap_or_else(|| table.place.clone());
    FileProblem { place, key: format!("breaker {name}: {path}"), message: problem.message }
}
