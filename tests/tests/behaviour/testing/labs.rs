use std::sync::Barrier;
use std::time::Duration;

use resilient_runtime::identity::CorrelationId;
use resilient_runtime::testing::{self, Chaos, Fault};
use resilient_runtime::{CallContext, ErrorKind, Outcome, Registry, ResilienceError, resilient};

use super::refusal::refusal;

#[resilient(breaker(name = "laboratory", failures = 5))]
async fn shared() -> Result<(), ResilienceError> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    Ok(())
}

#[test]
fn two_labs_in_parallel_do_not_disturb_each_other() {
    let together = Barrier::new(2);
    std::thread::scope(|threads| {
        let broken = threads.spawn(|| {
            testing::run(async |lab| {
                lab.inject(Chaos::new().on("shared", [Fault::error(ErrorKind::Unavailable)]));
                together.wait();
                for _ in 0..100 {
                    let _ = shared().await;
                }
                lab.breaker("laboratory").assert_open();
                lab.calls("shared").assert_outcomes([(Outcome::Error, 5), (Outcome::Rejected, 95)]);
            });
        });
        let well = threads.spawn(|| {
            testing::run(async |lab| {
                together.wait();
                for _ in 0..100 {
                    assert_eq!(shared().await, Ok(()));
                }
                lab.breaker("laboratory").assert_closed();
                lab.calls("shared").assert_outcomes([(Outcome::Ok, 100)]);
            });
        });
        well.join().expect("all is well");
        broken.join().expect("all is broken");
    });
    assert!(Registry::global().breaker("laboratory").is_none(), "the process's own registry saw nothing of it");
}

#[resilient(name = "outside")]
async fn outside() -> Result<(), ResilienceError> {
    Ok(())
}

#[test]
fn after_a_lab_nothing_is_injected_any_more() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("outside", [Fault::panic()]));
        assert_eq!(outside().await, Err(ResilienceError::Panicked));
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    assert_eq!(runtime.block_on(outside()), Ok(()));
    let counted = Registry::global().function("outside").expect("counted");
    assert_eq!((counted.calls(), counted.outcome(Outcome::Ok)), (1, 1));
}

#[resilient]
async fn correlated() -> Result<CorrelationId, ResilienceError> {
    Ok(CallContext::current().expect("a context").correlation_id().clone())
}

#[test]
fn after_a_lab_the_thread_has_its_own_random_numbers_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let drawn = || {
        let within = testing::run(async |_| correlated().await);
        (within, runtime.block_on(correlated()))
    };
    let (first, second) = (drawn(), drawn());
    assert_eq!(first.0, second.0, "those of a lab are the same each time");
    assert_ne!(first.1, second.1);
}

#[test]
fn what_a_test_spawns_is_in_its_lab() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("shared", [Fault::error(ErrorKind::Unavailable).times(1)]));
        assert!(tokio::spawn(shared()).await.expect("no panic").is_err());
        lab.calls("shared").assert_outcomes([(Outcome::Error, 1)]);
    });
}

#[test]
fn a_lab_gives_what_the_test_returns() {
    let returned: Result<u32, ResilienceError> = testing::run(async |_| {
        shared().await?;
        Ok(7)
    });
    assert_eq!(returned, Ok(7));
}

#[test]
fn a_test_that_waits_for_what_never_comes_fails_instead_of_hanging() {
    let refused = refusal(|| testing::run(async |_| std::future::pending::<()>().await));
    assert!(refused.message.starts_with("the test waits for something that never comes; "), "{}", refused.message);
    assert_eq!(refused.file, file!());
}

#[tokio::test]
async fn a_lab_within_a_runtime_is_refused_with_what_to_do() {
    let refused = refusal(|| testing::run(async |_| ()));
    assert!(refused.message.contains("call it in a plain `#[test]`"), "{}", refused.message);
    assert_eq!(refused.file, file!());
}

#[test]
fn a_fault_for_a_name_that_nobody_has_fails_the_test() {
    let misspelt = || Chaos::new().on("shraed", [Fault::panic()]);
    let refused = refusal(|| {
        testing::run(async |lab| {
            lab.inject(misspelt());
            shared().await.expect("no fault");
        });
    });
    assert!(
        refused.message.starts_with("there are faults for `shraed`, and no guarded function of that name was called")
    );
    assert!(refused.message.contains("labs::shared"), "{}", refused.message);
    let refused = refusal(|| {
        testing::run(async |lab| {
            lab.inject(misspelt());
            lab.inject(Chaos::new());
        });
    });
    assert!(refused.message.ends_with("was called; none is"), "{}", refused.message);
}

#[test]
fn a_fault_that_is_never_met_is_refused() {
    let refused = refusal(|| Chaos::new().on("shared", [Fault::hang(), Fault::panic().times(1)]));
    assert_eq!(refused.message, "of the faults for `shared` the number 2 is never met; give the one before it `times`");
    assert_eq!(refused.file, file!());
    let refused = refusal(|| Chaos::new().on("shared", [Fault::hang()]).on("shared", [Fault::panic()]));
    assert_eq!(refused.message, "`shared` has faults already; write all of them in one list");
    assert!(refusal(|| Fault::hang().times(0)).message.contains("leave it out"));
}

#[test]
fn faults_can_be_replaced_before_anybody_met_them() {
    testing::run(async |lab| {
        lab.inject(Chaos::new().on("shared", [Fault::panic()]));
        lab.inject(Chaos::new());
        shared().await.expect("no fault");
    });
}

#[test]
fn faults_that_cannot_be_are_refused() {
    let message = |fault: fn() -> Fault| refusal(fault).message;
    assert!(message(|| Fault::panic().probability(30.0)).contains("between 0.0 and 1.0, and 30 is not"));
    assert!(message(|| Fault::latency("2s", "1s")).contains("at least 2s and at most 1s"));
    assert!(message(|| Fault::latency("2", "3s")).contains("`2` has no unit"));
}
