use std::panic::Location;
use std::time::Duration;

use resilient_runtime::policy::Source;
use resilient_runtime::testing::{self, Chaos, Fault, Lab};
use resilient_runtime::{ErrorKind, Outcome, resilient};

use super::Error;
use super::refusal::refusal;

#[resilient(
    retry(max = 2, jitter = off), breaker(name = "asserted", failures = 4, open = "30s", successes = 2), timeout = "20s",
    fallback = [cached, value(0)]
)]
async fn ask(what: u32) -> Result<u32, Error> {
    if what == 0 { Err(Error::NotFound(0)) } else { Ok(what) }
}

/// Makes one call that is retried and one that fails by the caller's fault.
async fn two_calls(lab: &Lab) {
    lab.inject(Chaos::new().on("ask", [Fault::error(ErrorKind::Unavailable).times(1)]));
    assert_eq!(ask(7).await, Ok(7));
    assert_eq!(ask(0).await, Err(Error::NotFound(0)));
}

/// Returns the message of a failing assertion, and asserts that it names the line of the caller.
#[track_caller]
fn said<T>(assertion: impl FnOnce() -> T) -> String {
    let (here, refused) = (Location::caller(), refusal(assertion));
    assert_eq!((refused.file.as_str(), refused.line), (here.file(), here.line()), "{}", refused.message);
    refused.message
}

#[test]
fn outcomes_attempts_and_retries_are_asserted_with_what_was_there() {
    testing::run(async |lab| {
        two_calls(lab).await;
        let calls = lab.calls("ask");
        calls.assert_outcomes([(Outcome::Ok, 1), (Outcome::Error, 1)]).assert_attempts(3).assert_retries(1);

        let name = concat!(module_path!(), "::ask");
        let found = "1 ok, 1 error; attempts: 3, retries: 1; errors NOT_FOUND: 1";
        assert_eq!(
            said(|| calls.assert_outcomes([(Outcome::Ok, 1)])),
            format!("expected of `{name}`: 1 ok\n   found: {found}"),
            "an outcome that is not named is one that there was not"
        );
        assert_eq!(said(|| calls.assert_outcomes([])), format!("expected of `{name}`: no calls\n   found: {found}"));
        assert_eq!(said(|| calls.assert_attempts(2)), format!("expected of `{name}`: attempts: 2\n   found: {found}"));
        assert_eq!(said(|| calls.assert_retries(2)), format!("expected of `{name}`: retries: 2\n   found: {found}"));
    });
}

#[test]
fn calls_that_run_and_what_was_rejected_or_suppressed_is_told() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("ask", [Fault::error(ErrorKind::Unavailable).times(4), Fault::hang()]));
        for _ in 0..3 {
            assert_eq!(ask(7).await, Ok(0), "the value");
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
        let running = tokio::spawn(ask(7));
        tokio::task::yield_now().await;
        assert_eq!(
            lab.calls("ask").to_string(),
            "3 fallback; attempts: 5, retries: 2; still running: 1; rejected by breaker: 1; errors INJECTED: 2; errors \
             CIRCUIT_OPEN: 1"
        );
        running.abort();
        assert!(running.await.is_err_and(|ended| ended.is_cancelled()));
    });
}

#[test]
fn the_state_of_a_breaker_is_asserted_with_what_it_has_seen() {
    testing::run(async |lab| {
        two_calls(lab).await;
        let breaker = lab.breaker("asserted");
        breaker.assert_closed();
        assert_eq!(
            said(|| breaker.assert_open()),
            "expected of the breaker `asserted`: open\n   found: closed; successes: 1, failures: 1, neutral: 1; failures \
             in a row: 0; rejected: 0"
        );

        lab.inject(Chaos::new().on("ask", [Fault::error(ErrorKind::Unavailable).times(4)]));
        for _ in 0..2 {
            assert_eq!(ask(7).await, Ok(7), "the last good answer");
        }
        let breaker = lab.breaker("asserted");
        breaker.assert_open();
        assert_eq!(
            said(|| breaker.assert_half_open()),
            "expected of the breaker `asserted`: half_open\n   found: open for another 30s; successes: 1, failures: 5, \
             neutral: 1; failures in a row: 4; rejected: 0; at 4s closed → open (failures)"
        );

        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(ask(8).await, Ok(8));
        lab.breaker("asserted").assert_half_open();
        assert!(said(|| _ = lab.breaker("asserted").assert_closed()).contains("found: half_open"));
    });
}

