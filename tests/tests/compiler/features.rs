//! The message for a key whose feature the runtime was built without.

use resilient_tests::fixture::{Fixture, repository};

/// A tool with `fallback = deferred`. It is compiled without the feature `deferred`.
const TOOL: &str = r#"
use resilient_runtime::{ResilienceError, resilient};
use rmcp::{tool, tool_router};

struct Shop;

#[resilient]
#[tool_router]
impl Shop {
    /// Closes the shop.
    #[resilient(fallback = deferred, deferred(tries = 3))]
    #[tool(annotations(idempotent_hint = true))]
    async fn close(&self) -> Result<String, ResilienceError> {
        Ok("closed".into())
    }
}

fn main() {
    let _ = Shop::tool_router();
}
"#;

#[test]
fn deferred_without_its_feature_is_one_error() {
    let name = "deferred-without-its-feature";
    let fixture = Fixture::new(name, &[(name, TOOL)]);
    let manifest = format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"

[dependencies]
resilient-runtime = {{ path = "{}", features = ["rmcp"] }}
rmcp = {{ version = "*", default-features = false, features = ["macros", "server"] }}
schemars = "*"
"#,
        repository().join("resilient-runtime").display()
    );
    fixture.write(&format!("{name}/Cargo.toml"), &manifest);
    let (errors, _) = fixture.check();
    fixture.remove();
    let messages: Vec<_> = errors.iter().map(|error| &*error.message).collect();
    let expected =
        "`deferred` needs the feature `deferred` of `resilient-runtime`; add it in Cargo.toml, or remove the key";
    assert_eq!(messages, [expected]);
}
