//! What the compiler says: each message under `ui/*/fail` as it is, and what must compile.

use std::process::Command;

/// The compiler whose words the `.stderr` files hold: that of `rust-toolchain.toml`.
const PINNED: &str = "rustc 1.95.0 ";

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().expect("a compiler");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn messages_and_hygiene() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/*/pass/*.rs");
    let compiler = compiler();
    if compiler.starts_with(PINNED) {
        cases.compile_fail("ui/*/fail/*.rs");
    } else {
        eprintln!("SKIPPED: the messages are compared on {PINNED}only, this is {compiler}");
    }
}
