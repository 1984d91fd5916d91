//! Settings that contradict each other.

use resilient_runtime::testing;
use resilient_runtime::{Resilience, ResilienceError, resilient};

use super::refusal::refusal;

#[resilient(breaker(name = "contradicted", failures = 3))]
async fn three() -> Result<(), ResilienceError> {
    Ok(())
}

#[resilient(breaker(name = "contradicted", failures = 4))]
async fn four() -> Result<(), ResilienceError> {
    Ok(())
}

#[test]
fn settings_of_two_functions_that_contradict_each_other_fail_the_test_of_a_lab() {
    let refused = refusal(|| {
        testing::run(async |_| {
            let _ = (three().await, four().await);
        });
    });
    assert!(refused.message.contains("the breaker `contradicted` has other settings at"), "{}", refused.message);
    assert_eq!(refused.file, file!());
    testing::run(async |_| three().await.expect("one of them alone"));
}

#[test]
fn a_contradiction_that_the_test_has_read_in_a_report_does_not_fail_it() {
    testing::run(async |lab| {
        let _ = (three().await, four().await);
        let report = Resilience::from_variables([]).start_with(lab.registry()).expect_err("a contradiction");
        assert!(report.to_string().contains("the breaker `contradicted` has other settings at"), "{report}");
    });
}
