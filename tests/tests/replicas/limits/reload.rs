//! Settings that change while the replicas run.

use std::time::Duration;

use resilient_runtime::policy::RateLimitSettings;
use resilient_runtime::{Guard, RateLimit};
use tokio::time::{advance, sleep};

use super::store::{Behaviour, Memory};
use super::{Replica, limited, ms, problems, retry_after, variables};

const SECOND: Duration = Duration::from_secs(1);

static SEARCH: Guard =
    Guard::new("reloaded-search", limited("reloaded", RateLimitSettings::new(1, Duration::from_secs(3_600)))).as_tool();

#[tokio::test(start_paused = true)]
async fn a_new_rate_is_that_of_the_next_request_and_ends_the_rejections_of_the_old_one() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("text");
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[("RESILIENT_CONFIG", path), ("RESILIENT_REPLICAS", "2")]);
    assert_eq!(replica.call().await, Ok(()));
    assert_eq!(retry_after(&replica.call().await), 3_600 * SECOND);
    assert_eq!(retry_after(&replica.call().await), 3_600 * SECOND);
    assert_eq!(store.asked(), 2);

    std::fs::write(path, "[tool.reloaded-search]\nrate_limit = \"20/1s\"\n").expect("written");
    let report = replica.handle.reload().expect("nothing is wrong");
    assert_eq!(report.changes.len(), 1, "{report:?}");
    // The store has still the old time, which is absurd now.
    assert_eq!(retry_after(&replica.call().await), SECOND);
    let request = store.requests().pop().expect("a request");
    assert_eq!(request.settings, RateLimitSettings::new(20, SECOND));
    assert_eq!((request.limit, store.asked()), ("reloaded", 3));

    // The share follows as well.
    store.behaves(Behaviour::Fails);
    advance(60 * SECOND).await;
    let share = RateLimit::with(RateLimitSettings::new(20, 2 * SECOND).burst(10));
    for step in 0..200 {
        assert_eq!(replica.call().await.is_ok(), share.check().is_ok(), "step {step}");
        advance(ms(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejection_by_the_old_rate_that_arrives_after_the_reload_is_not_remembered() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("text");
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[("RESILIENT_CONFIG", path)]);
    assert_eq!(replica.call().await, Ok(()));
    store.behaves(Behaviour::AnswersAfter(ms(20)));
    let (answer, ()) = tokio::join!(replica.call(), async {
        tokio::time::sleep(ms(10)).await;
        std::fs::write(path, "[tool.reloaded-search]\nrate_limit = \"20/1s\"\n").expect("written");
        replica.handle.reload().expect("nothing is wrong");
    });
    assert!(retry_after(&answer) > 3_599 * SECOND);
    assert_eq!(retry_after(&replica.call().await), SECOND, "the store is asked about the new rate");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_arrives_after_the_reload_does_not_give_the_share_its_old_settings() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("text");
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[("RESILIENT_CONFIG", path)]);
    store.behaves(Behaviour::Fails);
    assert_eq!(replica.call().await, Ok(()), "there is a share");
    store.behaves(Behaviour::AnswersAfter(ms(40)));
    let (answer, ()) = tokio::join!(replica.call(), async {
        sleep(ms(10)).await;
        std::fs::write(path, "[tool.reloaded-search]\nrate_limit = \"20/1h\"\n").expect("written");
        replica.handle.reload().expect("nothing is wrong");
        store.behaves(Behaviour::Fails);
        let mut admitted = 0;
        while replica.call().await.is_ok() {
            admitted += 1;
            assert!(admitted <= 20);
        }
        assert_eq!(admitted, 19, "the new share is used up");
    });
    assert_eq!(answer, Ok(()), "the store granted it by the old rate");
    assert!(retry_after(&replica.call().await) > 100 * SECOND, "what was taken stays taken");
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_needs_a_store_is_rejected_without_one() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("text");
    let without = "[tool.reloaded-search]\nrate_limit = \"none\"\n";
    std::fs::write(path, without).expect("written");
    let replica = Replica::started(variables(&[("RESILIENT_CONFIG", path)]), &SEARCH);
    std::fs::write(path, "").expect("written");
    let rejected = replica.handle.reload().expect_err("there is no store");
    let lines = rejected.problems();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("`reloaded-search` has `rate_limit(.., distributed)`"), "{lines:?}");

    let alone = variables(&[("RESILIENT_CONFIG", path), ("RESILIENT_REPLICAS", "2")]);
    let refused = alone.guard(&SEARCH).start_with(&std::sync::Arc::default());
    assert_eq!(problems(refused), lines, "the start refuses it as well");
    std::fs::write(path, without).expect("written");
    let replica = Replica::started(variables(&[("RESILIENT_CONFIG", path), ("RESILIENT_REPLICAS", "1")]), &SEARCH);
    std::fs::write(path, "").expect("written");
    replica.handle.reload().expect("there is one replica");
}