#[test]
fn how_long_something_took_is_asserted_on_the_paused_clock() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("ask", [Fault::error(ErrorKind::Unavailable).times(2)]));
        let call = lab.timed(ask(7)).await;
        assert_eq!((&call.answer, call.took), (&Ok(7), Duration::from_secs(3)));
        call.assert_took("3s").assert_took_between("3s", "4s").assert_took_between("0s", "3s");
        assert_eq!(said(|| call.assert_took("2.5s")), "expected it to take 2.5s\n   found: it took 3s");
        assert_eq!(
            said(|| call.assert_took_between("1s", "2s")),
            "expected it to take between 1s and 2s\n   found: it took 3s"
        );
        assert!(said(|| call.assert_took("3")).contains("`3` has no unit"));
        lab.timed(async {}).await.assert_took("0s");
    });
}

#[test]
fn the_policy_in_force_is_asserted_with_its_place() {
    testing::run(async |lab| {
        assert_eq!(ask(7).await, Ok(7));
        let policy = lab.policy("ask");
        policy.assert_timeout("20s").assert_attempt_timeout("10s").assert_retries(2).assert_breaker("asserted");
        policy.assert_fallback(&[Source::Cache, Source::Value]);

        let (name, place) = (concat!(module_path!(), "::ask"), format!("{}:{}", file!(), policy.line));
        let expected = |what: &str, found: &str| {
            format!("expected of the policy of `{name}`: {what}\n   found: {found}, in {place}")
        };
        assert_eq!(said(|| policy.assert_timeout("30s")), expected("a timeout of 30s", "20s"));
        assert_eq!(said(|| policy.assert_attempt_timeout("5s")), expected("an attempt timeout of 5s", "10s"));
        assert_eq!(said(|| policy.assert_retries(3)), expected("retries: 3", "2"));
        assert_eq!(said(|| policy.assert_breaker("shop")), expected("the breaker `shop`", "`asserted`"));
        assert_eq!(said(|| policy.assert_fallback(&[Source::Cache])), expected("the fallback cache", "cache, value"));
    });
}

#[resilient(name = "bare")]
async fn bare() -> Result<(), Error> {
    Ok(())
}

#[test]
fn what_a_policy_does_not_have_is_none() {
    testing::run(async |lab| {
        assert_eq!(bare().await, Ok(()));
        let policy = lab.policy("bare");
        policy.assert_timeout("30s").assert_retries(0).assert_fallback(&[]);
        assert!(said(|| policy.assert_attempt_timeout("5s")).contains("found: none"));
        assert!(said(|| policy.assert_breaker("shop")).contains("found: none"));
        assert!(said(|| policy.assert_fallback(&[Source::Cache])).contains("found: none"));
    });
}

mod again {
    use super::*;

    #[resilient]
    pub(super) async fn ask() -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn a_name_that_nobody_or_more_than_one_has_is_refused_with_those_that_there_are() {
    testing::run(async |lab| {
        assert!(
            said(|| lab.calls("bare")).starts_with("no guarded function `bare` is known to this lab; none is; a tool")
        );
        assert!(said(|| lab.breaker("shop")).ends_with("has a breaker `shop`; there is none"));
        assert_eq!((bare().await, ask(7).await), (Ok(()), Ok(7)));
        assert!(said(|| lab.policy("bear")).contains("; did you mean `bare`?"));
        assert!(said(|| lab.breaker("assertde")).ends_with("has a breaker `assertde`; did you mean `asserted`?"));
        lab.calls("ask").assert_attempts(1);
        again::ask().await.expect("well");
        let path = module_path!();
        assert_eq!(
            said(|| lab.calls("ask")),
            format!("`ask` may be any of `{path}::again::ask`, `{path}::ask`; write more of the path")
        );
        lab.calls("assertions::ask").assert_attempts(1);
    });
}
