//! Settings at start: which apply, which are rejected, and the message of a rejection.

mod compiled_switches;
mod contradictions;
mod found_later;
mod hook_settings;
mod levels;
mod project_file;
mod refusals;
mod reload;
mod reload_in_use;
#[cfg(unix)]
mod reload_of_a_process;
mod reload_of_switches;
mod reload_rules;
mod switch;
mod switches;
mod tuning;
mod unread;

use std::ffi::OsString;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::policy::{BreakerSettings, BreakerUse};
use resilient_runtime::registry::PolicyDescriptor;
use resilient_runtime::startup::{Handle, InvalidSettings};
use resilient_runtime::{Breaker, Guard, Policy, Registry, Resilience, ResilienceError, resilient};
use rmcp::{tool, tool_router};

const SECOND: Duration = Duration::from_secs(1);

struct Make;

#[resilient(timeout = "20s", breaker(name = "make-eu", failures = 7, open = "30s"))]
#[tool_router]
impl Make {
    /// Reads.
    #[resilient(retry(max = 3, base = "2s"), bulkhead(max = 5, queue = 5), rate_limit = "10/1s")]
    #[tool(annotations(read_only_hint = true))]
    async fn list_scenarios(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Writes.
    #[tool(name = "run.scenario")]
    async fn run(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Cannot carry an error, so the hook enforces its timeout.
    #[tool]
    async fn describe(&self) -> String {
        let Self = self;
        String::new()
    }

    /// Has the hook alone.
    #[tool]
    fn now(&self) -> String {
        let Self = self;
        String::new()
    }
}

fn variables(pairs: &[(&str, &str)]) -> Resilience {
    Resilience::from_variables(pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))))
}

/// Returns the result of a start with these variables, and the registry to which they apply.
fn start(pairs: &[(&str, &str)]) -> (Result<Handle, InvalidSettings>, Arc<Registry>) {
    let registry = Arc::new(Registry::new());
    (variables(pairs).tools(Make::tool_router).start_with(&registry), registry)
}

fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
    start(pairs).0.expect_err("refused").problems().to_vec()
}

fn policy(registry: &Registry, tool: &str) -> PolicyDescriptor {
    *registry.policies().iter().find(|policy| policy.tool == Some(tool)).expect("a known tool")
}

/// A file that is removed with the test.
struct TempFile(std::path::PathBuf);

impl TempFile {
    fn new(text: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("resilient-{}-{}.toml", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
        Self(path)
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).expect("the file is written");
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path that is text")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

static GUARD: Guard = Guard::new("guarded", Policy::new().breaker(BreakerUse::named("named-only")));
static OWN: Breaker = Breaker::new("own", BreakerSettings::new());
static WITH_OWN: Guard = Guard::new("with_own", Policy::new()).with_breaker(&OWN);
