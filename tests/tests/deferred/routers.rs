//! A tool that the worker does not know, because its router was not passed on.

use resilient_runtime::deferred::{DeferredStore as _, WallClock};
use resilient_runtime::testing::deferred::MemoryStore;
use resilient_runtime::{Resilience, resilient, testing};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{call, connect};
use resilient_tests::wire::{error, text};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use serde_json::json;

#[derive(Debug, Clone)]
struct Closed;

#[resilient]
#[tool_router]
impl Closed {
    /// Sets what is known.
    #[resilient(fallback = deferred, idempotent)]
    #[tool]
    async fn set(&self) -> Result<String, Failure> {
        Err(Failure::Down)
    }
}

#[resilient]
#[tool_router(router = more)]
impl Closed {
    /// Sets what is in the other router.
    #[resilient(fallback = deferred, idempotent)]
    #[tool]
    async fn set_more(&self) -> Result<String, Failure> {
        Err(Failure::Down)
    }
}

#[resilient]
#[tool_handler(name = "closed", router = Self::tool_router() + Self::more())]
impl ServerHandler for Closed {}

/// Another version of the server, with a tool of the same name.
#[derive(Debug, Clone)]
struct Newer;

#[resilient]
#[tool_router]
impl Newer {
    /// Sets what is known to the newer version.
    #[resilient(fallback = deferred, idempotent)]
    #[tool]
    async fn set(&self) -> Result<String, Failure> {
        Err(Failure::Down)
    }
}

#[resilient]
#[tool_handler(name = "newer")]
impl ServerHandler for Newer {}

#[test]
fn the_worker_of_one_server_delivers_no_call_of_another_one_whose_tool_has_the_same_name() {
    testing::run(async |lab| {
        lab.set_principal(Some("ann"));
        let store = MemoryStore::default();
        let settings = Resilience::from_variables([]).tools(Closed::tool_router);
        let settings = settings.deferred(store.clone(), || Closed).deferred_clock(WallClock::new());
        let _handle = settings.start_with(lab.registry()).unwrap();
        let (closed, newer) = (connect(Closed).await, connect(Newer).await);
        let answer = call(&closed, "set", &json!({})).await;
        assert!(text(&answer).starts_with("ACCEPTED_FOR_LATER"), "{}", text(&answer));
        // It does not find the entry of the other server either.
        let facts = error(&call(&newer, "set", &json!({})).await);
        assert_eq!(facts["details"]["deferred"], json!({ "accepted": false, "reason": "unknown_tool" }));
        assert_eq!(store.counts(None).await.unwrap().waiting, 1);
    });
}

#[test]
fn a_tool_that_no_worker_delivers_accepts_nothing() {
    testing::run(async |lab| {
        lab.set_principal(Some("ann"));
        let store = MemoryStore::default();
        let settings = Resilience::from_variables([]).tools(Closed::tool_router);
        let settings = settings.deferred(store.clone(), || Closed).deferred_clock(WallClock::new());
        let _handle = settings.start_with(lab.registry()).unwrap();
        let client = connect(Closed).await;
        let answer = call(&client, "set", &json!({})).await;
        assert!(text(&answer).starts_with("ACCEPTED_FOR_LATER"), "{}", text(&answer));
        let facts = error(&call(&client, "set_more", &json!({})).await);
        assert_eq!(facts["kind"], "unavailable");
        assert_eq!(facts["details"]["deferred"], json!({ "accepted": false, "reason": "unknown_tool" }));
        assert_eq!(store.counts(None).await.unwrap().waiting, 1);
    });
}
