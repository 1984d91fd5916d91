//! What the age of a kept answer decides, in paused time.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::{Outcome, Registry, resilient};
use tokio::time::{Instant, sleep};

use super::upstream::{Does, TAKES, Upstream, answer, settle};
use crate::error::Error;

const S: Duration = Duration::from_secs(1);

/// A server whose reads keep their answers for different times.
#[derive(Debug, Clone, Default)]
struct Server(Arc<Upstream>);

impl Server {
    #[resilient(cache(fresh = "10s", key = number), name = "ages.fresh")]
    async fn fresh(&self, number: u32) -> Result<String, Error> {
        self.0.request(number).await
    }

    #[resilient(cache(fresh = "10s", stale_while_revalidate = "60s", key = number), name = "ages.stale")]
    async fn stale(&self, number: u32) -> Result<String, Error> {
        self.0.request(number).await
    }

    #[resilient(
        cache(fresh = "10s", stale_while_revalidate = "60s", stale_if_error = "1h", key = number),
        fallback = cached,
        name = "ages.all"
    )]
    async fn all(&self, number: u32) -> Result<String, Error> {
        self.0.request(number).await
    }

    #[resilient(cache(fresh = "10s", key = number), fallback = cached, name = "ages.two")]
    async fn two(&self, number: u32) -> Result<String, Error> {
        self.0.request(number).await
    }

    #[resilient(cache(stale_if_error = "20s", key = number), fallback = cached, name = "ages.only_if_error")]
    async fn only_if_error(&self, number: u32) -> Result<String, Error> {
        self.0.request(number).await
    }

    async fn call(&self, tool: &str, number: u32) -> Result<String, Error> {
        match tool {
            "ages.fresh" => self.fresh(number).await,
            "ages.stale" => self.stale(number).await,
            "ages.all" => self.all(number).await,
            "ages.two" => self.two(number).await,
            _ => self.only_if_error(number).await,
        }
    }
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answered {
    /// The kept answer, at once, without a request.
    Kept,
    /// The kept answer, at once, with one request in the background.
    Stale,
    /// The body.
    Body,
    /// The kept answer, after the body has failed.
    IfError,
    /// No answer, after the body has failed.
    Error,
}
use Answered::{Body, Error as Failed, IfError, Kept, Stale};

