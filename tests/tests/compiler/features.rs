//! The message for a key whose feature the runtime was built without.

use resilient_tests::fixture::{Fixture, Told, repository};

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

/// A limit and two breakers that replicas share. They are compiled without the feature `replicas`.
const SHARED: &str = r#"
use resilient_runtime::{ResilienceError, resilient};

#[resilient(
    rate_limit(rate = "100/1s", burst = 10, name = "search", distributed),
    breaker(name = "make", failures = 5, distributed)
)]
async fn search() -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(breaker(name = "make", distributed))]
async fn again() -> Result<u32, ResilienceError> {
    Ok(1)
}

fn main() {
    drop((search(), again()));
}
"#;

#[test]
fn deferred_without_its_feature_is_one_error() {
    let messages: Vec<_> =
        errors("deferred-without-its-feature", TOOL, "").into_iter().map(|error| error.message).collect();
    let expected =
        "`deferred` needs the feature `deferred` of `resilient-runtime`; add it in Cargo.toml, or remove the key";
    assert_eq!(messages, [expected]);
}

#[test]
fn distributed_without_its_crate_is_one_error_at_each_word() {
    let found = errors("distributed-without-its-crate", SHARED, ", \"rate-limit\"");
    let expected = Told {
        message: "`distributed` needs the crate `resilient-redis`; add it in Cargo.toml, or remove the word".into(),
        at: "distributed".into(),
    };
    assert_eq!(found, vec![expected; 3]);
}

/// Returns the errors of a program with the feature `rmcp` and these of the runtime.
fn errors(name: &str, main: &str, features: &str) -> Vec<Told> {
    let fixture = Fixture::new(name, &[(name, main)]);
    let manifest = format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"

[dependencies]
resilient-runtime = {{ path = "{}", features = ["rmcp"{features}] }}
rmcp = {{ version = "*", default-features = false, features = ["macros", "server"] }}
schemars = "*"
"#,
        repository().join("resilient-runtime").display()
    );
    fixture.write(&format!("{name}/Cargo.toml"), &manifest);
    let (errors, _) = fixture.check();
    fixture.remove();
    errors
}
