//! Levels, switches and features from all sources: the files of compiled crates, the file at start, and variables.
//!
//! The names of tools are known only once their router is built, while the switches have to be known before its routes
//! are published. So the settings of the gate are combined twice: at start, from the file and the variables, and again
//! whenever a router is built, before it is published, with its tools and the file of its crate.

use std::collections::BTreeSet;

use resilient_policy::{File, FileProblem, GateTables, SourceLocation as Place};

use super::names::{DeclaredNames, unknown};
use super::overrides::Overrides;
use super::variable::Section;
use crate::site::Site;

/// The name of the compiled files in messages.
const COMPILED: &str = "resilient.toml";

/// What routers bring to the settings of the gate.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeclaredTools {
    /// The texts of the compiled files. The order makes the result independent of that of the routers.
    pub(crate) files: BTreeSet<&'static str>,
    /// The names of the tools, guarded or not.
    pub(crate) tools: BTreeSet<String>,
    /// The features of the tools.
    pub(crate) features: BTreeSet<&'static str>,
}

impl DeclaredTools {
    /// Adds what is known of tools.
    pub(crate) fn add(&mut self, known: &DeclaredNames) {
        self.files.extend(&known.files);
        self.tools.extend(known.tools.iter().cloned());
        for site in &known.hooked {
            self.tools.extend(site.tool().map(str::to_owned));
            self.features.extend(site.features());
        }
    }

    /// Returns the features of the tools, and those that a source declares.
    fn features_and<'a>(&self, source: &'a GateTables) -> Vec<&'a str> {
        let mut all: BTreeSet<&str> = self.features.clone();
        all.extend(source.features.keys().map(String::as_str));
        all.into_iter().collect()
    }

    /// Returns what the compiled files say. The macro reported their mistakes.
    fn compiled(&self) -> GateTables {
        let mut all = GateTables::default();
        for text in &self.files {
            all.add(&File::parse(COMPILED, text).0.gate);
        }
        all
    }
}

impl Overrides {
    /// Returns whether anything is switched off at start, so that tools leave the list of their router.
    pub(crate) fn have_switches(&self) -> bool {
        self.gate.have_switches() || !self.file.gate.settings().switches.is_empty()
    }

    /// Reports what is wrong with `tables`, which are all sources together. `sites` are those of all tools.
    pub(crate) fn check_gate(
        &self,
        tables: &GateTables,
        declared: &DeclaredTools,
        sites: &[&'static Site],
        problems: &mut Vec<FileProblem>,
    ) {
        let compiled = declared.compiled();
        let (in_code, known) = (declared.features_and(&compiled), declared.features_and(tables));
        problems.extend(tables.check());
        problems.extend(tables.check_features(&known, ""));
        // The file at start may declare features, but what it switches has to be there.
        for (name, table) in &self.file.gate.features {
            if table.enabled.is_some() {
                problems.extend(unknown("feature", name, &in_code, table.place.clone()));
            }
        }
        if self.file.gate.features.values().any(|table| table.enabled.is_none()) {
            let declared: Vec<&str> = tables.features.keys().map(String::as_str).collect();
            for site in sites {
                let place = || Place::File(site.location().file.into(), site.location().line, 1);
                problems.extend(site.features().iter().filter_map(|name| unknown("feature", name, &declared, place())));
            }
        }
        let tools: Vec<&str> = declared.tools.iter().map(String::as_str).collect();
        for (variable, _) in self.gate.switches.iter().filter(|(variable, _)| !variable.is_used()) {
            problems.push(variable.unknown_name(if variable.section == Section::Tool { &tools } else { &known }));
        }
    }
}

/// Returns what all sources say together, the weakest first: the compiled files, the file at start, the variables.
pub(crate) fn gate_tables(declared: &DeclaredTools, overrides: Option<&Overrides>) -> GateTables {
    let mut all = declared.compiled();
    if let Some(overrides) = overrides {
        all.add(&overrides.file.gate);
        let features: BTreeSet<String> =
            declared.features.iter().map(ToString::to_string).chain(all.features.keys().cloned()).collect();
        let tools = declared.tools.iter().map(String::as_str);
        all.add(&overrides.gate.of(tools, features.iter().map(String::as_str)));
    }
    all
}
