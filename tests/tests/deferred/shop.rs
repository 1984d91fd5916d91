//! A shop whose upstream can be down, and a store in memory.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use resilient_runtime::deferred::{
    DeferredStore, DeliveryInfo, Entry, NewEntry, Put, Receipt, Scope, State, Viewer, WallClock,
};
use resilient_runtime::policy::DeferredSettings;
use resilient_runtime::startup::Handle;
use resilient_runtime::testing::Lab;
use resilient_runtime::testing::deferred::MemoryStore;
use resilient_runtime::{CallContext, ErrorKind, McpError, Registry, Resilience, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{Client, authenticate, connect, request, with_meta};
use resilient_tests::wire::{CALL, meta};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, JsonObject, ServerConfig};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_handler, tool_router};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Order {
    pub(crate) key: String,
}

/// What the upstream answers with the status 200.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
pub(crate) struct Answer {
    status: String,
}

impl Answer {
    /// Returns the kind of a failure in the answer.
    fn kind(answer: &Json<Self>) -> Option<ErrorKind> {
        match &*answer.0.status {
            "placed busy" => Some(ErrorKind::Unavailable),
            "placed unknown" => Some(ErrorKind::NotFound),
            _ => None,
        }
    }
}

/// What the shop depends on, and what it has seen.
#[derive(Debug, Default)]
pub(crate) struct Upstream {
    pub(crate) is_down: AtomicBool,
    /// The milliseconds that a request takes.
    pub(crate) takes: AtomicU64,
    /// The bodies that have begun.
    pub(crate) runs: AtomicU32,
    /// The keys of the orders that were placed, each with its time.
    pub(crate) placed: Mutex<Vec<(String, Instant)>>,
    /// What the bodies have seen of their deliveries.
    pub(crate) seen: Mutex<Vec<Option<DeliveryInfo>>>,
    pub(crate) fallbacks: AtomicU32,
    /// Whether the handler passes no call on.
    pub(crate) is_stuck: AtomicBool,
    /// The user whose calls are refused.
    pub(crate) banned: Mutex<Option<String>>,
    running: AtomicU32,
    pub(crate) most_at_once: AtomicU32,
}

impl Upstream {
    pub(crate) fn down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }

    pub(crate) fn runs(&self) -> u32 {
        self.runs.load(Ordering::Relaxed)
    }

    pub(crate) fn placed(&self) -> Vec<String> {
        self.placed.lock().unwrap().iter().map(|(key, _)| key.clone()).collect()
    }

    async fn place(&self, order: Order) -> Result<String, Failure> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let now = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_once.fetch_max(now, Ordering::Relaxed);
        self.seen.lock().unwrap().push(CallContext::current().and_then(|call| call.delivery()));
        sleep(Duration::from_millis(self.takes.load(Ordering::Relaxed))).await;
        self.running.fetch_sub(1, Ordering::Relaxed);
        if self.is_down.load(Ordering::Relaxed) {
            return Err(Failure::Down);
        }
        if order.key.starts_with("missing") {
            return Err(Failure::Missing);
        }
        assert!(!order.key.starts_with("bug"), "a bug");
        self.placed.lock().unwrap().push((order.key.clone(), Instant::now()));
        Ok(format!("placed {}", order.key))
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Shop {
    pub(crate) upstream: Arc<Upstream>,
}

/// A caller who may not order.
#[derive(Debug, thiserror::Error, McpError)]
#[error("banned")]
#[mcp(kind = permission_denied)]
pub(crate) struct Banned;

impl Shop {
    #[allow(clippy::unused_async, reason = "it has to be")]
    async fn check(&self, _: &RequestContext<RoleServer>, _: &JsonObject) -> Result<(), Banned> {
        let user = CallContext::current().and_then(|call| call.principal().map(|user| user.as_str().to_owned()));
        if *self.upstream.banned.lock().unwrap() == user { Err(Banned) } else { Ok(()) }
    }

    #[allow(clippy::unused_async, reason = "it has to be")]
    async fn instead(&self, _: Parameters<Order>, error: &Failure) -> Result<String, Failure> {
        self.upstream.fallbacks.fetch_add(1, Ordering::Relaxed);
        let _ = error;
        Err(Failure::Down)
    }
}

#[resilient(timeout = "5s", breaker = "orders")]
#[tool_router(vis = "pub")]
impl Shop {
    /// Places an order.
    #[resilient(fallback = deferred, deferred(key = order.key))]
    #[tool]
    async fn order(&self, Parameters(order): Parameters<Order>) -> Result<String, Failure> {
        self.upstream.place(order).await
    }

    /// Places an order, if the caller may.
    #[resilient(fallback = deferred, deferred(key = order.key), authorize = Self::check)]
    #[tool]
    async fn order_checked(&self, Parameters(order): Parameters<Order>) -> Result<String, Failure> {
        self.upstream.place(order).await
    }

    /// Places an order elsewhere if the shop is down, and later if that is down too. Has no breaker.
    #[resilient(breaker = none, fallback = [Self::instead, deferred], deferred(key = order.key, tries = 2))]
    #[tool]
    async fn order_elsewhere(&self, Parameters(order): Parameters<Order>) -> Result<String, Failure> {
        self.upstream.place(order).await
    }

    /// Places an order at an upstream whose answers may contain failures. Has no breaker.
    #[resilient(breaker = none, classify = Answer::kind, fallback = deferred, deferred(key = order.key, tries = 2))]
    #[tool]
    async fn order_over_http(&self, Parameters(order): Parameters<Order>) -> Result<Json<Answer>, Failure> {
        self.upstream.place(order).await.map(|status| Json(Answer { status }))
    }

