//! Reads the names of dependencies from the `Cargo.toml` of the compiled crate.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use toml::de::{DeTable, DeValue};

/// The package whose items the generated code uses.
const RUNTIME: &str = "resilient-runtime";

/// The dependencies of a crate, by their names in its code.
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    /// The package behind each name. Empty if there is no readable manifest.
    names: Option<BTreeMap<String, String>>,
}

impl Manifest {
    /// Returns the manifest of the compiled crate.
    pub(crate) fn current() -> Arc<Self> {
        static KNOWN: Mutex<Option<(PathBuf, String, Arc<Manifest>)>> = Mutex::new(None);
        // In the tests of this crate, expansions do not belong to a crate.
        let folder = std::env::var_os("CARGO_MANIFEST_DIR").filter(|_| !cfg!(test)).map(PathBuf::from);
        let read = folder.and_then(|folder| Some((std::fs::read_to_string(folder.join("Cargo.toml")).ok()?, folder)));
        let Some((text, folder)) = read else { return Arc::default() };
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        // In an editor, the process outlives changes of the file.
        if let Some((of, read, manifest)) = &*known
            && *of == folder
            && *read == text
        {
            return Arc::clone(manifest);
        }
        let manifest = Arc::new(Self::of(&text, || of_the_workspace(&folder)));
        *known = Some((folder, text, Arc::clone(&manifest)));
        manifest
    }

    /// Parses a manifest. `workspace` is the manifest of its workspace, from which dependencies may be inherited.
    fn of(text: &str, workspace: impl FnOnce() -> Option<String>) -> Self {
        let Ok(manifest) = DeTable::parse(text) else { return Self::default() };
        let manifest = manifest.get_ref();
        let package = find(manifest, "package").and_then(|package| text_at(package, "name"));
        let library = find(manifest, "lib").and_then(|library| text_at(library, "name")).or(package);
        let own = library.zip(package).map(|(library, package)| (as_crate(library), package.to_owned()));
        let workspace = LazyCell::new(|| workspace().map(|text| packages_of_the_workspace(&text)).unwrap_or_default());
        let targets = find(manifest, "target").and_then(DeValue::as_table);
        let targets = targets.into_iter().flat_map(|targets| targets.values()).filter_map(|of| of.get_ref().as_table());
        let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
        let tables = targets.chain([manifest]).flat_map(|table| kinds.map(|kind| find(table, kind)));
        let dependencies = tables.flatten().filter_map(DeValue::as_table).flatten().map(|(name, dependency)| {
            let (name, dependency) = (name.get_ref().as_ref(), dependency.get_ref());
            let is_inherited = dependency.get("workspace").is_some();
            let package = text_at(dependency, "package")
                .or_else(|| workspace.get(name).filter(|_| is_inherited).map(String::as_str))
                .unwrap_or(name);
            (as_crate(name), package.to_owned())
        });
        Self { names: Some(own.into_iter().chain(dependencies).collect()) }
    }

    /// Returns the name of the runtime in this crate's code, if it is not the package's name.
    pub(crate) fn other_name_of_the_runtime(&self) -> Option<&str> {
        let has_usual_name = self.names.as_ref()?.contains_key(&as_crate(RUNTIME));
        self.runtime().filter(|_| !has_usual_name)
    }

    /// Returns the name of the runtime in this crate's code, if the crate depends on it.
    pub(crate) fn runtime(&self) -> Option<&str> {
        let names = self.names.as_ref()?;
        names.iter().find(|(_, package)| *package == RUNTIME).map(|(name, _)| name.as_str())
    }

    /// Returns whether there is certainly no dependency of this name.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        let is_of_rust = matches!(name, "alloc" | "core" | "std");
        !is_of_rust && self.names.as_ref().is_some_and(|names| !names.contains_key(name))
    }
}

/// Returns the manifest of the workspace above a folder.
fn of_the_workspace(folder: &Path) -> Option<String> {
    let mut manifests = folder.ancestors().filter_map(|above| std::fs::read_to_string(above.join("Cargo.toml")).ok());
    manifests.find(|text| DeTable::parse(text).is_ok_and(|table| find(table.get_ref(), "workspace").is_some()))
}

/// Returns the dependencies that members of the workspace may inherit, if their names differ from their packages'.
fn packages_of_the_workspace(text: &str) -> BTreeMap<String, String> {
    let Ok(manifest) = DeTable::parse(text) else { return BTreeMap::new() };
    let workspace = find(manifest.get_ref(), "workspace").and_then(|workspace| workspace.get("dependencies"));
    let dependencies = workspace.and_then(|dependencies| dependencies.get_ref().as_table());
    let renamed = dependencies.into_iter().flatten().filter_map(|(name, dependency)| {
        Some((name.get_ref().to_string(), text_at(dependency.get_ref(), "package")?.to_owned()))
    });
    renamed.collect()
}

fn find<'t, 'm>(table: &'t DeTable<'m>, key: &str) -> Option<&'t DeValue<'m>> {
    table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value.get_ref())
}

fn text_at<'t>(value: &'t DeValue<'_>, key: &str) -> Option<&'t str> {
    value.get(key)?.get_ref().as_str()
}

/// Returns a package's name as code spells it.
fn as_crate(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Manifest {
        let shield = "shield = { package = \"resilient-runtime\", version = \"1\" }";
        Manifest::of(text, || Some(format!("[workspace.dependencies]\n{shield}\nother = \"1\"")))
    }

    #[test]
    fn a_renamed_runtime_is_found_wherever_it_is_declared() {
        for (text, name) in [
            ("[dependencies]\nshield = { package = \"resilient-runtime\", version = \"1\" }", Some("shield")),
            (
                "[dev-dependencies]\nthe-shield = { package = \"resilient-runtime\", version = \"1\" }",
                Some("the_shield"),
            ),
            ("[target.'cfg(unix)'.dependencies]\nshield = { package = \"resilient-runtime\" }", Some("shield")),
            ("[dependencies]\nshield = { workspace = true }", Some("shield")),
            ("[dependencies]\nshield.workspace = true\nresilient-runtime = \"1\"", None),
            ("[dependencies]\nresilient-runtime = { version = \"1\", features = [] }", None),
            ("[dependencies]\nother.workspace = true", None),
            ("[package]\nname = \"resilient-runtime\"", None),
            ("no manifest", None),
        ] {
            assert_eq!(manifest(text).other_name_of_the_runtime(), name, "{text}");
        }
    }

    #[test]
    fn a_dependency_is_missing_only_where_the_manifest_shows_it() {
        let found = manifest("[package]\nname = \"my-shop\"\n[dependencies]\nresilient-runtime = \"1\"");
        for (name, lacks) in [("nope", true), ("my_shop", false), ("resilient_runtime", false), ("std", false)] {
            assert_eq!(found.lacks(name), lacks, "{name}");
        }
        assert!(!Manifest::default().lacks("nope"));
        let library = manifest("[package]\nname = \"my-shop\"\n[lib]\nname = \"shop\"");
        assert!(!library.lacks("shop") && library.lacks("my_shop"));
    }
}
