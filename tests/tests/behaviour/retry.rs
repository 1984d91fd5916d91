//! Retry: which errors are retried, after which delay, and until when.

use std::cell::Cell;
use std::time::Duration;

use resilient_runtime::{CallContext, resilient};
use tokio::time::Instant;

use super::error::Error;

/// Fails `failures` times, then answers with the number of the attempt.
struct Flaky {
    failures: Cell<u32>,
    attempts: Cell<u32>,
    error: Error,
}

impl Flaky {
    fn new(failures: u32, error: Error) -> Self {
        Self { failures: Cell::new(failures), attempts: Cell::new(0), error }
    }

    fn ask(&self) -> Result<u32, Error> {
        self.attempts.set(self.attempts.get() + 1);
        if self.failures.get() == 0 {
            return Ok(self.attempts.get());
        }
        self.failures.set(self.failures.get() - 1);
        Err(self.error.clone())
    }

    #[resilient(retry(max = 3, jitter = off), read_only)]
    async fn thrice(&self) -> Result<u32, Error> {
        self.ask()
    }

    #[resilient(retry(max = 3, jitter = off), timeout = "8s", read_only)]
    async fn thrice_in_eight_seconds(&self) -> Result<u32, Error> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.ask()
    }

    #[resilient(retry(max = 2, jitter = off, on(bad_response, conflict)), read_only)]
    async fn on_nonsense(&self) -> Result<u32, Error> {
        self.ask()
    }

    #[resilient(timeout = "5s")]
    async fn never(&self) -> Result<u32, Error> {
        self.ask()
    }
}

#[tokio::test(start_paused = true)]
async fn three_retries_are_up_to_four_attempts_with_delays_that_double() {
    let started = Instant::now();
    assert_eq!(Flaky::new(3, Error::Down).thrice().await, Ok(4));
    assert_eq!(started.elapsed(), Duration::from_secs(1 + 2 + 4));
}

#[tokio::test(start_paused = true)]
async fn after_the_last_retry_the_error_is_the_answer() {
    let flaky = Flaky::new(4, Error::Down);
    assert_eq!(flaky.thrice().await, Err(Error::Down));
    assert_eq!(flaky.attempts.get(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_succeed_later_is_not_retried() {
    for error in [Error::NotFound(7), Error::Final, Error::Nonsense] {
        let flaky = Flaky::new(1, error.clone());
        assert_eq!(flaky.thrice().await, Err(error));
        assert_eq!(flaky.attempts.get(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_key_nothing_is_retried() {
    let flaky = Flaky::new(1, Error::Down);
    assert_eq!(flaky.never().await, Err(Error::Down));
    assert_eq!(flaky.attempts.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_upstreams_wait_is_kept_where_it_is_longer_than_the_backoff() {
    let started = Instant::now();
    let flaky = Flaky::new(1, Error::SlowDown { wait: Some(Duration::from_secs(9)) });
    assert_eq!(flaky.thrice().await, Ok(2));
    assert_eq!(started.elapsed(), Duration::from_secs(9));

    let started = Instant::now();
    let flaky = Flaky::new(1, Error::SlowDown { wait: Some(Duration::ZERO) });
    assert_eq!(flaky.thrice().await, Ok(2));
    assert_eq!(started.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_passes_the_deadline_is_not_begun() {
    let started = Instant::now();
    let error = Error::SlowDown { wait: Some(Duration::from_secs(60)) };
    let flaky = Flaky::new(1, error.clone());
    assert_eq!(flaky.thrice().await, Err(error));
    assert_eq!(started.elapsed(), Duration::ZERO);

    let started = Instant::now();
    let flaky = Flaky::new(4, Error::Down);
    assert_eq!(flaky.thrice_in_eight_seconds().await, Err(Error::Down));
    // Three attempts, with delays of 1 s, 1 s and 2 s. A delay of 4 s more would exceed the 8 s.
    assert_eq!((flaky.attempts.get(), started.elapsed()), (3, Duration::from_secs(6)));
}

#[tokio::test(start_paused = true)]
async fn on_replaces_the_kinds_that_are_retried() {
    let flaky = Flaky::new(1, Error::Down);
    assert_eq!(flaky.on_nonsense().await, Err(Error::Down));
    let flaky = Flaky::new(1, Error::Nonsense);
    assert_eq!(flaky.on_nonsense().await, Ok(2));
    let flaky = Flaky::new(1, Error::FinalNonsense);
    assert_eq!(flaky.on_nonsense().await, Err(Error::FinalNonsense), "what the error says of itself wins");
}

#[resilient(retry(max = 2, jitter = off), idempotent)]
async fn takes_its_argument(text: String, times: &Cell<u32>) -> Result<String, Error> {
    times.set(times.get() + 1);
    if times.get() < 3 {
        drop(text);
        return Err(Error::Down);
    }
    Ok(text)
}

#[tokio::test(start_paused = true)]
async fn a_body_that_uses_its_arguments_up_is_given_them_again() {
    assert_eq!(takes_its_argument("kept".into(), &Cell::new(0)).await, Ok("kept".into()));
}

#[resilient(retry(max = 2, jitter = off), read_only)]
async fn tells_its_attempt(seen: &std::sync::Mutex<Vec<u32>>) -> Result<(), Error> {
    let attempt = CallContext::current().expect("a context").attempt();
    let mut seen = seen.lock().expect("no panic");
    seen.push(attempt);
    if seen.len() < 3 { Err(Error::Down) } else { Ok(()) }
}

#[tokio::test(start_paused = true)]
async fn the_context_counts_the_attempts() {
    let seen = std::sync::Mutex::default();
    assert_eq!(tells_its_attempt(&seen).await, Ok(()));
    assert_eq!(*seen.lock().expect("no panic"), [1, 2, 3]);
    assert!(CallContext::current().is_none());
}