    /// Reads, with the last good answer as a fallback. Has no breaker.
    #[resilient(breaker = none, fallback = cached)]
    #[tool(annotations(read_only_hint = true))]
    async fn list(&self) -> Result<String, Failure> {
        if self.upstream.is_down.load(Ordering::Relaxed) { Err(Failure::Down) } else { Ok("tea".into()) }
    }
}

#[resilient]
#[tool_handler(name = "shop")]
impl ServerHandler for Shop {}

/// Authenticates each call by the member `user` of its `_meta`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Authenticated(pub(crate) Shop);

impl ServerHandler for Authenticated {
    fn get_info(&self) -> ServerConfig {
        self.0.get_info()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if self.0.upstream.is_stuck.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        authenticate(&mut context);
        self.0.call_tool(request, context).await
    }
}

/// A served shop with a worker.
pub(crate) struct Served {
    pub(crate) shop: Shop,
    pub(crate) store: MemoryStore,
    pub(crate) handle: Handle,
    pub(crate) client: Client,
    pub(crate) clock: WallClock,
}

/// Starts a worker for the shop in a registry.
pub(crate) fn start(shop: &Shop, store: impl DeferredStore, clock: WallClock, registry: &Arc<Registry>) -> Handle {
    let server = Authenticated(shop.clone());
    let settings = Resilience::from_variables([]).tools(Shop::tool_router);
    let settings = settings.deferred(store, move || server.clone()).deferred_clock(clock);
    settings.start_with(registry).unwrap()
}

/// Serves the shop and starts its worker.
pub(crate) async fn serve(lab: &Lab) -> Served {
    serve_with(lab, MemoryStore::default(), |store| store, WallClock::new()).await
}

/// Serves the shop and starts its worker under a clock, with a store around one in memory.
pub(crate) async fn serve_with<S: DeferredStore>(
    lab: &Lab,
    store: MemoryStore,
    around: impl FnOnce(MemoryStore) -> S,
    clock: WallClock,
) -> Served {
    let shop = Shop::default();
    let handle = start(&shop, around(store.clone()), clock.clone(), lab.registry());
    let client = connect(Authenticated(shop.clone())).await;
    Served { shop, store, handle, client, clock }
}

impl Served {
    pub(crate) fn upstream(&self) -> &Upstream {
        &self.shop.upstream
    }

    /// Stores an order of `ann` without a call.
    pub(crate) async fn put(&self, tool: &str, arguments: &str, due_in: Duration) -> Receipt {
        let (receipt, now) = (Receipt::random().unwrap(), self.clock.now());
        let (server, tool) = ("shop".to_owned(), tool.to_owned());
        let scope = Scope { server, tool, principal: "p:ann".into(), key: arguments.to_owned() };
        let (arguments, correlation_id) = (arguments.to_owned(), "c".to_owned());
        let (policy, due) = (DeferredSettings::new(), now.after(due_in));
        let entry = NewEntry { receipt, scope, arguments, correlation_id, policy, due, now };
        assert!(matches!(self.store.put(entry).await, Ok(Put::Accepted(_))));
        receipt
    }

    /// Calls a tool for the user `ann`.
    pub(crate) async fn call(&self, tool: &'static str, key: &str) -> CallToolResult {
        self.call_for("ann", tool, key).await
    }

    pub(crate) async fn call_for(&self, user: &str, tool: &'static str, key: &str) -> CallToolResult {
        let request = with_meta(request(tool, &json!({ "key": key })), &[("user", user)]);
        self.client.call_tool(request).await.unwrap()
    }

    /// Calls a tool whose call is deferred, and returns the receipt.
    pub(crate) async fn defer(&self, tool: &'static str, key: &str) -> Receipt {
        receipt(&self.call(tool, key).await)
    }

    pub(crate) async fn entry(&self, receipt: Receipt) -> Entry {
        entry(&self.store, receipt).await
    }

    /// Waits until an entry has ended.
    pub(crate) async fn ended(&self, receipt: Receipt) -> Entry {
        ended(&self.store, receipt).await
    }
}

pub(crate) async fn entry(store: &MemoryStore, receipt: Receipt) -> Entry {
    store.get(receipt, &Viewer::Operator).await.unwrap().expect("the entry")
}

pub(crate) async fn ended(store: &MemoryStore, receipt: Receipt) -> Entry {
    loop {
        let entry = entry(store, receipt).await;
        if !entry.summary.state.is_live() {
            return entry;
        }
        sleep(SECOND).await;
    }
}

/// The receipt in the answer of a deferred call.
pub(crate) fn receipt(answer: &CallToolResult) -> Receipt {
    let call = meta(answer, CALL);
    let Some(receipt) = call["deferred"]["receipt"].as_str() else { panic!("not deferred: {answer:?}") };
    receipt.parse().unwrap()
}

/// The number of entries in each state.
pub(crate) async fn count(store: &MemoryStore, state: State) -> u64 {
    store.counts(None).await.unwrap().of(state)
}

/// The text of a kept result.
pub(crate) fn kept_text(entry: &Entry) -> String {
    let kept: Value = serde_json::from_str(entry.result.as_deref().unwrap_or("null")).unwrap();
    kept["content"][0]["text"].as_str().unwrap_or_default().to_owned()
}
