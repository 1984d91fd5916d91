//! Checks names in settings: unknown ones, and ones that are ambiguous in variables.

use std::collections::HashMap;

use resilient_policy::{BreakerTable, File, FileProblem, Policy, SourceLocation as Place, Table, nearest};

use super::overrides::Overrides;
use super::variable::{Section, in_capitals, unknown_before_its_first_call};
use crate::site::Site;

/// Guarded functions, and names that settings may refer to.
#[derive(Default)]
pub(crate) struct DeclaredNames {
    pub(crate) sites: Vec<&'static Site>,
    /// The records of all tools of routers, including those without a policy.
    pub(crate) hooked: Vec<&'static Site>,
    /// The texts of the compiled files.
    pub(crate) files: Vec<&'static str>,
    /// The names of all tools, guarded or not.
    pub(crate) tools: Vec<String>,
    /// The tools whose route has no hook, so that no switch reaches them.
    pub(crate) unhooked: Vec<String>,
    /// The tools that `resilient.toml` mentions, each with its source location.
    pub(crate) tables: Vec<(&'static str, &'static str)>,
    /// Breakers of functions that are otherwise unknown.
    pub(crate) breakers: Vec<&'static str>,
    /// The policies that tools begin with which are found later. If there are any such tools, settings may refer to
    /// names that are not known yet.
    pub(crate) found_later: Option<Vec<Policy>>,
}

/// All names that settings may refer to.
pub(crate) struct Names<'k> {
    tools: Vec<&'k str>,
    guarded: Vec<&'k str>,
    profiles: Vec<&'k str>,
    breakers: Vec<&'k str>,
    features: Vec<&'k str>,
}

impl DeclaredNames {
    /// Adds other names.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { sites, hooked, files, tools, unhooked, tables, breakers, found_later } = other;
        if let Some(bases) = found_later {
            self.found_later.get_or_insert_default().extend(bases);
        }
        self.sites.extend(sites);
        self.hooked.extend(hooked);
        self.files.extend(files);
        self.tools.extend(tools);
        self.unhooked.extend(unhooked);
        self.tables.extend(tables);
        self.breakers.extend(breakers);
    }
}

impl<'k> Names<'k> {
    pub(crate) fn of(known: &'k DeclaredNames, breakers: Vec<&'static str>) -> Self {
        let guarded: Vec<&str> = known.sites.iter().filter_map(|site| site.tool()).collect();
        let sorted = |mut names: Vec<&'k str>| {
            names.sort_unstable();
            names.dedup();
            names
        };
        Self {
            tools: sorted(known.tools.iter().map(String::as_str).chain(guarded.iter().copied()).collect()),
            guarded: sorted(guarded),
            profiles: sorted(known.sites.iter().flat_map(|site| site.profiles).copied().collect()),
            breakers: sorted(breakers.into_iter().chain(known.breakers.iter().copied()).collect()),
            features: sorted(known.hooked.iter().flat_map(|site| site.features()).copied().collect()),
        }
    }

    /// Reports settings for unknown names.
    pub(crate) fn check(&self, known: &DeclaredNames, overrides: &Overrides, problems: &mut Vec<FileProblem>) {
        for (name, place) in &known.tables {
            // A place in `resilient.toml`, as text from the macro.
            problems.extend(unknown("tool", name, &self.tools, Place::Variable((*place).into())));
        }
        let File { default: _, profiles, breakers, tools, gate: _ } = &overrides.file;
        for (name, table) in tools {
            let Some(place) = table.place.clone() else { continue };
            // Every known tool can be switched off, guarded or not.
            let is_tuned = table.any_place().is_some();
            if is_tuned && !self.guarded.contains(&name.as_str()) && self.tools.contains(&name.as_str()) {
                let message = unknown_before_its_first_call(name);
                problems.push(FileProblem { place, key: String::new(), message });
            } else if known.found_later.is_none() {
                problems.extend(unknown("tool", name, &self.tools, place));
            }
        }
        if known.found_later.is_none() {
            for (name, table) in profiles {
                let place = table.place.clone();
                problems.extend(place.and_then(|place| unknown("profile", name, &self.profiles, place)));
            }
            for (name, table) in breakers {
                problems.extend(unknown("breaker", name, &self.breakers, table.place.clone()));
            }
        }
        self.check_variables(known, overrides, problems);
        if let Some(bases) = &known.found_later {
            overrides.check_found_later(bases, &self.tools, problems);
        }
    }

    fn check_variables(&self, known: &DeclaredNames, overrides: &Overrides, problems: &mut Vec<FileProblem>) {
        for variable in overrides.variables.iter() {
            match variable.section {
                // The defaults apply to everything, so check them even if there are no functions.
                Section::Default => {
                    let keys = variable.keys_for("").unwrap_or_default();
                    problems.extend(Table::of_variable(&variable.name, &keys, &variable.value).1);
                }
                Section::Breaker => {
                    for keys in known.breakers.iter().filter_map(|name| variable.keys_for(name)) {
                        problems.extend(BreakerTable::of_variable(&variable.name, &keys, &variable.value).1);
                    }
                }
                Section::Tool | Section::Profile | Section::Feature | Section::Level => {}
            }
        }
        let unused = overrides.variables.iter().filter(|variable| !variable.is_used() && known.found_later.is_none());
        for variable in unused {
            problems.push(variable.unknown_name(match variable.section {
                Section::Tool => &self.tools,
                Section::Breaker => &self.breakers,
                _ => &self.profiles,
            }));
        }
    }

    /// Reports names that are the same in a variable.
    pub(crate) fn collisions(&self, found: &mut Vec<String>) {
        for (what, names) in [
            ("tools", &self.tools),
            ("breakers", &self.breakers),
            ("profiles", &self.profiles),
            ("features", &self.features),
        ] {
            let mut capitals: HashMap<String, &str> = HashMap::new();
            for name in names {
                let variable = in_capitals(name);
                if let Some(other) = capitals.insert(variable.clone(), name) {
                    found.push(format!(
                        "the {what} `{other}` and `{name}` would both be `{variable}` in a variable; rename one of them"
                    ));
                }
            }
        }
    }
}

/// Returns the problem of a name that is not in `known`.
pub(super) fn unknown(what: &str, name: &str, known: &[&str], place: Place) -> Option<FileProblem> {
    if known.contains(&name) {
        return None;
    }
    let meant = match nearest(name, known.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if known.is_empty() => "; none is known here".into(),
        None => format!("; known are `{}`", known.join("`, `")),
    };
    Some(FileProblem { place, key: String::new(), message: format!("no {what} `{name}`{meant}") })
}
