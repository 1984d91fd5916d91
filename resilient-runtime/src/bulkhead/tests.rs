//! Bulkheads whose settings change while calls hold permits or wait for them.

use std::sync::Arc;

use proptest::prelude::*;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};

use super::*;

const fn settings(max: u32, queue: u32) -> BulkheadSettings {
    BulkheadSettings::new(max).queue(queue)
}

/// A call that holds its permit until its sender is used or dropped.
fn call(bulkhead: &Arc<Bulkhead>) -> (oneshot::Sender<()>, JoinHandle<Result<(), ResilienceError>>) {
    let (end, ended) = oneshot::channel();
    let bulkhead = Arc::clone(bulkhead);
    let running = tokio::spawn(async move {
        let _permit = bulkhead.acquire().await?;
        let _ = ended.await;
        Ok(())
    });
    (end, running)
}

async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[tokio::test]
async fn a_lower_maximum_cuts_nothing_off_and_holds_as_calls_end() {
    let bulkhead = Arc::new(Bulkhead::with(settings(3, 2)));
    let mut running: Vec<_> = (0..3).map(|_| call(&bulkhead)).collect();
    settle().await;
    bulkhead.adjust(settings(1, 2));
    assert_eq!((bulkhead.running(), bulkhead.waiting()), (3, 0));
    let waiting = call(&bulkhead);
    settle().await;
    assert_eq!((bulkhead.running(), bulkhead.waiting()), (3, 1), "the queue has room although more run than may");
    for left in [2, 1] {
        let (end, ended) = running.remove(0);
        drop(end);
        assert_eq!(ended.await.expect("no panic"), Ok(()));
        settle().await;
        assert_eq!((bulkhead.running(), bulkhead.waiting()), (left, 1));
    }
    drop(running);
    settle().await;
    assert_eq!((bulkhead.running(), bulkhead.waiting()), (1, 0), "the one that waited runs");
    drop(waiting);
    settle().await;
    assert_eq!((bulkhead.running(), bulkhead.slots.available_permits()), (0, 1));
}

#[tokio::test]
async fn a_higher_maximum_admits_at_once_those_that_wait() {
    let bulkhead = Arc::new(Bulkhead::with(settings(1, 5)));
    let calls: Vec<_> = (0..4).map(|_| call(&bulkhead)).collect();
    settle().await;
    assert_eq!((bulkhead.running(), bulkhead.waiting()), (1, 3));
    bulkhead.adjust(settings(3, 0));
    settle().await;
    assert_eq!((bulkhead.running(), bulkhead.waiting()), (3, 1), "the queue is for new calls: who waits stays");
    assert!(bulkhead.acquire().await.is_err());
    drop(calls);
    settle().await;
    assert_eq!((bulkhead.running(), bulkhead.slots.available_permits()), (0, 3));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Start,
    /// Ends one of the calls.
    End(usize),
    /// Aborts one of them.
    Abort(usize),
    Adjust(u32, u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Start),
        2 => (0_usize..64).prop_map(Step::End),
        1 => (0_usize..64).prop_map(Step::Abort),
        2 => (1_u32..6, 0_u32..6).prop_map(|(max, queue)| Step::Adjust(max, queue)),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_changes_no_permit_is_lost_and_none_is_invented(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let bulkhead = Arc::new(Bulkhead::with(settings(2, 2)));
            let (mut calls, mut max) = (Vec::new(), 2_usize);
            for step in steps {
                let before = bulkhead.running();
                match step {
                    Step::Start => calls.push(call(&bulkhead)),
                    Step::End(_) | Step::Abort(_) if calls.is_empty() => {}
                    Step::End(index) => {
                        let index = index % calls.len();
                        drop(calls.remove(index));
                    }
                    Step::Abort(index) => {
                        let index = index % calls.len();
                        calls.remove(index).1.abort();
                    }
                    Step::Adjust(new, queue) => {
                        bulkhead.adjust(settings(new, queue));
                        max = new as usize;
                    }
                }
                settle().await;
                let (running, waiting) = (bulkhead.running(), bulkhead.waiting());
                prop_assert!(running <= max.max(before), "{running} run, of {max}, and before {before}");
                prop_assert!(waiting == 0 || running >= max, "{waiting} wait, and {running} of {max} run");
            }
            drop(calls);
            settle().await;
            prop_assert_eq!((bulkhead.running(), bulkhead.waiting()), (0, 0));
            prop_assert_eq!(bulkhead.slots.available_permits(), max);
            Ok(())
        })?;
    }
}

#[test]
fn threads_that_take_and_return_permits_lose_none_while_the_size_changes() {
    let bulkhead = Bulkhead::with(settings(4, 0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    if let Some(Ok(permit)) = BulkheadEntry::enter(&bulkhead).map(BulkheadEntry::try_permit) {
                        std::hint::black_box(&permit);
                    }
                }
            });
        }
        scope.spawn(|| {
            for round in 0..5_000_u32 {
                bulkhead.adjust(settings(1 + round % 7, 0));
            }
        });
    });
    bulkhead.adjust(settings(5, 0));
    assert_eq!((bulkhead.running(), bulkhead.waiting()), (0, 0));
    assert_eq!(bulkhead.slots.available_permits(), 5);
}
