//! Levels, features and switches of `resilient.toml`: what does not compile, and what they do at run time.

use resilient_tests::fixture::{Fixture, Told};

const SHOP: &str = r#"
use resilient_runtime::{Registry, ResilienceError, resilient};
use rmcp::{tool, tool_router};

struct Shop;

#[resilient]
#[tool_router]
impl Shop {
    /// Exports.
    #[resilient(feature = "exports")]
    #[tool]
    async fn export(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Returns the time.
    #[tool]
    fn now(&self) -> String {
        String::new()
    }
}

fn main() {
    let listed: Vec<_> = Shop::tool_router().list_all().into_iter().map(|tool| tool.name).collect();
    let state = Registry::global().gate().state();
    let off: Vec<_> = state.features_off.iter().map(|feature| feature.name.as_str()).collect();
    println!("{} {listed:?} {off:?}", state.level.as_str());
}
"#;

// rule 65
#[test]
fn the_switches_of_the_compiled_file_hold_at_run_time() {
    let fixture = Fixture::new("switched", &[("switched", SHOP)]);
    let runtime = concat!(env!("CARGO_MANIFEST_DIR"), "/../resilient-runtime");
    fixture.write(
        "switched/Cargo.toml",
        &format!(
            "[package]\nname = \"switched\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
             resilient-runtime = {{ path = {runtime:?} }}\n\
             rmcp = {{ version = \"3\", default-features = false, features = [\"macros\", \"server\"] }}\n"
        ),
    );
    fixture.write("switched/resilient.toml", "[feature.export]\n");
    let message = "no feature `exports` in `resilient.toml`; did you mean `export`?".into();
    assert_eq!(fixture.check().0, [Told { message, at: "\"exports\"".into() }]);

    let ran = || {
        let output = fixture.cargo(&["run", "--package", "switched"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let declared = "[feature.exports]\n[level.degraded]\ndisable = [\"exports\"]\n";
    fixture.write("switched/resilient.toml", declared);
    assert_eq!(ran(), "normal [\"export\", \"now\"] []\n");
    let switched = "[level]\nstart = \"degraded\"\n[tool.now]\nenabled = false\n";
    fixture.write("switched/resilient.toml", &format!("{declared}{switched}"));
    assert_eq!(ran(), "degraded [\"export\"] [\"exports\"]\n");
}