/// Keeps an answer, lets it grow this old, and returns what answers then, if the service works or fails.
async fn at(tool: &str, age: Duration, works: bool) -> Answered {
    let (registry, server) = (Arc::new(Registry::new()), Server::default());
    let upstream = Arc::clone(&server.0);
    let call = || registry.clone().scope(server.call(tool, 1));
    assert_eq!(call().await, Ok(answer(1, 1)));
    sleep(age).await;
    if !works {
        upstream.does(Does::Fail(Error::Down));
    }
    let started = Instant::now();
    let result = call().await;
    let is_at_once = started.elapsed().is_zero();
    settle().await;
    let requests = upstream.requests() - 1;
    let read = registry.function(tool).expect("bound");
    let ended = |ok, fallback, error| {
        assert_eq!((read.outcome(Outcome::Ok), read.outcome(Outcome::Fallback)), (ok, fallback), "{tool} {age:?}");
        assert_eq!(read.outcome(Outcome::Error), error, "{tool} {age:?}");
    };
    match (result, is_at_once, requests) {
        (Ok(text), true, 0) if text == answer(1, 1) => {
            ended(2, 0, 0);
            assert_eq!(read.attempts, 1, "a hit is no attempt");
            Kept
        }
        (Ok(text), true, 1) if text == answer(1, 1) => {
            ended(2, 0, 0);
            Stale
        }
        (Ok(text), false, 1) if text == answer(1, 2) => {
            ended(2, 0, 0);
            Body
        }
        (Ok(text), false, 1) if text == answer(1, 1) => {
            ended(1, 1, 0);
            IfError
        }
        (Err(_), false, 1) => {
            ended(1, 0, 1);
            Failed
        }
        other => panic!("{tool} at {age:?}: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_age_decides_whether_the_kept_answer_the_body_or_both_answer() {
    // The time that is between the two columns of ages is the jitter of `fresh`.
    for (tool, ages) in [
        (
            "ages.fresh",
            [(8_900, Kept, Kept), (11_100, Body, Failed), (50_000, Body, Failed), (3_599_000, Body, Failed)],
        ),
        ("ages.stale", [(8_900, Kept, Kept), (11_100, Stale, Stale), (59_900, Stale, Stale), (60_100, Body, Failed)]),
        (
            "ages.all",
            [(8_900, Kept, Kept), (59_900, Stale, Stale), (60_100, Body, IfError), (3_599_000, Body, IfError)],
        ),
        ("ages.all", [(0, Kept, Kept), (1, Kept, Kept), (11_100, Stale, Stale), (3_601_000, Body, Failed)]),
        (
            "ages.two",
            [(8_900, Kept, Kept), (11_100, Body, IfError), (3_590_000, Body, IfError), (3_601_000, Body, Failed)],
        ),
        (
            "ages.only_if_error",
            [(0, Body, IfError), (8_900, Body, IfError), (18_900, Body, IfError), (20_100, Body, Failed)],
        ),
    ] {
        for (ms, works, fails) in ages {
            let age = Duration::from_millis(ms);
            assert_eq!((at(tool, age, true).await, at(tool, age, false).await), (works, fails), "{tool} at {age:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_age_counts_from_the_end_of_the_body_and_a_hit_does_not_renew_it() {
    let (registry, server) = (Arc::new(Registry::new()), Server::default());
    server.0.takes(8 * S);
    registry
        .scope(async {
            assert_eq!(server.fresh(1).await, Ok(answer(1, 1)));
            for _ in 0..8 {
                sleep(S).await;
                assert_eq!(server.fresh(1).await, Ok(answer(1, 1)), "16 s after its request");
            }
            sleep(4 * S).await;
            assert_eq!(server.fresh(1).await, Ok(answer(1, 2)), "12 s after its answer");
        })
        .await;
    assert_eq!(server.0.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_newer_answer_replaces_the_kept_one() {
    let (registry, server) = (Arc::new(Registry::new()), Server::default());
    registry
        .scope(async {
            for round in 1..=5 {
                assert_eq!(server.two(1).await, Ok(answer(1, round)));
                assert_eq!(server.two(1).await, Ok(answer(1, round)));
                sleep(12 * S).await;
            }
            server.0.does(Does::Fail(Error::Down));
            assert_eq!(server.two(1).await, Ok(answer(1, 5)), "the last one");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_no_longer_served() {
    let (registry, server) = (Arc::new(Registry::new()), Server::default());
    registry
        .scope(async {
            assert_eq!(server.all(1).await, Ok(answer(1, 1)));
            assert_eq!(server.all(2).await, Ok(answer(2, 2)));
            sleep(100 * S).await;
            server.0.does(Does::Fail(Error::NotFound(1)));
            assert_eq!(server.all(1).await, Err(Error::NotFound(1)));
            server.0.does(Does::Fail(Error::Down));
            assert_eq!(server.all(1).await, Err(Error::Down), "its answer was removed");
            assert_eq!(server.all(2).await, Ok(answer(2, 2)), "that of another key was not");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_error_leaves_the_kept_answer_for_later_errors() {
    let (registry, server) = (Arc::new(Registry::new()), Server::default());
    registry
        .scope(async {
            assert_eq!(server.all(1).await, Ok(answer(1, 1)));
            sleep(100 * S).await;
            server.0.does(Does::Fail(Error::Down));
            for _ in 0..3 {
                let started = Instant::now();
                assert_eq!(server.all(1).await, Ok(answer(1, 1)));
                assert_eq!(started.elapsed(), TAKES, "the body runs each time");
            }
            server.0.does(Does::Answer);
            assert_eq!(server.all(1).await, Ok(answer(1, 5)));
            assert_eq!(server.all(1).await, Ok(answer(1, 5)));
        })
        .await;
    assert_eq!(server.0.requests(), 5);
}
