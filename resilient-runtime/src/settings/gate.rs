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

/// The name of the compiled files in messages.
const COMPILED: &str = "resilient.toml";

/// What routers bring to the settings of the gate.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeclaredTools {
    /// The texts of the compiled files. The order makes the result independent of that of the routers.
    files: BTreeSet<&'static str>,
    /// What the compiled files say together.
    compiled: GateTables,
    /// The names of the tools, guarded or not.
    pub(crate) tools: BTreeSet<String>,
    /// The features of the tools.
    pub(crate) features: BTreeSet<&'static str>,
}

impl DeclaredTools {
    /// Adds what is known of tools. Returns whether anything of it is new.
    pub(crate) fn add(&mut self, known: &DeclaredNames) -> bool {
        let size = |all: &Self| [all.files.len(), all.tools.len(), all.features.len()];
        let before = size(self);
        self.files.extend(&known.files);
        if self.files.len() > before[0] {
            self.compiled = compiled(&self.files);
        }
        self.tools.extend(known.tools.iter().cloned());
        for site in &known.hooked {
            self.tools.extend(site.tool().map(str::to_owned));
            self.features.extend(site.features());
        }
        size(self) > before
    }

    /// Returns the features of the tools, and those that a source declares.
    fn features_and<'a>(&self, source: &'a GateTables) -> Vec<&'a str> {
        let mut all: BTreeSet<&str> = self.features.clone();
        all.extend(source.features.keys().map(String::as_str));
        all.into_iter().collect()
    }
}

/// Returns what compiled files say together. The macro reported their mistakes.
fn compiled(files: &BTreeSet<&'static str>) -> GateTables {
    let mut all = GateTables::default();
    for text in files {
        all.add(&File::parse(COMPILED, text).0.gate);
    }
    all
}

impl Overrides {
    /// Returns whether anything is switched off at start, so that tools leave the list of their router.
    pub(crate) fn have_switches(&self) -> bool {
        self.gate.have_switches() || !self.file.gate.settings().switches.is_empty()
    }

    /// Reports what is wrong with `tables`, which are all sources together.
    pub(crate) fn check_gate(
        &self,
        tables: &GateTables,
        declared: &DeclaredTools,
        known_names: &DeclaredNames,
        problems: &mut Vec<FileProblem>,
    ) {
        let (in_code, known) = (declared.features_and(&declared.compiled), declared.features_and(tables));
        problems.extend(tables.check());
        problems.extend(tables.check_features(&known));
        // The file at start may declare features, but what it switches has to be there.
        for (name, table) in &self.file.gate.features {
            if table.enabled.is_some() {
                problems.extend(unknown("feature", name, &in_code, table.place.clone()));
            }
        }
        if self.file.gate.features.values().any(|table| table.enabled.is_none()) {
            let declared: Vec<&str> = tables.features.keys().map(String::as_str).collect();
            for site in &known_names.hooked {
                let place = || Place::File(site.location().file.into(), site.location().line, 1);
                problems.extend(site.features().iter().filter_map(|name| unknown("feature", name, &declared, place())));
            }
        }
        let tools: Vec<&str> = declared.tools.iter().map(String::as_str).collect();
        for (variable, _) in self.gate.switches.iter().filter(|(variable, _)| !variable.is_used()) {
            if variable.section == Section::Tool && known_names.found_later.is_some() {
                let message = variable.in_small_letters();
                let place = variable.place();
                problems.extend(message.map(|message| FileProblem { place, key: String::new(), message }));
                continue;
            }
            problems.push(variable.unknown_name(if variable.section == Section::Tool { &tools } else { &known }));
        }
    }
}

