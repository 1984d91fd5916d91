//! Settings at start: what holds, what is refused, and that a refusal tells everything.

use std::ffi::OsString;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::{
    Breaker, BreakerSettings, BreakerState, BreakerUse, ErrorKind, Guard, InvalidSettings, KindSet, McpError, Policy,
    PolicyDescriptor, Registry, Resilience, ResilienceError, Retry, resilient,
};
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

/// What starting with these variables says, and the registry in which it holds.
fn start(pairs: &[(&str, &str)]) -> (Result<(), InvalidSettings>, Arc<Registry>) {
    let registry = Arc::new(Registry::new());
    (variables(pairs).tools(Make::tool_router).start_with(&registry), registry)
}

fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
    start(pairs).0.expect_err("refused").problems().to_vec()
}

fn policy(registry: &Registry, tool: &str) -> PolicyDescriptor {
    *registry.policies().iter().find(|policy| policy.tool == Some(tool)).expect("a known tool")
}

/// A file that is gone with the test.
struct TempFile(std::path::PathBuf);

impl TempFile {
    fn new(text: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("resilient-{}-{}.toml", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
        Self(path)
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

#[test]
fn nothing_set_leaves_everything_as_it_was_compiled_in() {
    let (started, registry) =
        start(&[("PATH", "/bin"), ("RESILIENT_HOME", "somebody else's"), ("RESILIENT_DISABLED", "0")]);
    started.expect("nothing is wrong");
    let list = policy(&registry, "list_scenarios");
    assert_eq!(list.policy.timeout, 20 * SECOND);
    assert_eq!(list.policy.retry, Some(Retry::new(3).base(2 * SECOND)));
    assert_eq!(list.breaker, Some(BreakerSettings::new().failures(7).open(30 * SECOND)));
}

#[test]
fn variables_tune_part_by_part() {
    let (started, registry) = start(&[
        ("RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT", "5s"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__RETRY__BASE", "250ms"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__RETRY__ON", "timeout,connection"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__BULKHEAD", "none"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__RATE_LIMIT__RATE", "3/1m"),
        ("RESILIENT__TOOL__RUN_SCENARIO__TIMEOUT", "9s"),
        ("RESILIENT__BREAKER__MAKE_EU__FAILURES", "9"),
    ]);
    started.expect("nothing is wrong");
    let list = policy(&registry, "list_scenarios");
    assert_eq!(list.policy.timeout, 5 * SECOND);
    let retry = list.policy.retry.expect("a retry");
    let on = KindSet::EMPTY.with(ErrorKind::Timeout).with(ErrorKind::Connection);
    assert_eq!((retry.max, retry.base, retry.on), (3, Duration::from_millis(250), on));
    assert_eq!(list.policy.bulkhead, None);
    assert_eq!(list.policy.rate_limit.map(|limit| limit.settings.calls), Some(3));
    assert_eq!(policy(&registry, "run.scenario").policy.timeout, 9 * SECOND);
    assert_eq!(list.breaker, Some(BreakerSettings::new().failures(9).open(30 * SECOND)));
}

#[test]
fn a_variable_is_stronger_than_the_file_and_a_tool_than_the_default() {
    let file = TempFile::new(
        r#"
        [default]
        timeout = "11s"
        retry = { max = 1 }
        [tool."run.scenario"]
        timeout = "12s"
        [breaker.make-eu]
        open = "5s"
        "#,
    );
    let (started, registry) = start(&[
        ("RESILIENT_CONFIG", file.path()),
        ("RESILIENT__DEFAULT__ATTEMPT_TIMEOUT", "3s"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__RETRY", "2"),
    ]);
    started.expect("nothing is wrong");
    let (list, run) = (policy(&registry, "list_scenarios").policy, policy(&registry, "run.scenario"));
    assert_eq!((list.timeout, list.retries(), list.attempt_timeout), (11 * SECOND, 2, Some(3 * SECOND)));
    // What holds for all is for those that have the key.
    assert_eq!((run.policy.timeout, run.policy.retries(), run.policy.attempt_timeout), (12 * SECOND, 0, None));
    assert_eq!(run.breaker, Some(BreakerSettings::new().failures(7).open(5 * SECOND)));
}

#[test]
fn all_problems_are_in_one_report() {
    let file =
        TempFile::new("[tool.list_scenario]\ntimeout = \"1s\"\n[breaker.make]\n[profile.x]\n[default]\ntimeot = 1\n");
    let path = file.path();
    let told = problems(&[
        ("RESILIENT_CONFIG", path),
        ("RESILIENT_DISABELD", "1"),
        ("RESILIENT__TOL__X__TIMEOUT", "1s"),
        ("RESILIENT__TOOL__LIST_SCENARIO__TIMEOUT", "1s"),
        ("RESILIENT__TOOL__LIST_SCENARIOS", "1s"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT", "5"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__TIMEOT", "5s"),
        ("RESILIENT__TOOL__RUN_SCENARIO__RETRY", "2"),
        ("RESILIENT__TOOL__NOW__TIMEOUT", "2s"),
        ("RESILIENT__BREAKER__MAKE__ENABLED", "false"),
        ("RESILIENT__BREAKER__MAKE_EU__RATE", "0.5"),
    ]);
    let expected = [
        "RESILIENT_DISABELD: unknown variable; did you mean `RESILIENT_DISABLED`?".to_owned(),
        "RESILIENT__TOL__X__TIMEOUT: `TOL` is nothing that can be set; did you mean `TOOL`?".into(),
        "RESILIENT__TOOL__LIST_SCENARIOS: expected a name and a key: `RESILIENT__TOOL__NAME__TIMEOUT`".into(),
        format!("{path}:6:1: `default.timeot`: unknown key `timeot`; did you mean `timeout`?"),
        "RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT: `timeout`: `5` has no unit; write `\"5s\"` or `\"5ms\"`".into(),
        "RESILIENT__BREAKER__MAKE_EU__RATE: `breaker make-eu: rate`: this breaker counts failures in a row, as the \
         code says; tune `failures`"
            .into(),
        "RESILIENT__TOOL__RUN_SCENARIO__RETRY: `run.scenario: retry`: the code does not have this key; a setting can \
         tune or disable what was compiled in, not add to it"
            .into(),
        format!("{path}:1:7: no tool `list_scenario`; did you mean `list_scenarios`?"),
        format!("{path}:4:10: no profile `x`; none is known here"),
        format!("{path}:3:10: no breaker `make`; did you mean `make-eu`?"),
        "RESILIENT__BREAKER__MAKE__ENABLED: no breaker `MAKE`; did you mean `MAKE_EU`?".into(),
        "RESILIENT__TOOL__LIST_SCENARIOS__TIMEOT: `tool.list_scenarios.timeot`: unknown key `timeot`; did you mean \
         `timeout`?"
            .into(),
        "RESILIENT__TOOL__NOW__TIMEOUT: `tool.now.timeout`: nothing is known of the policy of `now` before its first \
         call, so nothing can be set; put `#[resilient]` on its block"
            .into(),
        "RESILIENT__TOOL__LIST_SCENARIO__TIMEOUT: no tool `LIST_SCENARIO`; did you mean `LIST_SCENARIOS`?".into(),
    ];
    let mut sorted = (told.clone(), expected.to_vec());
    sorted.0.sort();
    sorted.1.sort();
    assert_eq!(sorted.0, sorted.1);
    let report = start(&[("RESILIENT_DISABELD", "1")]).0.expect_err("refused").to_string();
    assert_eq!(
        report,
        "1 problem in the settings:\n  RESILIENT_DISABELD: unknown variable; did you mean `RESILIENT_DISABLED`?"
    );
}

#[test]
fn the_rules_of_the_attribute_hold_at_start() {
    assert_eq!(
        problems(&[("RESILIENT__DEFAULT__TIMEOUT", "25h")]),
        ["RESILIENT__DEFAULT__TIMEOUT: `timeout`: expected between 1ms and 24h, found 25h"]
    );
    let told = problems(&[("RESILIENT__TOOL__LIST_SCENARIOS__ATTEMPT_TIMEOUT", "20s")]);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("the first attempt can use the whole timeout"), "{told:?}");
    let told = problems(&[("RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT", "2s")]);
    assert_eq!(told.len(), 1, "{told:?}");
    let said = "RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT: `list_scenarios: retry.max`: retry 3 can never start";
    assert!(told[0].starts_with(said), "{told:?}");
    let told = problems(&[("RESILIENT__BREAKER__MAKE_EU__OPEN", "1ms")]);
    assert_eq!(told, ["RESILIENT__BREAKER__MAKE_EU__OPEN: `breaker.open`: expected between 100ms and 24h, found 1ms"]);
}

#[test]
fn a_breaker_can_be_taken_out() {
    let (started, registry) = start(&[("RESILIENT__BREAKER__MAKE_EU__ENABLED", "false")]);
    started.expect("nothing is wrong");
    assert_eq!(policy(&registry, "run.scenario").policy.breaker, None);
    assert!(registry.breakers().is_empty());
}

#[test]
fn the_switch_leaves_what_can_neither_reject_repeat_nor_cut_off() {
    let (started, registry) = start(&[("RESILIENT_DISABLED", "1")]);
    started.expect("nothing is wrong");
    let Policy { timeout, attempt_timeout, retry, breaker, bulkhead, rate_limit, .. } =
        policy(&registry, "list_scenarios").policy;
    assert_eq!((timeout, attempt_timeout, retry, breaker), (Duration::MAX, None, None, None));
    assert_eq!((bulkhead, rate_limit), (None, None));
    assert_eq!(problems(&[("RESILIENT_DISABLED", "yes")]), ["RESILIENT_DISABLED: expected `1` or `0`, found `yes`"]);
}

static CALLED: AtomicU32 = AtomicU32::new(0);

#[resilient(timeout = "4s", retry = 2, read_only, breaker(name = "flaky", failures = 4), fallback = substitute)]
async fn flaky() -> Result<&'static str, Failure> {
    CALLED.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(10 * SECOND).await;
    Err(Failure::Down)
}

#[allow(clippy::unused_async, reason = "a fallback is an async function, whatever it does")]
async fn substitute(_: &Failure) -> Result<&'static str, Failure> {
    Ok("instead")
}

#[tokio::test(start_paused = true)]
async fn with_the_switch_a_call_takes_its_time_and_a_fallback_still_answers() {
    let registry = Arc::new(Registry::new());
    let resilience = variables(&[("RESILIENT_DISABLED", "1"), ("RESILIENT__BREAKER__FLAKY__ENABLED", "false")]);
    resilience.breaker("flaky").start_with(&registry).expect("nothing is wrong");
    let started = tokio::time::Instant::now();
    let answer = registry.clone().scope(async { flaky().await }).await;
    assert_eq!(answer.expect("a substitute"), "instead");
    assert_eq!((started.elapsed(), CALLED.load(Ordering::Relaxed)), (10 * SECOND, 1));
    assert!(registry.breakers().is_empty());
}

#[derive(Debug, thiserror::Error, McpError)]
enum Failure {
    #[error("down")]
    #[mcp(kind = unavailable)]
    Down,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

static GUARD: Guard = Guard::new("guarded", Policy::new().breaker(BreakerUse::named("named-only")));
static OWN: Breaker = Breaker::new("own", BreakerSettings::new());
static WITH_OWN: Guard = Guard::new("with_own", Policy::new()).with_breaker(&OWN);

#[tokio::test]
async fn a_breaker_that_no_code_sets_is_tuned_from_its_defaults() {
    let registry = Arc::new(Registry::new());
    let pairs = [("RESILIENT__BREAKER__NAMED_ONLY__FAILURES", "2"), ("RESILIENT__BREAKER__NAMED_ONLY__OPEN", "2s")];
    variables(&pairs).guard(&GUARD).start_with(&registry).expect("nothing is wrong");
    let expected = BreakerSettings::new().failures(2).open(2 * SECOND);
    assert_eq!(registry.policies()[0].breaker, Some(expected));
    for _ in 0..2 {
        let failing = || async { Err::<(), _>(Failure::Down) };
        let _ = registry.clone().scope(async { GUARD.call(failing).await }).await;
    }
    assert_eq!(registry.breaker("named-only").expect("bound").state(), BreakerState::Open);

    let refused =
        variables(&[("RESILIENT__BREAKER__NAMED_ONLY__OPEN", "1ms")]).guard(&GUARD).start_with(&Arc::default());
    assert_eq!(refused.expect_err("refused").problems().len(), 1);
}

#[test]
fn of_a_static_breaker_only_whether_it_is_there_can_be_set() {
    let pairs = |key: &'static str, value: &'static str| -> (Result<(), InvalidSettings>, Arc<Registry>) {
        let registry = Arc::new(Registry::new());
        (variables(&[(key, value)]).guard(&WITH_OWN).start_with(&registry), registry)
    };
    let (started, registry) = pairs("RESILIENT__BREAKER__OWN__ENABLED", "false");
    started.expect("nothing is wrong");
    assert!(registry.breakers().is_empty());
    let told = pairs("RESILIENT__BREAKER__OWN__OPEN", "5s").0.expect_err("refused");
    assert_eq!(
        told.problems(),
        ["the breaker `own` is a `static` of the code; of its settings only `enabled` can be changed"]
    );
}

struct Colliding;

#[resilient]
#[tool_router]
impl Colliding {
    /// Reads.
    #[tool(name = "a-b")]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Reads.
    #[tool(name = "a.b")]
    async fn two(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[test]
fn names_that_become_one_variable_are_refused() {
    let started = variables(&[]).tools(Colliding::tool_router).start_with(&Arc::default());
    assert_eq!(
        started.expect_err("refused").problems(),
        ["the tools `a-b` and `a.b` would both be `A_B` in a variable; rename one of them"]
    );
}

struct Differing;

#[resilient(breaker(name = "shared", failures = 3))]
#[tool_router(router = first)]
impl Differing {
    /// Reads.
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[resilient(breaker(name = "shared", failures = 4, open = "5s"))]
#[tool_router(router = second)]
impl Differing {
    /// Reads.
    #[resilient(bulkhead(max = 3, name = "both"))]
    #[tool]
    async fn two(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Reads.
    #[resilient(bulkhead(max = 4, name = "both"))]
    #[tool]
    async fn three(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[test]
fn one_name_with_two_settings_is_refused_naming_both_places() {
    let started = variables(&[]).tools(Differing::first).tools(Differing::second).start_with(&Arc::default());
    let told = started.expect_err("refused").problems().to_vec();
    for line in told.iter().filter(|line| line.contains("the breaker `shared`")) {
        assert!(line.contains("`failures` 3, not 4; `open` 1m, not 5s"), "{line}");
        assert_eq!(line.matches("tests/settings.rs:").count(), 2, "{line}");
    }
    assert!(
        told.iter().any(|line| line.contains("the bulkhead `both`") && line.contains("max = 3, queue = 0")),
        "{told:?}"
    );
}

static NAMED_LIKE_OWN: Guard = Guard::new("named_like_own", Policy::new().breaker(BreakerUse::named("own")));

#[test]
fn two_breakers_of_one_name_are_refused() {
    let started = variables(&[]).guard(&WITH_OWN).guard(&NAMED_LIKE_OWN).start_with(&Arc::default());
    let told = started.expect_err("refused");
    assert!(told.problems()[0].starts_with("the breaker `own` is a `static` in one place and another one"), "{told}");
}

#[tokio::test]
async fn settings_that_come_too_late_are_refused() {
    let registry = Arc::new(Registry::new());
    let _: Result<(), ResilienceError> = registry.clone().scope(async { GUARD.call(|| async { Ok(()) }).await }).await;
    variables(&[]).guard(&GUARD).start_with(&registry).expect("there is nothing to set");
    let told = variables(&[("RESILIENT_DISABLED", "1")]).guard(&GUARD).start_with(&registry).expect_err("refused");
    assert!(told.problems()[0].starts_with("`guarded` was guarded before the settings were read"), "{told}");
}

#[test]
fn a_file_that_is_not_there_is_refused() {
    let told = problems(&[("RESILIENT_CONFIG", "/nowhere/at/all.toml")]);
    assert!(told[0].starts_with("RESILIENT_CONFIG: `/nowhere/at/all.toml` cannot be read:"), "{told:?}");
}

struct Shared;

#[resilient]
#[tool_router]
impl Shared {
    /// Reads.
    #[resilient(bulkhead(max = 1, name = "both"), rate_limit(rate = "1/1h", name = "limit"))]
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Reads.
    #[resilient(bulkhead(max = 1, name = "both"), rate_limit(rate = "1/1h", name = "limit"))]
    #[tool]
    async fn two(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[test]
fn a_limit_that_is_shared_is_set_for_all_or_for_none() {
    let start = |pairs: &[(&str, &str)]| variables(pairs).tools(Shared::tool_router).start_with(&Arc::default());
    let told = start(&[("RESILIENT__TOOL__TWO__BULKHEAD__MAX", "50"), ("RESILIENT__TOOL__TWO__RATE_LIMIT", "100/1s")]);
    let told = told.expect_err("refused");
    assert_eq!(told.problems().len(), 2, "{told}");
    assert!(told.problems()[0].starts_with("the bulkhead `both` is shared, and `two` was set"), "{told}");
    start(&[("RESILIENT__DEFAULT__BULKHEAD__MAX", "50")]).expect("all have the same");
}

#[test]
fn a_stronger_value_begins_where_a_weaker_one_took_everything_away() {
    let file = TempFile::new("[default]\nretry = \"none\"\n");
    let (started, registry) = start(&[
        ("RESILIENT_CONFIG", file.path()),
        ("RESILIENT__DEFAULT__BREAKER", "none"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__RETRY__MAX", "2"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__BREAKER", "make-eu"),
    ]);
    started.expect("nothing is wrong");
    let list = policy(&registry, "list_scenarios").policy;
    assert_eq!(list.retry, Some(Retry::new(2).base(2 * SECOND)));
    assert_eq!(list.breaker.map(|breaker| breaker.name), Some("make-eu"));
    assert_eq!(policy(&registry, "run.scenario").policy.breaker, None);
}

#[test]
fn what_nobody_reads_is_checked_all_the_same() {
    let alone = |pairs: &[(&str, &str)]| {
        let refused = variables(pairs).breaker("x").start_with(&Arc::default()).expect_err("refused");
        refused.problems().to_vec()
    };
    assert_eq!(alone(&[("RESILIENT__DEFAULT__TIMEOUT", "banana"), ("RESILIENT__DEFAULT__TIMEOT", "3s")]).len(), 2);
    assert_eq!(alone(&[("RESILIENT__BREAKER__X__FAILURES", "0"), ("RESILIENT__BREAKER__X__RATE", "7")]).len(), 2);
    let file = TempFile::new("[breaker.x]\nfailures = 0\nrate = 7.0\n[default]\nretry = { max = 99, factor = 0.1 }\n");
    assert_eq!(alone(&[("RESILIENT_CONFIG", file.path())]).len(), 4);
}

#[test]
fn a_likely_slip_is_told_and_what_is_somebody_elses_is_left_alone() {
    for (slip, meant) in [
        ("RESILIENT_TOOL__LIST_SCENARIOS__TIMEOUT", "RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT"),
        ("RESILIENT_DEFAULT_TIMEOUT", "RESILIENT__DEFAULT__TIMEOUT"),
        ("RESILIENT__DISABLED", "RESILIENT_DISABLED"),
    ] {
        assert_eq!(problems(&[(slip, "1")]), [format!("{slip}: unknown variable; did you mean `{meant}`?")]);
    }
    assert_eq!(
        problems(&[("RESILIENT__TOOL__list_scenarios__TIMEOUT", "2s")]),
        ["RESILIENT__TOOL__list_scenarios__TIMEOUT: names are written in capitals: \
             `RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT`"]
    );
    start(&[("RESILIENTLY", "1"), ("RESILIENT_HOME", "x")]).0.expect("nothing is ours");
}

#[tokio::test]
async fn what_was_refused_is_not_used_by_what_is_called_later() {
    static LATER: Guard = Guard::new("later", Policy::new().timeout(Duration::from_secs(9)));
    let registry = Arc::new(Registry::new());
    let pairs = [("RESILIENT__DEFAULT__TIMEOUT", "8s"), ("RESILIENT__TOOL__NOBODY__TIMEOUT", "1s")];
    variables(&pairs).start_with(&registry).expect_err("refused");
    let _: Result<(), ResilienceError> = registry.clone().scope(async { LATER.call(|| async { Ok(()) }).await }).await;
    assert_eq!(registry.policies()[0].policy.timeout, 9 * SECOND);
}

#[test]
fn a_breaker_and_the_policies_that_name_it_suit_each_other() {
    static SLOW: Guard = Guard::new(
        "slow",
        Policy::new().breaker(BreakerUse::with("suits", BreakerSettings::new().slow(Duration::from_secs(3)))),
    );
    static NAMING: Guard =
        Guard::new("naming", Policy::new().attempt_timeout(Duration::from_secs(9)).breaker(BreakerUse::named("suits")));
    let start = |pairs: &[(&str, &str)]| {
        variables(pairs)
            .guard(&SLOW)
            .guard(&NAMING)
            .start_with(&Arc::default())
            .map_err(|told| told.problems().to_vec())
    };
    assert_eq!(start(&[]), Ok(()));
    let told = start(&[("RESILIENT__BREAKER__SUITS__SLOW", "20s")]).expect_err("refused");
    assert_eq!(
        told,
        ["RESILIENT__BREAKER__SUITS__SLOW: `naming: breaker.slow`: no attempt takes 20s: it is cut off after 9s"]
    );
}

#[test]
fn a_static_breaker_is_taken_away_like_any_other() {
    static MINE: Breaker = Breaker::new("mine", BreakerSettings::new());
    static GUARDED: Guard = Guard::new("guarded_by_mine", Policy::new()).with_breaker(&MINE);
    let registry = Arc::new(Registry::new());
    let pairs = [("RESILIENT__DEFAULT__BREAKER", "none")];
    variables(&pairs).guard(&GUARDED).start_with(&registry).expect("nothing is wrong");
    assert!(registry.breakers().is_empty());
}

#[test]
fn one_contradiction_of_a_block_is_told_once() {
    let started = variables(&[]).tools(Differing::first).tools(Differing::second).start_with(&Arc::default());
    let told = started.expect_err("refused").problems().to_vec();
    assert_eq!(told.iter().filter(|line| line.contains("the breaker `shared`")).count(), 1, "{told:?}");
}
