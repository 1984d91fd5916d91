//! The gate: which bodies run while switches are set, in paused time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use resilient_policy::{GateSettings, Switches};
use resilient_runtime::gate::{GateError, Level, LevelSource};
use resilient_runtime::statistics::Rejected;
use resilient_runtime::{Outcome, Registry, mcp, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::gated::{Gated, READS, TAKES, WAITS, WRITES};
use resilient_tests::in_process::{Client, call, connect, request};
use resilient_tests::wire::{CALL, ERROR, error, meta, text};
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use serde_json::{Value, json};

/// A step of an operator, of time, or of a client.
#[derive(Debug, Clone)]
enum Step {
    Level(Option<Level>),
    Health(Level),
    Tool(&'static str, bool),
    Reload(Box<GateSettings>),
    Call(&'static str),
    Wait(Duration),
}

fn level() -> impl Strategy<Value = Level> {
    (0..Level::ALL.len()).prop_map(|at| Level::ALL[at])
}

fn tool() -> impl Strategy<Value = &'static str> {
    let all = || WRITES.into_iter().chain(READS).chain(WAITS);
    (0..all().count()).prop_map(move |at| all().nth(at).expect("a tool"))
}

fn settings() -> impl Strategy<Value = GateSettings> {
    (any::<bool>(), proptest::option::of(tool()), proptest::option::of(level()), any::<bool>()).prop_map(
        |(read_only, tool, level, automatic)| {
            let tools = tool.into_iter().map(str::to_owned).collect();
            let switches = Switches { read_only, tools, ..Switches::default() };
            GateSettings { switches, level, automatic, ..GateSettings::default() }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => proptest::option::of(level()).prop_map(Step::Level),
        1 => level().prop_map(Step::Health),
        1 => (tool(), any::<bool>()).prop_map(|(tool, enabled)| Step::Tool(tool, enabled)),
        1 => settings().prop_map(|settings| Step::Reload(settings.into())),
        8 => tool().prop_map(Step::Call),
        2 => (1_u64..80).prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
    ]
}

fn arguments(tool: &str) -> Value {
    if tool == "read_cached" { json!({ "key": 1 }) } else { json!({}) }
}

/// Returns the reason for which the state of the gate refuses a call that begins now.
fn expected(registry: &Registry, tool: &str) -> Option<&'static str> {
    let state = registry.gate().state();
    let most = state.concurrency.map_or(u32::MAX, |all| all - (all / 5).max(u32::from(all > 1)));
    let reads = READS.contains(&tool) || tool == "read_queued";
    if state.tools_off.iter().any(|off| off.name == tool) {
        Some("disabled")
    } else if !reads && state.read_only.is_some() {
        Some("read_only")
    } else if reads && state.cache_only {
        Some("cache_only")
    } else {
        (state.in_flight >= most).then_some("concurrency")
    }
}

/// Returns the reason for which a call was refused.
fn refused(answer: &CallToolResult) -> Option<String> {
    let of_fallback = meta(answer, CALL)["reason"].as_str().map(ToOwned::to_owned);
    of_fallback.or_else(|| meta(answer, ERROR)["details"]["reason"].as_str().map(ToOwned::to_owned))
}

async fn sequence(start: GateSettings, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let server = Gated::new();
    let (registry, bodies) = (server.registry(), server.bodies());
    let gate = registry.gate();
    gate.__start(start);
    let client = Arc::new(connect(server).await);
    let mut running = Vec::new();
    for step in steps {
        match step {
            Step::Level(level) => drop(gate.set_level(level)),
            Step::Health(level) => gate.__level_by_health(level),
            Step::Tool(tool, enabled) => drop(gate.switch_tool(tool, enabled)),
            Step::Reload(settings) => drop(gate.__reload(*settings)),
            Step::Wait(time) => tokio::time::sleep(time).await,
            Step::Call(tool) => {
                let (expected, ran) = (expected(&registry, tool), bodies.ran.load(Ordering::Relaxed));
                let client = Arc::clone(&client);
                let mut answer = tokio::spawn(async move { client.call_tool(request(tool, &arguments(tool))).await });
                // The clock moves once the server has nothing left to do.
                let early = tokio::time::timeout(Duration::from_millis(1), &mut answer).await;
                let began = bodies.ran.load(Ordering::Relaxed) - ran;
                let waits = WAITS.contains(&tool);
                if !waits {
                    prop_assert_eq!(began, u32::from(expected.is_none()), "{} {:?}", tool, expected);
                }
                match early {
                    Ok(answer) => {
                        let answer = answer.expect("no panic").expect("an answer");
                        let refused = refused(&answer);
                        prop_assert_eq!(refused.as_deref(), expected, "{} {:?}", tool, answer);
                    }
                    Err(_) => running.push((waits, answer)),
                }
            }
        }
    }
    for (waits, answer) in running {
        let answer = answer.await.expect("no panic").expect("an answer");
        let is_refused = waits && (refused(&answer).is_some() || !meta(&answer, ERROR)["reason"].is_null());
        prop_assert!(is_refused || answer.is_error == Some(false), "what runs is not cut off: {}", text(&answer));
    }
    prop_assert_eq!(bodies.forbidden.load(Ordering::Relaxed), 0);
    prop_assert_eq!(gate.state().in_flight, 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_body_runs_that_a_switch_forbids_whatever_kind_of_tool_it_is_of(
        start in settings(),
        steps in proptest::collection::vec(step(), 1..50),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(sequence(start, steps))?;
    }
}

#[tokio::test(start_paused = true)]
async fn functions_and_guards_within_a_body_and_functions_outside_of_a_route_are_never_gated() {
    let server = Gated::new();
    let (registry, bodies) = (server.registry(), server.bodies());
    let client = Arc::new(connect(server.clone()).await);
    let running = {
        let client = Arc::clone(&client);
        tokio::spawn(async move { call(&client, "write", &json!({})).await })
    };
    tokio::time::sleep(TAKES / 2).await;
    registry.gate().set_level(Some(Level::Emergency)).expect("set");
    assert_eq!(text(&running.await.expect("no panic")), "done", "its nested calls begin after the switch");
    assert_eq!(bodies.nested.load(Ordering::Relaxed), 1);
    assert_eq!(error(&call(&client, "write", &json!({})).await)["kind"], "read_only");
    assert_eq!(registry.clone().scope(server.called_directly()).await.expect("not gated"), "done");
    for tool in ["health_check", "get_metrics", "circuit_status", "recent_errors"] {
        let answer = call(&client, tool, &json!({})).await;
        assert_eq!(answer.is_error, Some(false), "{tool}: {}", text(&answer));
    }
}

/// A tool with everything that a rejected call could use up.
struct Careful(Arc<Registry>);

#[resilient(timeout = "30s")]
#[tool_router(router = tools)]
impl Careful {
    /// Has a chain of all fallbacks.
    #[resilient(
        fallback = [cached, instead, value("a value".to_owned())],
        retry = 2,
        breaker(name = "gate.careful", failures = 4),
        rate_limit(rate = "1/1h", burst = 4),
        bulkhead(max = 1)
    )]
    #[tool(annotations(read_only_hint = true))]
    async fn chained(&self, context: RequestContext<RoleServer>) -> Result<String, Failure> {
        tokio::time::sleep(TAKES).await;
        Ok(format!("fresh {}", context.id))
    }

    /// Writes, and has a value.
    #[resilient(fallback = value("not now".to_owned()))]
    #[tool]
    async fn valued(&self) -> Result<String, Failure> {
        Ok("written".to_owned())
    }
}

async fn instead(_: RequestContext<RoleServer>, _: &Failure) -> Result<String, Failure> {
    Ok("a function".into())
}

impl ServerHandler for Careful {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.0.clone().scope(Self::tools().call(ToolCallContext::new(self, request, context))).await
    }
}

