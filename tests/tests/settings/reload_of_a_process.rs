//! Reloads of the settings of a whole process. Each test runs in a separate process: it changes the settings of the global
//! registry, receives signals, or measures the memory.

use std::process::Command;
use std::time::Duration;

use resilient_runtime::{Guard, Policy, Registry, ResilienceError};
use resilient_tests::alone::ran_in_a_child;

use super::{Make, SECOND, TempFile, policy, variables};

static SLOW: Guard = Guard::new("slow", Policy::new());

#[tokio::test]
async fn a_hangup_reloads_the_settings() {
    if ran_in_a_child() {
        return;
    }
    let file = TempFile::new("");
    let started = variables(&[("RESILIENT_CONFIG", file.path())]).tools(Make::tool_router).start();
    let handle = started.expect("nothing is wrong");
    handle.reload_on_hangup().expect("there is a driver");
    for seconds in [3, 4] {
        file.write(&format!("[tool.describe]\ntimeout = \"{seconds}s\"\n"));
        let me = std::process::id().to_string();
        assert!(Command::new("kill").args(["-HUP", &me]).status().expect("`kill` runs").success());
        let has_come = async {
            while policy(Registry::global(), "describe").policy.timeout != seconds * SECOND {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(30 * SECOND, has_come).await.expect("the settings change");
    }
    handle.shutdown().await;
}

#[test]
fn a_runtime_without_signals_is_an_error_and_no_panic() {
    if ran_in_a_child() {
        return;
    }
    let handle = variables(&[]).start().expect("nothing is wrong");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let error = runtime.block_on(async { handle.reload_on_hangup() }).expect_err("there is no driver");
    assert!(error.to_string().contains("enable_io"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn calls_outside_of_any_scope_have_the_new_policy_and_the_old_one_again_when_it_comes_back() {
    if ran_in_a_child() {
        return;
    }
    let file = TempFile::new("");
    let started = variables(&[("RESILIENT_CONFIG", file.path())]).guard(&SLOW).start();
    let handle = started.expect("nothing is wrong");
    let takes = || async {
        let begun = tokio::time::Instant::now();
        let hang = SLOW.call(std::future::pending::<Result<(), ResilienceError>>).await;
        assert!(matches!(hang, Err(ResilienceError::Timeout { .. })), "{hang:?}");
        begun.elapsed().as_secs()
    };
    assert_eq!(takes().await, 30);
    for (text, expected) in [("[default]\ntimeout = \"3s\"", 3), ("[default]\ntimeout = \"x\"", 3), ("", 30)] {
        file.write(text);
        let _ = handle.reload();
        assert_eq!(takes().await, expected, "{text}");
        let policies = Registry::global().policies();
        assert_eq!(policies[0].policy.timeout.as_secs(), expected);
    }
    assert_eq!(Registry::global().function("slow").expect("it is known").calls(), 4, "and is counted as one function");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn ten_thousand_reloads_take_no_more_memory_than_a_few() {
    if ran_in_a_child() {
        return;
    }
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("the kernel tells");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    };
    let file = TempFile::new("");
    let started = variables(&[("RESILIENT_CONFIG", file.path())]).tools(Make::tool_router).guard(&SLOW).start();
    let handle = started.expect("nothing is wrong");
    let mut after_some = 0;
    for round in 0..10_000 {
        file.write(&format!(
            "[default]\ntimeout = \"{}s\"\n[tool.list_scenarios]\nbulkhead = {}\n",
            21 + round % 9,
            1 + round % 7
        ));
        handle.reload().expect("nothing is wrong");
        let answer = SLOW.call(|| async { Ok::<_, ResilienceError>(()) }).await;
        assert_eq!(answer, Ok(()));
        // Most of these calls are over the rate limit.
        let _ = Make.list_scenarios().await;
        if round == 1_000 {
            after_some = resident();
        }
    }
    let grown = resident().saturating_sub(after_some);
    assert!(grown < 2_048, "{grown} kB more than after a thousand");
}
