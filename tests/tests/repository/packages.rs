//! The files that each library crate publishes to crates.io.

use std::fs;
use std::path::Path;
use std::process::Command;

use resilient_tests::fixture::repository;

/// The files that cargo adds.
const OF_CARGO: [&str; 4] = [".cargo_vcs_info.json", "Cargo.lock", "Cargo.toml", "Cargo.toml.orig"];

/// The files that all packages share, as links to files of the repository.
const OF_ALL: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// The packages that have the README of the repository.
const OF_REPOSITORY: [&str; 5] =
    ["resilient-policy", "resilient-macros", "resilient-runtime", "resilient-sqlite", "resilient-redis"];

/// The packages with their own README.
const WITH_README: [&str; 2] = ["resilient-client", "resilient-proxy"];

/// The sources, and the pages, expectations and scripts that they include.
const OF_SOURCES: [&str; 5] = ["rs", "md", "snap", "css", "lua"];

fn packaged(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline", "--package", package])
        .current_dir(repository())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Windows uses backslashes.
    String::from_utf8(output.stdout).expect("text").lines().map(|path| path.replace('\\', "/")).collect()
}

/// Returns all files under a folder of a package, with paths relative to the package.
fn sources(package: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(package, &path, found);
        } else {
            let name = path.strip_prefix(package).expect("inside").display().to_string();
            found.push(name.replace('\\', "/"));
        }
    }
}

#[test]
fn a_package_holds_its_sources_a_readme_both_licences_and_nothing_else() {
    for name in OF_REPOSITORY.into_iter().chain(WITH_README) {
        let folder = repository().join(name);
        let mut expected: Vec<String> = OF_ALL.map(String::from).into();
        sources(&folder, &folder.join("src"), &mut expected);
        assert!(expected.contains(&"src/lib.rs".into()), "{expected:?}");
        let found = packaged(name);
        for file in &expected {
            assert!(found.contains(file), "{name} lacks {file}");
        }
        for file in found.iter().filter(|file| !OF_CARGO.contains(&file.as_str())) {
            assert!(expected.contains(file), "{name} has {file}, which is no source of it");
            let known =
                Path::new(file).extension().is_none_or(|extension| OF_SOURCES.iter().any(|of| extension == *of));
            assert!(known, "{name} has {file}: something that a test or an editor left there?");
        }
    }
}

#[test]
fn the_guide_is_in_the_package_page_by_page() {
    let found = packaged("resilient-runtime");
    let index = fs::read_to_string(repository().join("resilient-runtime/src/guide/mod.rs")).expect("an index");
    let pages: Vec<_> = index.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(pages.len() > 5, "{pages:?}");
    for page in pages {
        assert!(found.contains(&format!("src/guide/{page}")), "{page}");
    }
}

#[test]
fn what_the_crates_share_is_what_the_repository_has() {
    let all = OF_REPOSITORY.into_iter().map(|name| (name, &OF_ALL[..]));
    for (name, files) in all.chain(WITH_README.into_iter().map(|name| (name, &OF_ALL[..2]))) {
        for file in files {
            let text =
                |path: &Path| fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(text(&repository().join(name).join(file)), text(&repository().join(file)), "{name}/{file}");
        }
    }
}
