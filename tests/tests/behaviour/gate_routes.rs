//! The gate and routers: hooked twice, decorated, instrumented for each session, or without a hook.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use resilient_policy::{GateSettings, Switches};
use resilient_runtime::gate::Level;
use resilient_runtime::{CallContext, Registry, mcp, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::gated::{Gated, WRITES};
use resilient_tests::in_process::{call, connect};
use resilient_tests::logs::{Events, listen};
use resilient_tests::wire::{CALL, error, meta, text};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use serde_json::json;
use tokio::time::sleep;
use tracing_subscriber::layer::SubscriberExt as _;

/// Returns the router with other code around each route.
fn decorated(mut router: ToolRouter<Gated>) -> ToolRouter<Gated> {
    for route in router.map.values_mut() {
        let inner = Arc::clone(&route.call);
        route.call = Arc::new(move |context| inner(context));
    }
    router
}

#[tokio::test(start_paused = true)]
async fn a_router_that_is_hooked_twice_or_decorated_keeps_what_its_functions_say() {
    let hooked = || mcp::instrument(Gated::tools_of_block());
    for (router, is_certain) in [
        (hooked(), true),
        (mcp::instrument(hooked()), true),
        (mcp::instrument(decorated(hooked())), false),
        (mcp::instrument(decorated(Gated::tools_of_block())), false),
    ] {
        let server = Gated::of(router, Arc::new(Registry::new()));
        let (registry, bodies) = (server.registry(), server.bodies());
        let client = connect(server).await;
        let reason = async |tool| error(&call(&client, tool, &json!({})).await)["details"]["reason"].clone();
        registry.gate().set_level(Some(Level::Minimal)).expect("set");
        // A key and no annotation says that it reads.
        assert_eq!(reason("read").await, "cache_only", "{is_certain}");
        assert_eq!(reason("read_text").await, "cache_only", "{is_certain}");
        assert_eq!(bodies.ran.load(Ordering::Relaxed), 0);
        assert_eq!(text(&call(&client, "write", &json!({})).await), "done");
        registry.gate().set_level(None).expect("set");
        let switches = Switches { read_only: true, ..Switches::default() };
        registry.gate().__reload(GateSettings { switches, ..GateSettings::default() });
        for tool in WRITES.into_iter().filter(|tool| *tool != "write_by_hand") {
            assert_eq!(reason(tool).await, "read_only", "{tool} {is_certain}");
        }
        let read = call(&client, "read", &json!({})).await;
        if is_certain {
            assert_eq!(text(&read), "done");
        } else {
            assert_eq!(error(&read)["kind"], "read_only", "its route may do more than the function");
        }
        assert_eq!(bodies.forbidden.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_dropped_is_forgotten() {
    // Addresses are used again, and the code of another route must not become the function of the first.
    for _ in 0..50 {
        drop(mcp::instrument(Gated::tools_of_block()));
        let server = Gated::of(mcp::instrument(decorated(Gated::tools_of_block())), Arc::new(Registry::new()));
        let switches = Switches { read_only: true, ..Switches::default() };
        server.registry().gate().__reload(GateSettings { switches, ..GateSettings::default() });
        let client = connect(server).await;
        assert_eq!(error(&call(&client, "read", &json!({})).await)["kind"], "read_only");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kept_answer_is_served_through_the_router_of_another_session() {
    let registry = Arc::new(Registry::new());
    let session = || connect(Sessions::new(&registry));
    let client = session().await;
    assert_eq!(text(&call(&client, "look", &json!({ "key": 1 })).await), "seen");
    registry.gate().set_level(Some(Level::Minimal)).expect("set");
    let other = session().await;
    let kept = call(&other, "look", &json!({ "key": 1 })).await;
    assert_eq!(meta(&kept, CALL)["source"], "cache", "{}", text(&kept));
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Key {
    key: u32,
}

/// A server with a router for each session, whose tools call each other.
#[derive(Clone)]
struct Sessions {
    registry: Arc<Registry>,
    router: Arc<ToolRouter<Self>>,
}

impl Sessions {
    fn new(registry: &Arc<Registry>) -> Self {
        Self { registry: Arc::clone(registry), router: Arc::new(mcp::instrument(Self::tools())) }
    }

    /// Calls a tool through the router.
    async fn through_router(
        &self,
        tool: &'static str,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let call = ToolCallContext::new(self, CallToolRequestParams::new(tool), context);
        match self.router.call(call).await? {
            CallToolResponse::Complete(result) => Ok(result),
            other => panic!("{other:?}"),
        }
    }
}

#[resilient(timeout = "30s")]
#[tool_router(router = tools)]
impl Sessions {
    /// Reads, and keeps its answers.
    #[resilient(fallback = cached, cache(scope = shared))]
    #[tool(annotations(read_only_hint = true))]
    async fn look(&self, Parameters(Key { key }): Parameters<Key>) -> Result<String, Failure> {
        assert!(key < 10);
        Ok("seen".into())
    }

    /// Writes.
    #[tool]
    async fn inner(&self) -> Result<String, Failure> {
        sleep(Duration::from_millis(50)).await;
        Ok("inner".into())
    }

    /// Calls another tool through the router.
    #[tool]
    async fn outer(&self, context: RequestContext<RoleServer>) -> Result<CallToolResult, ErrorData> {
        self.through_router("inner", context).await
    }

    /// Leaves a task behind that calls another tool through the router.
    #[tool]
    async fn leaves(&self, context: RequestContext<RoleServer>) -> Result<String, Failure> {
        let server = self.clone();
        let registry = Arc::clone(&self.registry);
        let later = registry.scope(async move {
            sleep(Duration::from_millis(100)).await;
            let answer = server.through_router("inner", context).await.expect("an answer");
            let reason = error(&answer)["details"]["reason"].clone();
            assert_eq!(reason, "concurrency");
            tracing::info!(event = "test.refused");
        });
        let current = CallContext::current().expect("a context");
        tokio::spawn(current.instrument(later));
        Ok("left".into())
    }
}

impl ServerHandler for Sessions {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let registry = Arc::clone(&self.registry);
        registry.scope(self.router.call(ToolCallContext::new(self, request, context))).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_calls_a_tool_through_the_router_counts_once_and_does_not_say_that_nothing_was_changed() {
    let registry = Arc::new(Registry::new());
    let client = connect(Sessions::new(&registry)).await;
    let mut settings = GateSettings { level: Some(Level::Degraded), ..GateSettings::default() };
    settings.levels.effect_mut(Level::Degraded).concurrency = Some(1);
    registry.gate().__start(settings);
    assert_eq!(text(&call(&client, "outer", &json!({})).await), "inner");
    registry.gate().switch_tool("inner", false).expect("known");
    let direct = call(&client, "inner", &json!({})).await;
    assert_eq!(error(&direct)["details"]["performed"], false);
    let within = call(&client, "outer", &json!({})).await;
    let refused = error(&within);
    assert_eq!((&refused["kind"], &refused["details"]["performed"]), (&json!("disabled"), &json!(null)), "{refused}");
    assert!(!text(&within).contains("Nothing was changed"), "{}", text(&within));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_outlives_its_tool_is_no_part_of_its_call() {
    let events = Events::default();
    let _listening = listen(tracing_subscriber::registry().with(events.clone()));
    let registry = Arc::new(Registry::new());
    let client = Arc::new(connect(Sessions::new(&registry)).await);
    let mut settings = GateSettings { level: Some(Level::Degraded), ..GateSettings::default() };
    settings.levels.effect_mut(Level::Degraded).concurrency = Some(1);
    registry.gate().__start(settings);
    assert_eq!(text(&call(&client, "leaves", &json!({})).await), "left");
    sleep(Duration::from_millis(90)).await;
    let running = tokio::spawn(async move { text(&call(&client, "inner", &json!({})).await) });
    assert_eq!(running.await.expect("no panic"), "inner");
    sleep(Duration::from_millis(100)).await;
    assert!(events.seen().iter().any(|line| line.contains("test.refused")), "{:#?}", events.seen());
}

struct Unhooked;

#[tool_router]
impl Unhooked {
    /// Has a policy and no hook.
    #[resilient(timeout = "5s")]
    #[tool]
    async fn unhooked_write(&self) -> Result<String, Failure> {
        Ok("written".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_without_a_hook_is_warned_of_once_a_switch_may_be_set() {
    let events = Events::default();
    let _listening = listen(tracing_subscriber::registry().with(events.clone()));
    drop(Unhooked::tool_router());
    Registry::new().gate().set_level(None).expect("set");
    for _ in 0..2 {
        assert_eq!(Unhooked.unhooked_write().await.expect("not gated"), "written");
    }
    let seen = events.seen();
    let warned: Vec<_> = seen.iter().filter(|line| line.contains("unhooked_write") && line.contains("WARN")).collect();
    assert!(matches!(warned[..], [line] if line.contains("no switch and no level reaches it")), "{warned:#?}");
}
