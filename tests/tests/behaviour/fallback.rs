//! Fallbacks: which errors they replace, in which order, and within which time.

use std::cell::Cell;
use std::time::Duration;

use resilient_runtime::{Outcome, Registry, resilient};
use tokio::time::{Instant, advance};

use super::error::Error;

async fn substitute(number: u32, error: &Error) -> Result<String, Error> {
    Ok(format!("substitute for {number} because {error}"))
}

#[resilient(fallback = substitute)]
async fn has_a_function(number: u32) -> Result<String, Error> {
    match number {
        0 => Err(Error::NotFound(0)),
        1 => Err(Error::Down),
        2 => std::future::pending().await,
        _ => Ok("own".into()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_answers_for_what_is_nobodys_mistake() {
    assert_eq!(has_a_function(3).await, Ok("own".into()));
    assert_eq!(has_a_function(1).await, Ok("substitute for 1 because down".into()));
    assert_eq!(has_a_function(2).await, Ok("substitute for 2 because no answer within 30s".into()));
    assert_eq!(has_a_function(0).await, Err(Error::NotFound(0)));
    let read = Registry::global().function(concat!(module_path!(), "::has_a_function")).expect("bound");
    assert_eq!((read.outcome(Outcome::Ok), read.outcome(Outcome::Fallback), read.outcome(Outcome::Error)), (1, 2, 1));
}

macro_rules! with_two_of_one_name {
    ($number:ident) => {
        #[resilient(fallback = of_both)]
        async fn of_two($number: u32, number: u32) -> Result<u32, Error> {
            let _ = ($number, number);
            Err(Error::Down)
        }

        async fn of_both($number: u32, number: u32, _: &Error) -> Result<u32, Error> {
            Ok($number + 10 * number)
        }
    };
}

with_two_of_one_name!(number);

#[tokio::test(start_paused = true)]
async fn two_arguments_of_one_name_from_a_macro_are_two_to_a_fallback() {
    assert_eq!(of_two(1, 2).await, Ok(21));
}

async fn fails_too(_: u32, _: &Error) -> Result<u32, Error> {
    Err(Error::Nonsense)
}

async fn hangs(_: u32, _: &Error) -> Result<u32, Error> {
    std::future::pending().await
}

async fn panics(_: u32, _: &Error) -> Result<u32, Error> {
    panic!("in a fallback")
}

#[resilient(fallback = fails_too)]
async fn fallback_fails(_number: u32) -> Result<u32, Error> {
    Err(Error::Down)
}

#[resilient(fallback = [panics, fails_too, value(7)], name = "falls-through")]
async fn fallback_panics(_number: u32) -> Result<u32, Error> {
    Err(Error::Down)
}

#[resilient(fallback = hangs, timeout = "60s")]
async fn fallback_hangs(_number: u32) -> Result<u32, Error> {
    Err(Error::Down)
}

#[resilient(fallback = hangs, timeout = "2s")]
async fn fallback_hangs_briefly(_number: u32) -> Result<u32, Error> {
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn a_fallback_that_fails_leaves_the_first_error() {
    assert_eq!(fallback_fails(1).await, Err(Error::Down));
}

#[tokio::test(start_paused = true)]
async fn fallbacks_are_tried_in_order_until_one_answers() {
    assert_eq!(fallback_panics(1).await, Ok(7));
}

#[tokio::test(start_paused = true)]
async fn a_fallback_has_five_seconds_or_the_timeout_if_that_is_shorter() {
    let started = Instant::now();
    assert_eq!(fallback_hangs(1).await, Err(Error::Down));
    assert_eq!(started.elapsed(), Duration::from_secs(5));
    let started = Instant::now();
    assert_eq!(fallback_hangs_briefly(1).await, Err(Error::Down));
    assert_eq!(started.elapsed(), Duration::from_secs(2));
}

struct Server {
    down: Cell<bool>,
}

impl Server {
    async fn other(&self, number: u32, _: &Error) -> Result<u32, Error> {
        Ok(number + u32::from(self.down.get()))
    }

    #[resilient(fallback = Self::other)]
    async fn asks_itself(&self, number: u32) -> Result<u32, Error> {
        Err(if self.down.get() { Error::Down } else { Error::NotFound(number) })
    }

    #[resilient(fallback = cached, cache(stale_if_error = "10s"))]
    async fn keeps(&self, number: u32, text: &str) -> Result<String, Error> {
        match (self.down.get(), number) {
            (true, _) => Err(Error::Down),
            (false, 0) => Err(Error::NotFound(0)),
            (false, _) => Ok(format!("{number}{text}")),
        }
    }

    #[resilient(fallback = cached, cache(key = number % 2))]
    async fn keeps_by_parity(&self, number: u32) -> Result<u32, Error> {
        if self.down.get() { Err(Error::Down) } else { Ok(number) }
    }
}

#[tokio::test(start_paused = true)]
async fn a_method_of_the_same_type_is_given_self() {
    let server = Server { down: Cell::new(true) };
    assert_eq!(server.asks_itself(1).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn the_last_good_answer_is_served_to_the_same_arguments_until_it_is_too_old() {
    let server = Server { down: Cell::new(false) };
    assert_eq!(server.keeps(1, "a").await, Ok("1a".into()));
    server.down.set(true);
    assert_eq!(server.keeps(1, "a").await, Ok("1a".into()));
    assert_eq!(server.keeps(1, "b").await, Err(Error::Down), "other arguments");
    assert_eq!(server.keeps(2, "a").await, Err(Error::Down), "other arguments");
    advance(Duration::from_secs(11)).await;
    assert_eq!(server.keeps(1, "a").await, Err(Error::Down), "too old");
}

#[tokio::test(start_paused = true)]
async fn a_key_of_ones_own_decides_what_the_same_question_is() {
    let server = Server { down: Cell::new(false) };
    assert_eq!(server.keeps_by_parity(1).await, Ok(1));
    server.down.set(true);
    assert_eq!(server.keeps_by_parity(3).await, Ok(1));
    assert_eq!(server.keeps_by_parity(4).await, Err(Error::Down));
}

#[resilient(fallback = cached, cache(key = "the one thing"))]
async fn may_be_gone(gone: &Cell<u32>) -> Result<u32, Error> {
    match gone.get() {
        0 => Ok(1),
        1 => Err(Error::NotFound(1)),
        _ => Err(Error::Down),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_forgotten() {
    let gone = Cell::new(0);
    assert_eq!(may_be_gone(&gone).await, Ok(1));
    gone.set(1);
    assert_eq!(may_be_gone(&gone).await, Err(Error::NotFound(1)));
    gone.set(2);
    assert_eq!(may_be_gone(&gone).await, Err(Error::Down));
}

#[resilient(breaker(name = "isolated-for-fallback"), fallback = value(9))]
async fn rejected() -> Result<u32, Error> {
    Ok(1)
}

#[tokio::test(start_paused = true)]
async fn a_rejection_falls_back_without_running_the_body() {
    assert_eq!(rejected().await, Ok(1));
    Registry::global().breaker("isolated-for-fallback").expect("bound").isolate();
    assert_eq!(rejected().await, Ok(9));
    let read = Registry::global().function(concat!(module_path!(), "::rejected")).expect("bound");
    assert_eq!((read.attempts, read.outcome(Outcome::Fallback)), (1, 1));
}

#[resilient(fallback = cached)]
async fn keeps_what_it_was_given(text: String, number: u32) -> Result<String, Error> {
    if number == 0 { Err(Error::Down) } else { Ok(text) }
}

#[resilient(fallback = cached, cache(key = text.len()), retry = 1)]
async fn keeps_by_length(text: String, down: bool) -> Result<String, Error> {
    if down { Err(Error::Down) } else { Ok(text) }
}

#[tokio::test(start_paused = true)]
async fn arguments_that_the_body_uses_up_are_a_key_all_the_same() {
    assert_eq!(keeps_what_it_was_given("a".into(), 0).await, Err(Error::Down));
    assert_eq!(keeps_what_it_was_given("a".into(), 1).await, Ok("a".into()));
    assert_eq!(keeps_by_length("ab".into(), false).await, Ok("ab".into()));
    assert_eq!(keeps_by_length("cd".into(), true).await, Ok("ab".into()));
}

#[resilient]
async fn replica(number: u32) -> Result<u32, Error> {
    tokio::time::sleep(Duration::from_millis(10)).await;
    Ok(number)
}

async fn ask_the_replica(number: u32, _: &Error) -> Result<u32, Error> {
    replica(number).await
}

#[resilient(timeout = "1s", fallback = ask_the_replica)]
async fn primary(number: u32) -> Result<u32, Error> {
    let _ = number;
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn what_a_fallback_calls_has_the_fallbacks_time_and_not_that_of_the_call() {
    assert_eq!(primary(7).await, Ok(7));
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a drop");
    }
}

async fn hangs_with_a_bomb(_: u32, _: &Error) -> Result<u32, Error> {
    let _bomb = Bomb;
    std::future::pending().await
}

#[resilient(fallback = hangs_with_a_bomb)]
async fn has_a_bomb(number: u32) -> Result<u32, Error> {
    let _ = number;
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_drop_of_a_fallback_leaves_the_first_error() {
    assert_eq!(has_a_bomb(1).await, Err(Error::Down));
    let read = Registry::global().function(concat!(module_path!(), "::has_a_bomb")).expect("bound");
    assert_eq!((read.outcome(Outcome::Error), read.in_flight), (1, 0));
}

#[resilient(timeout = "10s", fallback = [hangs_as_well, hangs_as_well])]
async fn two_fallbacks(number: u32) -> Result<u32, Error> {
    let _ = number;
    std::future::pending().await
}

async fn hangs_as_well(_: u32, _: &Error) -> Result<u32, Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn all_fallback_functions_together_have_the_five_seconds() {
    let started = Instant::now();
    assert!(two_fallbacks(1).await.is_err());
    assert_eq!(started.elapsed(), Duration::from_secs(15));
}
