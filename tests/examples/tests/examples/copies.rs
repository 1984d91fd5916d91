//! Each example folder is a package that works after it is copied out of the repository.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use resilient_tests::{
    fixture::{Fixture, repository},
    markdown::codes,
};
use serde_json::Value;

/// Files that examples repeat, because an example cannot depend on a crate that is not published. Tests of such a file
/// are in one copy only.
const REPEATED: [&str; 7] = ["embedded.rs", "http.rs", "process.rs", "program.rs", "schema.rs", "stdio.rs", "store.rs"];

/// The dependencies that a copy has to replace. Every example has the first.
const LIBRARIES: [&str; 4] = ["resilient-runtime", "resilient-client", "resilient-sqlite", "resilient-redis"];

/// The folders under `examples`, with their names.
fn examples() -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(repository().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let packages = entries.filter(|path| path.join("Cargo.toml").is_file());
    let mut found: Vec<_> =
        packages.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path)).collect();
    found.sort();
    assert!(found.len() > 5, "{found:?}");
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Copies the files below `folder` to the fixture.
fn copy(folder: &Path, below: &str, to: &Fixture) {
    for entry in fs::read_dir(folder.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.path().is_dir() {
            copy(folder, &path, to);
        } else {
            to.write(&path, &read(&entry.path()));
        }
    }
}

#[test]
fn every_example_builds_when_its_folder_is_copied_alone() {
    for (name, folder) in examples() {
        // In the folder for temporary files, so that no parent is a workspace.
        let alone = std::env::temp_dir().join(format!("resilient-example-{name}-{}", std::process::id()));
        let fixture = Fixture::empty(alone);
        copy(&folder, "", &fixture);
        let mut manifest = read(&folder.join("Cargo.toml"));
        for library in LIBRARIES {
            let path = format!("path = \"../../{library}\"");
            assert_eq!(manifest.matches(&path).count(), manifest.matches(&format!("\n{library} = ")).count(), "{name}");
            let there = repository().join(library);
            manifest = manifest.replace(&path, &format!("path = {:?}", there.to_str().unwrap()));
        }
        assert!(!manifest.contains("../"), "{name}: another path");
        fixture.write("Cargo.toml", &manifest);
        let output = fixture.cargo(&["check", "--all-targets"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("warning"), "{name}: {said}");
        fixture.remove();
    }
}

#[test]
fn manifests_of_examples_have_the_versions_and_lints_of_the_workspace() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(repository())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let runtime = packages.iter().find(|package| package["name"] == "resilient-runtime").unwrap();
    let mut requirements: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for dependency in packages.iter().flat_map(|package| package["dependencies"].as_array().unwrap()) {
        let name = dependency["name"].as_str().unwrap();
        // The same crate in two versions has two names.
        let key = (name, dependency["rename"].as_str().unwrap_or(name));
        if dependency["path"].is_null() {
            requirements.entry(key).or_default().insert(dependency["req"].as_str().unwrap());
        }
    }
    let different: Vec<_> = requirements.iter().filter(|(_, versions)| versions.len() > 1).collect();
    assert!(different.is_empty(), "{different:?}");

    let workspace = read(&repository().join("Cargo.toml"));
    let (_, lints) = workspace.split_once("[workspace.lints.rust]").unwrap();
    let lints = format!("[lints.rust]{}", lints.replace("[workspace.lints.clippy]", "[lints.clippy]"));
    for (name, folder) in examples() {
        let package = packages.iter().find(|package| package["name"] == name.as_str()).unwrap();
        for key in ["version", "edition", "rust_version", "license"] {
            assert_eq!(package[key], runtime[key], "{name}: {key}");
        }
        let ours: Vec<_> =
            package["dependencies"].as_array().unwrap().iter().filter(|it| it["path"].is_string()).collect();
        assert!(ours.iter().any(|it| it["name"] == "resilient-runtime"), "{name}");
        let expected = format!("^{}", runtime["version"].as_str().unwrap());
        for library in ours {
            assert_eq!(library["req"], expected, "{name}: {library}");
        }
        assert!(read(&folder.join("Cargo.toml")).ends_with(&lints), "{name} has other lints than the workspace");
    }
}

#[test]
fn files_that_examples_repeat_are_equal() {
    for file in REPEATED {
        let mut copies = Vec::new();
        for (name, folder) in examples() {
            if let Ok(text) = fs::read_to_string(folder.join("src").join(file)) {
                copies.push((name, text.split("\n#[cfg(test)]").next().unwrap().to_owned()));
            }
        }
        assert!(copies.len() > 1, "{file} is in one example only");
        for (name, text) in &copies[1..] {
            assert!(*text == copies[0].1, "{file} of {name} differs from that of {}", copies[0].0);
        }
    }
}

#[test]
fn every_example_has_a_readme_of_one_page_whose_files_exist() {
    for (name, folder) in examples() {
        let readme = read(&folder.join("README.md"));
        assert!(readme.lines().count() <= 60, "{name}: longer than a page");
        assert!(readme.contains(&format!("cargo run --bin {name} -- --demo")), "{name}: how to start it");
        for file in readme.lines().flat_map(codes).filter(|code| code.starts_with("src/") || *code == "resilient.toml")
        {
            assert!(folder.join(file).exists(), "{name}: no `{file}`");
        }
    }
}
