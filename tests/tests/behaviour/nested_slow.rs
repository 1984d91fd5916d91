//! Guarded functions inside guarded functions: a slow request counts as slow once.

use std::future::Future;
use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::policy::{BreakerSettings, Window};
use resilient_runtime::{Breaker, CallContext, Guard, Policy};
use tokio::time::sleep;

use super::error::Error;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Two guards with the same breaker.
struct Nested {
    breaker: &'static Breaker,
    outer: Guard,
    inner: Guard,
}

impl Nested {
    fn new(window: Window) -> Self {
        let settings = BreakerSettings::new().slow(millis(1_000)).slow_rate(0.6).window(window).min_calls(4);
        let breaker: &'static Breaker = Box::leak(Box::new(Breaker::new("nested-slow", settings)));
        let guard = |name| Guard::new(name, Policy::new().timeout(millis(30_000))).with_breaker(breaker);
        Self { breaker, outer: guard("slow-outer"), inner: guard("slow-inner") }
    }

    /// One of each kind of window.
    fn of_each_window() -> [Self; 2] {
        [Window::Count(10), Window::Time(millis(600_000))].map(Self::new)
    }

    async fn request(&self, time: Duration) -> Result<(), Error> {
        self.inner
            .call(|| async move {
                sleep(time).await;
                Ok(())
            })
            .await
    }

    async fn outside<F: Future<Output = Result<(), Error>>>(&self, body: impl Fn() -> F) {
        assert_eq!(self.outer.call(body).await, Ok(()));
    }

    /// The calls, failures and slow calls of the window.
    fn window(&self) -> (u32, u32, u32) {
        self.breaker.snapshot().window.expect("a window")
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_request_of_an_inner_call_counts_once_under_the_breaker_of_both() {
    for nested in Nested::of_each_window() {
        for (time, window) in [(10, (1, 0, 0)), (10, (2, 0, 0)), (2_000, (3, 0, 1)), (2_000, (4, 0, 2))] {
            nested.outside(|| nested.request(millis(time))).await;
            assert_eq!(nested.window(), window);
        }
        assert_eq!(nested.breaker.state(), BreakerState::Closed, "two of four");
        nested.outside(|| nested.request(millis(2_000))).await;
        assert_eq!(nested.breaker.state(), BreakerState::Open, "three of five");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_made_by_hand_on_the_breaker_counts_once_when_it_is_slow() {
    for nested in Nested::of_each_window() {
        nested
            .outside(|| {
                nested.breaker.call(async {
                    sleep(millis(2_000)).await;
                    Ok(())
                })
            })
            .await;
        assert_eq!(nested.window(), (1, 0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_outer_call_is_not_slow_while_the_time_of_its_inner_call_is_not_over() {
    for nested in Nested::of_each_window() {
        let outer = nested.outside(|| async {
            sleep(millis(500)).await;
            nested.request(millis(2_000)).await
        });
        let looks = async {
            let mut seen = Vec::new();
            for wait in [1_200, 400, 500] {
                sleep(millis(wait)).await;
                seen.push(nested.window());
            }
            seen
        };
        let ((), seen) = tokio::join!(outer, looks);
        assert_eq!(seen, [(0, 0, 0), (1, 0, 1), (1, 0, 1)], "after 1.2, 1.6 and 2.1 seconds");
        assert_eq!(nested.window(), (1, 0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_outer_call_that_takes_long_itself_leaves_the_result_to_its_inner_call() {
    for nested in Nested::of_each_window() {
        nested
            .outside(|| async {
                nested.request(millis(10)).await?;
                sleep(millis(5_000)).await;
                Ok(())
            })
            .await;
        assert_eq!(nested.window(), (1, 0, 0), "the inner call ended before the outer one became slow");
        nested
            .outside(|| async {
                sleep(millis(5_000)).await;
                assert_eq!(nested.window(), (2, 0, 1), "for all that is known it hangs");
                nested.request(millis(10)).await
            })
            .await;
        assert_eq!(nested.window(), (2, 0, 0), "the inner call came after the outer one had become slow");
        nested.outside(|| nested.request(millis(1_000))).await;
        assert_eq!(nested.window(), (3, 0, 1), "what is left counts");
    }
}

#[tokio::test(start_paused = true)]
async fn joined_inner_calls_count_once_each() {
    for nested in Nested::of_each_window() {
        nested
            .outside(|| async {
                let later = async {
                    sleep(millis(800)).await;
                    nested.request(millis(3_000)).await
                };
                let requests = (nested.request(millis(2_000)), nested.request(millis(10)), later);
                let (first, second, third) = tokio::join!(requests.0, requests.1, requests.2);
                first.and(second).and(third)
            })
            .await;
        assert_eq!(nested.window(), (3, 0, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn an_inner_call_in_a_task_counts_once() {
    for nested in Nested::of_each_window() {
        let nested: &'static Nested = Box::leak(Box::new(nested));
        nested
            .outside(|| async {
                let context = CallContext::current().expect("a call");
                tokio::spawn(context.instrument(nested.request(millis(2_000)))).await.expect("no panic")
            })
            .await;
        assert_eq!(nested.window(), (1, 0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_outer_call_that_hangs_with_no_call_inside_is_slow_while_it_still_runs() {
    for nested in Nested::of_each_window() {
        let outer = nested.outside(|| async {
            let _ = CallContext::current();
            sleep(millis(2_000)).await;
            Ok(())
        });
        let ((), seen) = tokio::join!(outer, async {
            sleep(millis(1_100)).await;
            nested.window()
        });
        assert_eq!((seen, nested.window()), ((1, 0, 1), (1, 0, 1)));
    }
}
