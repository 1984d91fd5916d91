//! Settings of tools that a client or a proxy finds after the start.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::policy::{BreakerUse, Effect, Retry};
use resilient_runtime::{ErrorKind, Guard, Policy, Registry, ResilienceError};
use resilient_tests::logs::{Events, listen};

use tracing_subscriber::layer::SubscriberExt as _;

use super::{SECOND, TempFile, policy, variables};

const READS: Policy = Policy::new()
    .attempt_timeout(Duration::from_secs(10))
    .retry(Retry::new(2))
    .breaker(BreakerUse::named("of-a-tool"))
    .effect(Effect::ReadOnly);
const WRITES: Policy = Policy::new().breaker(BreakerUse::named("of-a-tool"));

/// Starts with these variables and returns the problems.
fn found(pairs: &[(&str, &str)]) -> Vec<String> {
    let started = variables(pairs).tools_found_later(&[READS, WRITES]).start_with(&Arc::default());
    started.map_or_else(|invalid| invalid.problems().to_vec(), |_| Vec::new())
}

/// Returns the problems of a file, without its path.
fn found_in(file: &str) -> Vec<String> {
    let file = TempFile::new(file);
    let name = format!("{}:", file.path());
    found(&[("RESILIENT_CONFIG", file.path())]).iter().map(|problem| problem.replace(&name, "")).collect()
}

#[tokio::test]
async fn settings_of_tools_that_are_not_known_yet_apply_once_their_guards_are_bound() {
    let file = TempFile::new(
        "[default]\nattempt_timeout = \"4s\"\n[tool.\"files/Get-Sum\"]\ntimeout = \"9s\"\n[tool.files__off]\nenabled = \
         false\n[breaker.files__x]\nopen = \"2s\"\n[profile.none-yet]\ntimeout = \"1s\"\n",
    );
    let registry = Arc::new(Registry::new());
    let pairs = [
        ("RESILIENT_CONFIG", file.path()),
        ("RESILIENT__TOOL__FILES_GET_SUM__RETRY__MAX", "1"),
        ("RESILIENT__TOOL__FILES__LIST__TIMEOUT", "7s"),
        ("RESILIENT__TOOL__FILES_OTHER__ENABLED", "false"),
        ("RESILIENT__BREAKER__FILES__X__FAILURES", "9"),
    ];
    let handle = variables(&pairs).tools_found_later(&[READS, WRITES]).start_with(&registry).expect("nothing is wrong");
    let guards: Vec<_> = ["files/Get-Sum", "files__list", "files__off", "files/other"]
        .map(|name| Guard::checked(name, READS).expect("a policy that can work").as_tool())
        .into_iter()
        .collect();
    registry.clone().scope(async { guards.iter().for_each(Guard::bind) }).await;
    let (sum, list) = (policy(&registry, "files/Get-Sum").policy, policy(&registry, "files__list").policy);
    assert_eq!((sum.timeout, sum.attempt_timeout, sum.retries()), (9 * SECOND, Some(4 * SECOND), 1));
    assert_eq!((list.timeout, list.attempt_timeout, list.retries()), (7 * SECOND, Some(4 * SECOND), 2));
    let answers = registry.clone().scope(async {
        let mut kinds = Vec::new();
        for guard in &guards {
            let answer: Result<(), ResilienceError> = guard.call(|| async { Ok(()) }).await;
            kinds.push(answer.err().map(|error| resilient_runtime::Classify::kind(&error)));
        }
        kinds
    });
    assert_eq!(answers.await, [None, None, Some(ErrorKind::Disabled), Some(ErrorKind::Disabled)]);
    file.write("[tool.\"files/Get-Sum\"]\ntimeout = \"8s\"\n[tool.unknown]\ntimeout = \"1s\"\n");
    handle.reload().expect("nothing is wrong");
    assert_eq!(policy(&registry, "files/Get-Sum").policy.timeout, 8 * SECOND);
}

