//! Tools, features and writes that the settings at start switch off.

use std::sync::Arc;

use resilient_runtime::gate::{GateState, SwitchedBy, SwitchedOff};
use resilient_runtime::{Registry, Resilience, ResilienceError, mcp, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::in_process::connect;
use rmcp::{tool, tool_router};

use super::{TempFile, problems, start, variables};

/// Returns what these variables switch off: writes, tools and features.
fn off(pairs: &[(&str, &str)]) -> (bool, Vec<String>) {
    let (started, registry) = start(pairs);
    started.expect("nothing is wrong");
    let GateState { read_only, tools_off, .. } = registry.gate().state();
    let names = |all: Vec<SwitchedOff>| {
        assert!(all.iter().all(|switch| switch.by == SwitchedBy::Start), "{all:?}");
        all.into_iter().map(|switch| switch.name).collect()
    };
    (read_only.is_some(), names(tools_off))
}

#[test]
fn variables_and_the_file_switch_off_any_known_tool_and_all_writes() {
    assert_eq!(off(&[]), (false, vec![]));
    assert_eq!(off(&[("RESILIENT_READ_ONLY", "1")]), (true, vec![]));
    for unset in ["", "no", "0"] {
        assert_eq!(off(&[("RESILIENT_READ_ONLY", unset)]), (false, vec![]), "{unset}");
    }
    // A tool with a policy, and one that has the hook alone.
    assert_eq!(off(&[("RESILIENT__TOOL__RUN_SCENARIO__ENABLED", "false")]), (false, vec!["run.scenario".into()]));
    assert_eq!(off(&[("RESILIENT__TOOL__NOW__ENABLED", "off")]), (false, vec!["now".into()]));
    assert_eq!(off(&[("RESILIENT__TOOL__NOW__ENABLED", "true")]), (false, vec![]));
    let file =
        TempFile::new("read_only = true\n[tool.now]\nenabled = false\n[tool.\"run.scenario\"]\nenabled = false\n");
    let all = (true, vec!["now".to_owned(), "run.scenario".to_owned()]);
    assert_eq!(off(&[("RESILIENT_CONFIG", file.path())]), all);
    // Switches add up: a stronger source lifts none of them.
    let lifted = [
        ("RESILIENT_CONFIG", file.path()),
        ("RESILIENT_READ_ONLY", "false"),
        ("RESILIENT__TOOL__NOW__ENABLED", "true"),
    ];
    assert_eq!(off(&lifted), all);
}

#[test]
fn a_switched_tool_keeps_its_policy_and_may_be_tuned_as_well() {
    let pairs = [("RESILIENT__TOOL__RUN_SCENARIO__ENABLED", "false"), ("RESILIENT__TOOL__RUN_SCENARIO__TIMEOUT", "3s")];
    let (started, registry) = start(&pairs);
    started.expect("nothing is wrong");
    assert_eq!(super::policy(&registry, "run.scenario").policy.timeout, 3 * super::SECOND);
}

// rule 65
#[test]
fn unknown_tools_features_and_values_are_refused_with_the_name_that_was_meant() {
    let file = TempFile::new("[tool.list_scenario]\nenabled = false\n[feature.exports]\nenabled = false\n");
    let path = file.path();
    let mut reported = problems(&[
        ("RESILIENT_CONFIG", path),
        ("RESILIENT__TOOL__RUN_SCENARIOS__ENABLED", "false"),
        ("RESILIENT__TOOL__NOW__ENABELD", "false"),
        ("RESILIENT__TOOL__DESCRIBE__ENABLED", "maybe"),
        ("RESILIENT__FEATURE__IMPORTS__ENABLED", "false"),
        ("RESILIENT__FEATURE__EXPORTS__ENABELD", "false"),
        ("RESILIENT__FEATURE__EXPORTS", "false"),
        ("RESILIENT__PROFILE__X__ENABLED", "false"),
        ("RESILIENT_READ_ONLY", "perhaps"),
        ("RESILIENT_READONLY", "1"),
        ("RESILIENT__READ_ONLY", "1"),
        ("RESILIENT__DEFAULT__READ_ONLY", "1"),
    ]);
    let words = "expected `true` or `false`, `1` or `0`, `yes` or `no`, `on` or `off`, found";
    let mut expected = [
        format!("{path}:1:7: no tool `list_scenario`; did you mean `list_scenarios`?"),
        format!("{path}:3:10: no feature `exports`; none is known here"),
        "RESILIENT__TOOL__RUN_SCENARIOS__ENABLED: no tool `RUN_SCENARIOS`; did you mean `RUN_SCENARIO`?".into(),
        "RESILIENT__TOOL__NOW__ENABELD: `tool.now.enabeld`: unknown key `enabeld`; did you mean `enabled`?".into(),
        format!("RESILIENT__TOOL__DESCRIBE__ENABLED: `enabled`: {words} `maybe`"),
        "RESILIENT__FEATURE__IMPORTS__ENABLED: no feature `IMPORTS`; did you mean `EXPORTS`?".into(),
        "RESILIENT__FEATURE__EXPORTS__ENABELD: `feature.exports.enabeld`: unknown key `enabeld`; did you mean `enabled`?"
            .into(),
        "RESILIENT__FEATURE__EXPORTS: expected a name and a key: `RESILIENT__FEATURE__NAME__ENABLED`".into(),
        "RESILIENT__PROFILE__X__ENABLED: no profile `X`; no profile is known here".into(),
        format!("RESILIENT_READ_ONLY: {words} `perhaps`"),
        "RESILIENT_READONLY: unknown variable; did you mean `RESILIENT_READ_ONLY`?".into(),
        "RESILIENT__READ_ONLY: unknown variable; did you mean `RESILIENT_READ_ONLY`?".into(),
        "RESILIENT__DEFAULT__READ_ONLY: `read_only`: this is set for the whole server: before the first table of the \
         file, or with `RESILIENT_READ_ONLY`"
            .into(),
    ];
    reported.sort();
    expected.sort();
    assert_eq!(reported, expected);
}

#[test]
fn the_token_of_the_routes_for_operators_is_checked_and_never_shown() {
    for (token, message) in [
        ("", "the token has less than 16 characters"),
        ("geheim-4711", "the token has less than 16 characters"),
        ("geheim-4711-geheim-4711\n", "the token contains white space, perhaps a line break at its end"),
        ("geheim-4711-geheim-äöü", "the token contains a character that is not visible ASCII"),
    ] {
        let resilience = variables(&[("RESILIENT_ADMIN_TOKEN", token)]);
        assert!(!format!("{resilience:?}").contains("geheim"), "{resilience:?}");
        let refused = resilience.start_with(&Arc::default()).expect_err("refused");
        assert_eq!(refused.problems(), [format!("RESILIENT_ADMIN_TOKEN: {message}")]);
    }
    let resilience = variables(&[("RESILIENT_ADMIN_TOKEN", "geheim-4711-geheim-4711")]);
    assert!(!format!("{resilience:?}").contains("geheim"), "{resilience:?}");
    let registry = Arc::new(Registry::new());
    resilience.start_with(&registry).expect("nothing is wrong");
    assert!(!format!("{registry:?}").contains("geheim"), "{registry:?}");
}

struct Shop;

#[resilient(timeout = "2s")]
#[tool_router(server_handler)]
impl Shop {
    /// Reads.
    #[tool(annotations(read_only_hint = true))]
    async fn list_orders(&self) -> Result<String, ResilienceError> {
        Ok("none".into())
    }

    /// Writes.
    #[tool]
    async fn order(&self) -> Result<String, ResilienceError> {
        Ok("ordered".into())
    }

    /// Has the hook alone.
    #[tool(annotations(read_only_hint = true))]
    fn now(&self) -> String {
        let Self = self;
        "noon".into()
    }
}

/// Returns the tools that a client of `Shop` finds after a start with these variables.
async fn listed(pairs: &[(&str, &str)]) -> Vec<String> {
    variables(pairs).tools(Shop::tool_router).start().expect("nothing is wrong");
    let client = connect(Shop).await;
    let tools = client.list_all_tools().await.expect("a list");
    tools.into_iter().map(|tool| tool.name.into_owned()).collect()
}

// Separate processes, because the settings apply to the process, and so does a router.
#[tokio::test]
async fn a_tool_that_a_variable_switches_off_is_not_listed() {
    if ran_in_a_child() {
        return;
    }
    assert_eq!(listed(&[("RESILIENT__TOOL__NOW__ENABLED", "0")]).await, ["list_orders", "order"]);
}

#[tokio::test]
async fn a_read_only_server_lists_the_tools_that_read() {
    if ran_in_a_child() {
        return;
    }
    assert_eq!(listed(&[("RESILIENT_READ_ONLY", "yes")]).await, ["list_orders", "now"]);
}

#[tokio::test]
async fn a_switch_that_comes_after_the_first_router_is_refused() {
    if ran_in_a_child() {
        return;
    }
    // Has no policy, so nothing is bound.
    let _ = mcp::instrument(rmcp::handler::server::router::tool::ToolRouter::<Shop>::new());
    let _ = mcp::instrument(Plain::tool_router());
    let late = |name: &'static str, value: &str| Resilience::from_variables([(name.into(), value.into())]).start();
    let refused = late("RESILIENT_READ_ONLY", "1").expect_err("too late");
    assert_eq!(
        refused.problems(),
        ["a router was built before the settings were read, so it lists tools that they switch off; call \
          `Resilience::from_env()` before anything that builds a router"]
    );
    // The level acts on routers that are there already.
    late("RESILIENT__LEVEL", "minimal").expect("nothing is wrong");
    assert_eq!(Registry::global().gate().level().as_str(), "minimal");
}

#[test]
fn tools_that_no_switch_reaches_are_refused_if_anything_can_be_switched() {
    let start = |pairs: &[(&str, &str)]| variables(pairs).tools(Plain::tool_router).start_with(&Arc::default());
    start(&[]).expect("nothing is switched");
    for (variable, value) in
        [("RESILIENT_READ_ONLY", "1"), ("RESILIENT__LEVEL", "degraded"), ("RESILIENT__TOOL__PING__ENABLED", "false")]
    {
        let refused = start(&[(variable, value)]).expect_err("refused");
        let expected = "no switch and no level reaches the tool `ping`, which has no hook; add `#[resilient]` above \
                        `#[tool_router]`, or wrap the router with `mcp::instrument`";
        assert_eq!(refused.problems(), [format!("{variable}: {expected}")]);
        let hooked = variables(&[(variable, value)]).tools(|| mcp::instrument(Plain::tool_router()));
        hooked.start_with(&Arc::default()).expect("its routes have the hook");
    }
}

struct Plain;

#[tool_router]
impl Plain {
    /// Has no guard.
    #[tool]
    fn ping(&self) -> String {
        let Self = self;
        "pong".into()
    }
}
