//! Reads the names of dependencies from the `Cargo.toml` of the compiled crate.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::latest::Latest;

/// The package whose items the generated code uses.
const RUNTIME: &str = "resilient-runtime";

/// The package behind each name.
type Names = BTreeMap<String, String>;

/// The dependencies of a crate, by their names in its code.
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    /// `None` if there is no readable manifest.
    names: Option<Names>,
}

impl Manifest {
    /// Returns the manifest of the compiled crate.
    pub(crate) fn current() -> Arc<Self> {
        static LATEST: Latest<(PathBuf, String), Manifest> = Latest::new();
        // In the tests of this crate, expansions do not belong to a crate.
        let folder = std::env::var_os("CARGO_MANIFEST_DIR").filter(|_| !cfg!(test)).map(PathBuf::from);
        let text = folder.as_deref().and_then(read);
        let Some(input) = folder.zip(text) else { return Arc::default() };
        LATEST.get(input, |(folder, text)| {
            let workspace = || folder.ancestors().find_map(|above| inheritable(&read(above)?));
            Self { names: names(text, workspace) }
        })
    }

    /// Returns the name of the runtime in this crate's code, if the crate depends on it.
    pub(crate) fn runtime(&self) -> Option<&str> {
        let names = self.names.as_ref()?;
        let usual = names.get_key_value(&as_crate(RUNTIME));
        let found = usual.or_else(|| names.iter().find(|(_, package)| *package == RUNTIME));
        found.map(|(name, _)| name.as_str())
    }

    /// Returns whether there is certainly no dependency of this name.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        let is_of_rust = matches!(name, "alloc" | "core" | "std");
        !is_of_rust && self.names.as_ref().is_some_and(|names| !names.contains_key(name))
    }
}

fn read(folder: &Path) -> Option<String> {
    std::fs::read_to_string(folder.join("Cargo.toml")).ok()
}

/// Returns the package behind each name in the code of a crate. `workspace` returns the dependencies that the crate may
/// inherit.
fn names(manifest: &str, workspace: impl FnOnce() -> Option<Names>) -> Option<Names> {
    let manifest = DeValue::Table(DeTable::parse(manifest).ok()?.into_inner());
    let workspace = LazyCell::new(|| workspace().unwrap_or_default());
    let package = text(&manifest, &["package", "name"]);
    let library = text(&manifest, &["lib", "name"]).or(package);
    let own = library.zip(package).map(|(library, package)| (as_crate(library), package.to_owned()));
    let mut names: Names = own.into_iter().collect();
    let targets = entries(&manifest, &["target"]).map(|(_, target)| target);
    for table in targets.chain([&manifest]) {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, dependency) in entries(table, &[kind]) {
                let inherited = dependency.get("workspace").and_then(|_| workspace.get(name)).map(String::as_str);
                let package = text(dependency, &["package"]).or(inherited).unwrap_or(name);
                names.insert(as_crate(name), package.to_owned());
            }
        }
    }
    Some(names)
}

/// Returns the dependencies that members of a workspace may inherit, if their names differ from their packages'. `None`
/// if this is not the manifest of a workspace.
fn inheritable(manifest: &str) -> Option<Names> {
    let manifest = DeValue::Table(DeTable::parse(manifest).ok()?.into_inner());
    let workspace = find(&manifest, &["workspace"])?;
    let dependencies = entries(workspace, &["dependencies"]);
    let renamed = dependencies.filter_map(|(name, of)| Some((name.to_owned(), text(of, &["package"])?.to_owned())));
    Some(renamed.collect())
}

/// Returns the value at this path of keys.
fn find<'v, 'm>(value: &'v DeValue<'m>, path: &[&str]) -> Option<&'v DeValue<'m>> {
    path.iter().try_fold(value, |value, key| value.get(*key).map(Spanned::get_ref))
}

fn text<'v>(value: &'v DeValue<'_>, path: &[&str]) -> Option<&'v str> {
    find(value, path)?.as_str()
}

/// Returns the entries of the table at this path.
fn entries<'v, 'm>(value: &'v DeValue<'m>, path: &[&str]) -> impl Iterator<Item = (&'v str, &'v DeValue<'m>)> {
    let table = find(value, path).and_then(DeValue::as_table);
    table.into_iter().flatten().map(|(name, value)| (name.get_ref().as_ref(), value.get_ref()))
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
        let workspace = format!("[workspace.dependencies]\n{shield}\nother = \"1\"");
        Manifest { names: names(text, || inheritable(&workspace)) }
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
            ("[dependencies]\nshield.workspace = true\nresilient-runtime = \"1\"", Some("resilient_runtime")),
            ("[dependencies]\nresilient-runtime = { version = \"1\", features = [] }", Some("resilient_runtime")),
            ("[dependencies]\nother.workspace = true", None),
            ("[package]\nname = \"resilient-runtime\"", Some("resilient_runtime")),
            ("no manifest", None),
        ] {
            assert_eq!(manifest(text).runtime(), name, "{text}");
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