#[test]
fn what_no_such_tool_could_use_is_a_problem_at_start() {
    assert_eq!(found_in("[default]\ntimeout = \"2s\"\n[tool.a]\nretry = 5\n"), Vec::<String>::new());
    let found = found_in("[default]\nretry = { base = \"5s\" }\n[tool.a]\ntimeout = \"1s\"\n");
    let expected = "2:9: `a: retry.max`: retry 2 can never start: the delays before it are 5s + 10s";
    assert!(found.len() == 1 && found[0].starts_with(expected), "{found:#?}");
    // That of all tools is reported once, and what is wrong with one table alone as well.
    let found = found_in("[default]\ntimeout = \"2s\"\nretry = { base = \"5s\" }\n[tool.a]\ntimeout = \"3s\"\n");
    assert!(found.len() == 1 && found[0].starts_with("3:9: `default.retry.max`"), "{found:#?}");
    assert_eq!(found_in("[tool.a]\nrate_limit = \"3/1s\"\nretry = 2\n").len(), 1);
    assert!(found_in("[tool.a]\nrate_limit = \"3/1s\"\n")[0].contains("`a: rate_limit`: the code does not have"));
    assert!(found_in("[tool.a]\ntimout = \"3s\"\n")[0].contains("timeout"));
    assert!(found_in("[breaker.a]\nopen = \"1ms\"\n")[0].contains("breaker.a.open"));
}

#[test]
fn variables_of_tools_that_are_not_known_yet_are_checked_as_well() {
    let one = |name: &str, value: &str| found(&[(name, value)]).join("\n");
    assert_eq!(one("RESILIENT__TOOL__A__CACHE__TIMEOUT", "3s"), "");
    assert!(one("RESILIENT__TOOL__A__TIMOUT", "3s").contains("unknown key `timout`; did you mean `timeout`?"));
    assert!(one("RESILIENT__TOOL__A__TIMEOUT", "3x").starts_with("RESILIENT__TOOL__A__TIMEOUT: "));
    assert!(one("RESILIENT__TOOL__A__BULKHEAD", "3").contains("`A: bulkhead`: the code does not have this key"));
    assert!(one("RESILIENT__TOOL__get-sum__TIMEOUT", "3s").contains("RESILIENT__TOOL__GET-SUM__TIMEOUT"));
    assert!(one("RESILIENT__TOOL__get-sum__ENABLED", "no").contains("names are written in capitals"));
    assert!(one("RESILIENT__BREAKER__A__OPEN", "1ms").starts_with("RESILIENT__BREAKER__A__OPEN: "));
    assert!(one("RESILIENT__FEATURE__A__ENABLED", "no").contains("no feature"));
}

#[test]
fn without_tools_that_are_found_later_a_name_that_is_not_known_is_a_problem() {
    let refused = variables(&[("RESILIENT__TOOL__A__TIMEOUT", "3s")]).start_with(&Arc::default());
    assert_eq!(
        refused.expect_err("refused").problems(),
        ["RESILIENT__TOOL__A__TIMEOUT: no tool `A`; no tool is known here"]
    );
}

#[tokio::test]
async fn what_is_only_found_with_the_guard_is_logged_once_and_the_policy_of_the_code_stays() {
    let events = Events::default();
    let _logging = listen(tracing_subscriber::registry().with(events.clone()));
    let registry = Arc::new(Registry::new());
    let file = TempFile::new("[tool.write]\ntimeout = \"3s\"\nretry = 1\n");
    let started = variables(&[("RESILIENT_CONFIG", file.path())]).tools_found_later(&[READS, WRITES]);
    started.start_with(&registry).expect("a tool that reads could have it");
    let write = Guard::checked("write", WRITES).expect("a policy that can work").as_tool();
    for _ in 0..2 {
        registry.clone().scope(async { write.bind() }).await;
    }
    assert_eq!(policy(&registry, "write").policy, WRITES);
    assert_eq!(events.seen().iter().filter(|event| event.contains("the code does not have this key")).count(), 1);
}