/// Returns what all sources say together, the weakest first: the compiled files, the file at start, the variables.
pub(crate) fn gate_tables(declared: &DeclaredTools, overrides: Option<&Overrides>) -> GateTables {
    let mut all = declared.compiled.clone();
    if let Some(overrides) = overrides {
        all.add(&overrides.file.gate);
        let features: BTreeSet<String> =
            declared.features.iter().map(ToString::to_string).chain(all.features.keys().cloned()).collect();
        let tools = declared.tools.iter().map(String::as_str);
        all.add(&overrides.gate.of(tools, features.iter().map(String::as_str)));
    }
    all
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use resilient_policy::{GateSettings, Level, Policy};

    use super::*;
    use crate::registry::Registry;
    use crate::settings::Variables;
    use crate::site::{Location, Site};

    const LOCATION: Location = Location { module: "shop", file: "src/shop.rs", line: 7 };

    static EXPORT: Site =
        Site::new("export", LOCATION, Policy::new()).of_tool("export").of_features(&["exports", "slow"]);
    static SEARCH: Site = Site::new("search", LOCATION, Policy::new()).of_tool("search").of_features(&["full-text"]);

    fn known(files: &[&'static str]) -> DeclaredNames {
        DeclaredNames {
            hooked: vec![&EXPORT, &SEARCH],
            files: files.to_vec(),
            tools: ["export", "search", "now"].map(str::to_owned).to_vec(),
            ..DeclaredNames::default()
        }
    }

    /// Returns the overrides by a file and by variables, and their problems.
    fn overrides(file: &str, pairs: &[(&str, &str)]) -> (Overrides, Vec<FileProblem>) {
        let (file, mut found) = File::parse("f.toml", file);
        let pairs = pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        (Overrides::new(file, Variables::read(pairs, &mut found)), found)
    }

    fn settings(files: &[&'static str], file: &str, pairs: &[(&str, &str)]) -> GateSettings {
        let (overrides, found) = overrides(file, pairs);
        assert_eq!(found, []);
        let mut declared = DeclaredTools::default();
        assert!(declared.add(&known(files)) && !declared.add(&known(files)));
        gate_tables(&declared, Some(&overrides)).settings()
    }

    fn problems(files: &[&'static str], file: &str, pairs: &[(&str, &str)]) -> Vec<String> {
        let (overrides, mut found) = overrides(file, pairs);
        let (known, mut declared) = (known(files), DeclaredTools::default());
        declared.add(&known);
        let tables = gate_tables(&declared, Some(&overrides));
        overrides.check_gate(&tables, &declared, &known, &mut found);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_compiled_file_the_file_at_start_and_the_variables_are_combined() {
        let compiled = "[level]\nstart = \"emergency\"\n[level.degraded]\ndisable = [\"slow\"]\nconcurrency = 9\n\
                        [feature.slow]\n[tool.search]\nenabled = false\n";
        let other = "[feature.full-text]\ndescription = \"Finds words\"\n";
        let file = "[level]\nstart = \"degraded\"\n[tool.now]\nenabled = false\n";
        let pairs = [
            ("RESILIENT__LEVEL", "minimal"),
            ("RESILIENT__FEATURE__FULL_TEXT__ENABLED", "false"),
            ("RESILIENT__TOOL__EXPORT__ENABLED", "0"),
        ];
        let all = settings(&[compiled, other], file, &pairs);
        assert_eq!(all, settings(&[other, compiled], file, &pairs));
        assert_eq!(all.level, Some(Level::Minimal));
        assert_eq!(all.levels.effect(Level::Degraded).concurrency, Some(9));
        assert!(all.levels.effect(Level::Minimal).disabled.contains("slow"));
        assert_eq!(all.switches.tools.iter().collect::<Vec<_>>(), ["export", "now", "search"]);
        assert_eq!(all.switches.features.iter().collect::<Vec<_>>(), ["full-text"]);
        assert_eq!(all.features["full-text"].as_deref(), Some("Finds words"));
    }

    #[test]
    fn nothing_is_configured_where_no_source_says_anything() {
        assert_eq!(settings(&["[default]\ntimeout = \"5s\"\n"], "", &[]), GateSettings::default());
    }

    // rule 65
    #[test]
    fn features_that_no_tool_has_are_refused_where_they_are_switched() {
        assert_eq!(
            problems(
                &[],
                "[feature.export]\nenabled = false\n[level.degraded]\ndisable = [\"slwo\"]\n",
                &[("RESILIENT__FEATURE__FULLTEXT__ENABLED", "false")]
            ),
            [
                "f.toml:4:12: `level.degraded.disable`: no feature `slwo`; did you mean `slow`?",
                "f.toml:1:10: no feature `export`; did you mean `exports`?",
                "RESILIENT__FEATURE__FULLTEXT__ENABLED: no feature `FULLTEXT`; did you mean `FULL_TEXT`?",
            ]
        );
        let all = [("RESILIENT__FEATURE__FULL_TEXT__ENABLED", "0"), ("RESILIENT__FEATURE__SLOW__ENABLED", "0")];
        let file = "[feature.exports]\nenabled = false\n[level.minimal]\ndisable = [\"full-text\"]\n";
        assert_eq!(problems(&[], file, &all), Vec::<String>::new());
    }

    // rule 65
    #[test]
    fn features_of_tools_are_declared_if_the_file_at_start_declares_any() {
        assert_eq!(
            problems(&["[feature.exports]\n"], "[feature.slow]\n", &[]),
            ["src/shop.rs:7:1: no feature `full-text`; known are `exports`, `slow`"]
        );
        // A table that only switches declares nothing.
        assert_eq!(problems(&[], "[feature.slow]\nenabled = false\n", &[]), Vec::<String>::new());
    }

    #[test]
    fn a_registry_gets_the_switches_of_a_compiled_file_before_the_routes_are_published() {
        let registry = Registry::new();
        registry.declare_tools(&known(&["read_only = true\n[tool.now]\nenabled = false\n"]));
        let state = registry.gate().state();
        assert!(state.read_only.is_some());
        assert_eq!(state.tools_off.iter().map(|off| &*off.name).collect::<Vec<_>>(), ["now"]);
    }
}