async fn ask(client: &Client, tool: &'static str, key: u32) -> CallToolResult {
    call(client, tool, &json!({ "key": key })).await
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_uses_up_nothing_and_only_what_is_kept_answers_in_cache_only() {
    let registry = Arc::new(Registry::new());
    let client = connect(Careful(Arc::clone(&registry))).await;
    let fresh = text(&ask(&client, "chained", 1).await);
    registry.gate().set_level(Some(Level::Minimal)).expect("set");
    for _ in 0..5 {
        let kept = ask(&client, "chained", 1).await;
        assert!(text(&kept).starts_with(&fresh) && text(&kept).contains("(cache_only)"), "{}", text(&kept));
        let call = meta(&kept, CALL);
        assert_eq!(
            (&call["source"], &call["reason"], &call["attempts"]),
            (&json!("cache"), &json!("cache_only"), &json!(0))
        );
        let unknown = ask(&client, "chained", 2).await;
        let error = error(&unknown);
        assert_eq!((&error["kind"], &error["code"]), (&json!("unavailable"), &json!("CACHE_ONLY")), "{error}");
        assert_eq!(error["details"]["performed"], false);
        assert!(!text(&unknown).contains("Nothing was changed"), "it reads: {}", text(&unknown));
    }
    registry.gate().set_level(None).expect("set");
    let read = registry.tool("chained").expect("bound");
    assert_eq!((read.rejected(Rejected::CacheOnly), read.rejected(Rejected::RateLimit)), (10, 0));
    assert_eq!((read.outcome(Outcome::Fallback), read.outcome(Outcome::Rejected)), (5, 5));
    assert_eq!((read.attempts, read.in_flight), (1, 0));
    assert_eq!((read.consecutive_failures, read.last_outcome), (0, Some(Outcome::Ok)), "the tool has not failed");
    assert!(registry.recent_errors().is_empty());
    let breaker = registry.breakers().into_iter().find(|read| read.name == "gate.careful").expect("bound");
    assert_eq!((breaker.state.as_str(), breaker.rejected), ("closed", 0));
    for key in 3..6 {
        assert!(text(&ask(&client, "chained", key).await).starts_with("fresh"), "three of four tokens are left");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_beyond_the_limit_gets_what_is_kept_or_a_value_and_no_function() {
    let registry = Arc::new(Registry::new());
    let client = Arc::new(connect(Careful(Arc::clone(&registry))).await);
    let mut settings = GateSettings::default();
    settings.levels.effect_mut(Level::Degraded).concurrency = Some(1);
    settings.level = Some(Level::Degraded);
    registry.gate().__start(settings);
    assert_eq!(text(&ask(&client, "valued", 0).await), "written");
    let fresh = text(&ask(&client, "chained", 1).await);
    let running = {
        let client = Arc::clone(&client);
        tokio::spawn(async move { ask(&client, "chained", 2).await })
    };
    tokio::time::sleep(TAKES / 2).await;
    let kept = ask(&client, "chained", 1).await;
    assert!(text(&kept).starts_with(&fresh) && text(&kept).contains("(concurrency)"), "{}", text(&kept));
    let value = ask(&client, "chained", 3).await;
    assert!(text(&value).starts_with("a value"), "{}", text(&value));
    assert!(text(&ask(&client, "valued", 0).await).starts_with("not now"));
    assert!(text(&running.await.expect("no panic")).starts_with("fresh"), "a lower limit ends no call");
    let read = registry.tool("chained").expect("bound");
    assert_eq!((read.rejected(Rejected::Concurrency), read.consecutive_failures), (2, 0));
    registry.gate().set_level(Some(Level::Emergency)).expect("set");
    let refused = ask(&client, "valued", 0).await;
    assert_eq!(error(&refused)["kind"], "read_only", "no value answers for it: {}", text(&refused));
}

/// Returns a route of this name, which is the route `other`, or else code without a guard.
fn route(name: &'static str, of: &ToolRouter<Gated>, other: Option<&'static str>) -> ToolRoute<Gated> {
    let mut route = of.map[name].clone();
    if let Some(other) = other {
        route.call = Arc::clone(&of.map[other].call);
        return route;
    }
    ToolRoute::new_dyn(route.attr, |context: ToolCallContext<'_, Gated>| {
        Box::pin(async move {
            context.service.begins(false);
            Ok(CallToolResult::success(Vec::new()).into())
        })
    })
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_not_the_function_of_its_name_is_refused_before_it_runs() {
    // The route of the cached tool is another function, or code without a guard.
    for other in [Some("read"), Some("read_skipped"), None] {
        let mut router = Gated::tools_of_block();
        router.add_route(route("read_cached", &Gated::tools_of_block(), other));
        let server = Gated::of(mcp::instrument(router), Arc::new(Registry::new()));
        let (registry, bodies) = (server.registry(), server.bodies());
        let client = connect(server).await;
        for ran in 1..3 {
            assert_eq!(call(&client, "read_cached", &json!({ "key": 1 })).await.is_error, Some(false), "{other:?}");
            assert_eq!(bodies.ran.load(Ordering::Relaxed), ran, "{other:?}");
        }
        registry.gate().set_level(Some(Level::Minimal)).expect("set");
        let answer = call(&client, "read_cached", &json!({ "key": 1 })).await;
        assert_eq!(refused(&answer).as_deref(), Some("cache_only"), "{other:?}: {}", text(&answer));
        assert_eq!((bodies.ran.load(Ordering::Relaxed), bodies.forbidden.load(Ordering::Relaxed)), (2, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_renamed_route_is_refused_under_its_own_name() {
    let mut router = Gated::tools_of_block();
    let mut renamed = router.map["read_cached"].clone();
    renamed.attr.name = "renamed".into();
    router.add_route(renamed);
    let server = Gated::of(mcp::instrument(router), Arc::new(Registry::new()));
    let (registry, bodies) = (server.registry(), server.bodies());
    let client = connect(server).await;
    assert_eq!(call(&client, "renamed", &json!({ "key": 1 })).await.is_error, Some(false));
    assert_eq!(registry.gate().state().in_flight, 0);
    registry.gate().set_level(Some(Level::Minimal)).expect("set");
    let answer = call(&client, "renamed", &json!({ "key": 1 })).await;
    assert_eq!(refused(&answer).as_deref(), Some("cache_only"), "{}", text(&answer));
    registry.gate().set_level(None).expect("set");
    registry.gate().switch_tool("renamed", false).expect("known");
    assert_eq!(error(&call(&client, "renamed", &json!({ "key": 1 })).await)["kind"], "disabled");
    assert_eq!(bodies.ran.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_level_is_published_and_unknown_names_are_suggested() {
    let registry = Registry::new();
    let gate = registry.gate();
    drop(Gated::router());
    let mut levels = gate.subscribe();
    let state = gate.set_level(Some(Level::Degraded)).expect("set");
    assert_eq!((state.level_source, state.concurrency), (LevelSource::Admin, Some(50)));
    assert_eq!(*levels.borrow_and_update(), Level::Degraded);
    gate.set_level(Some(Level::Degraded)).expect("set");
    assert!(!levels.has_changed().expect("open"), "nothing has changed");
    let Err(GateError::Unknown { suggestion, .. }) = gate.switch_tool("write_synk", false) else {
        panic!("no tool has that name")
    };
    assert_eq!(suggestion.as_deref(), Some("write_sync"));
    let json = serde_json::to_value(gate.state()).expect("JSON");
    assert_eq!(
        (&json["level"], &json["level_source"], &json["cache_only"]),
        (&json!("degraded"), &json!("admin"), &json!(false))
    );
}
