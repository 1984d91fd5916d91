//! The public API of the published crates. A change of it is visible in review as a change of a snapshot.
//!
//! After a change that you intend: `INSTA_UPDATE=always cargo test -p resilient-tests --test repository public_api`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use resilient_tests::fixture::repository;

/// Documents `package` as JSON. Each version of that format works with some compilers only.
fn rustdoc_json(package: &str, rustdoc: &Path) -> PathBuf {
    let target = repository().join("target/public-api");
    let output = Command::new(env!("CARGO"))
        .args(["rustdoc", "--lib", "--all-features", "--package", package])
        .args(["--", "-Z", "unstable-options", "--output-format", "json"])
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTDOC", rustdoc)
        .current_dir(repository())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join(format!("doc/{}.json", package.replace('-', "_")))
}

/// Returns a `rustdoc` that supports the unstable format, although the toolchain is stable.
#[cfg(unix)]
fn unstable_rustdoc(directory: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;

    let path = directory.join("rustdoc");
    std::fs::write(&path, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n").expect("a script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("permissions");
    path
}

#[cfg(unix)]
#[test]
fn every_change_of_the_public_api_is_a_change_of_its_snapshot() {
    let directory = tempfile::tempdir().expect("a directory");
    let rustdoc = unstable_rustdoc(directory.path());
    for package in ["resilient-client", "resilient-policy", "resilient-redis", "resilient-runtime", "resilient-sqlite"]
    {
        let json = rustdoc_json(package, &rustdoc);
        let api = public_api::Builder::from_rustdoc_json(json)
            .omit_auto_derived_impls(true)
            .omit_auto_trait_impls(true)
            .omit_blanket_impls(true)
            .build();
        match api {
            Ok(api) => insta::assert_snapshot!(package, api),
            Err(why) => writeln!(std::io::stderr(), "\nSKIPPED: public_api: {why}").expect("stderr"),
        }
    }
}
