//! What is wrong with the set-up of deferred writes is an error at start.

use std::sync::Arc;

use resilient_runtime::testing::deferred::MemoryStore;
use resilient_runtime::{Registry, Resilience, ResilienceError, resilient};
use rmcp::{ServerHandler, tool, tool_router};

use super::shop::Shop;

#[derive(Debug, Clone)]
struct Unnamed;

impl ServerHandler for Unnamed {}

/// A server whose handler is generated, which cannot be named.
#[derive(Debug, Clone)]
struct Generated;

#[resilient]
#[tool_router(server_handler)]
#[allow(clippy::unused_self, clippy::unused_async, reason = "a tool has to be an async method")]
impl Generated {
    #[resilient(fallback = deferred)]
    #[tool(annotations(idempotent_hint = true))]
    async fn generated(&self) -> Result<String, ResilienceError> {
        Ok("done".to_owned())
    }
}

fn problems(settings: Resilience) -> Vec<String> {
    let registry = Arc::new(Registry::new());
    settings.tools(Shop::tool_router).start_with(&registry).unwrap_err().problems().to_vec()
}

#[test]
fn a_tool_that_defers_without_a_store_is_an_error_that_names_the_tool() {
    let problems = problems(Resilience::from_variables([]));
    assert_eq!(problems.len(), 4, "{problems:?}");
    let expected = "the tool `order` has `fallback = deferred`, and there is no store; set one with \
                    `Resilience::deferred(store, || server.clone())`";
    assert!(problems.iter().any(|problem| problem.contains("shop.rs:") && problem.ends_with(expected)), "{problems:?}");
}

#[test]
fn deferred_writes_need_a_runtime() {
    let problems = problems(Resilience::from_variables([]).deferred(MemoryStore::default(), Shop::default));
    assert_eq!(problems, ["deferred writes are delivered in a Tokio runtime; call `Resilience::start` within one"]);
}

#[tokio::test]
async fn a_server_without_a_name_cannot_defer() {
    let problems = problems(Resilience::from_variables([]).deferred(MemoryStore::default(), || Unnamed));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("the server is called `rmcp`, as any server without a name"), "{problems:?}");
}

#[tokio::test]
async fn a_server_with_a_generated_handler_reads_what_to_write_instead() {
    let problems = problems(Resilience::from_variables([]).deferred(MemoryStore::default(), || Generated));
    assert_eq!(problems.len(), 1, "{problems:?}");
    let expected = "name it, as in `#[tool_handler(name = \"orders\")] impl ServerHandler for Orders {}`, which you write \
                    instead of `server_handler` in `#[tool_router(server_handler)]`";
    assert!(problems[0].ends_with(expected), "{problems:?}");
}

#[tokio::test]
async fn a_function_that_panics_instead_of_making_a_server_is_an_error() {
    fn broken() -> Shop {
        panic!("no server")
    }
    let problems = problems(Resilience::from_variables([]).deferred(MemoryStore::default(), broken));
    assert_eq!(problems, ["the function that `Resilience::deferred` received for the server panicked"]);
}

#[tokio::test]
async fn a_registry_has_one_store() {
    let registry = Arc::new(Registry::new());
    let start = || {
        let settings = Resilience::from_variables([]).tools(Shop::tool_router);
        settings.deferred(MemoryStore::default(), Shop::default).start_with(&registry)
    };
    start().unwrap();
    let again = start().unwrap_err();
    assert_eq!(again.problems(), ["the tools already defer their writes to a store; call `Resilience::start` once"]);
}
