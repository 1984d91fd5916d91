//! A rate limit for each caller, which limits no other caller's deliveries.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use resilient_runtime::deferred::{DeferredStore, NewEntry, Put, Receipt, Scope, State, WallClock};
use resilient_runtime::policy::DeferredSettings;
use resilient_runtime::testing::deferred::MemoryStore;
use resilient_runtime::{CallContext, Resilience, resilient, testing};
use resilient_tests::failure::Failure;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use tokio::time::sleep;

use super::shop::{Order, count};

#[derive(Debug, Clone, Default)]
struct Limited {
    callers: Arc<Mutex<Vec<String>>>,
}

#[resilient]
#[tool_router]
impl Limited {
    /// Orders, once an hour for each caller.
    #[resilient(rate_limit(rate = "1/1h", burst = 1, key = caller), fallback = deferred, deferred(key = order.key))]
    #[tool]
    async fn order(&self, Parameters(order): Parameters<Order>) -> Result<String, Failure> {
        let caller = CallContext::current().and_then(|call| call.principal().map(|caller| caller.as_str().to_owned()));
        self.callers.lock().unwrap().push(caller.unwrap_or_default());
        Ok(order.key)
    }
}

#[resilient]
#[tool_handler(name = "limited")]
impl ServerHandler for Limited {}

#[test]
fn the_rate_limit_of_one_caller_does_not_delay_the_writes_of_others() {
    testing::run(async |lab| {
        let (server, store, clock) = (Limited::default(), MemoryStore::default(), WallClock::new());
        for number in 0..9_u32 {
            let (receipt, now) = (Receipt::random().unwrap(), clock.now());
            let principal = if number < 8 { "p:ann" } else { "p:bob" };
            let key = number.to_string();
            let (server, tool, principal) = ("limited".into(), "order".into(), principal.into());
            let scope = Scope { server, tool, principal, key: key.clone() };
            let (arguments, correlation_id) = (format!(r#"{{"key":"{key}"}}"#), "c".into());
            let (policy, due) = (DeferredSettings::new(), now.after(Duration::from_secs(number.into())));
            let entry = NewEntry { receipt, scope, arguments, correlation_id, policy, due, now };
            assert!(matches!(store.put(entry).await, Ok(Put::Accepted(_))));
        }
        sleep(Duration::from_secs(10)).await;
        let of_worker = server.clone();
        let settings = Resilience::from_variables([]).tools(Limited::tool_router);
        let settings = settings.deferred(store.clone(), move || of_worker.clone()).deferred_clock(clock);
        let _handle = settings.start_with(lab.registry()).unwrap();
        sleep(Duration::from_secs(60)).await;
        assert_eq!(*server.callers.lock().unwrap(), ["ann", "bob"]);
        assert_eq!((count(&store, State::Done).await, count(&store, State::Waiting).await), (2, 7));
    });
}
