use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::{
    Breaker, BreakerSettings, BreakerState, Bulkhead, LimitKind, Outcome, Registry, Rejected, ResilienceError,
    TimeoutScope, ToolSnapshot, resilient,
};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, advance, sleep};

use super::error::Error;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets what was spawned run until it waits.
async fn begin<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let task = tokio::spawn(future);
    yield_now().await;
    task
}

fn is_full<T>(answer: &Result<T, Error>) -> bool {
    match answer {
        Err(Error::Resilience(ResilienceError::Overloaded { limit, retry_after, .. })) => {
            assert_eq!((*limit, *retry_after), (LimitKind::Bulkhead, None));
            true
        }
        _ => false,
    }
}

fn timed_out(answer: &Result<(), Error>) -> Option<TimeoutScope> {
    match answer {
        Err(Error::Resilience(ResilienceError::Timeout { scope, .. })) => Some(*scope),
        _ => None,
    }
}

fn counted(name: &str) -> ToolSnapshot {
    Registry::global().function(name).expect("bound")
}

/// Nobody runs, nobody waits.
fn assert_empty(name: &str) {
    let read = counted(name);
    assert_eq!((read.in_flight, read.waiting), (0, 0), "{name}");
}

#[resilient(bulkhead = 2, name = "two-at-a-time")]
async fn two_at_a_time(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn at_most_max_run_at_a_time_and_without_a_queue_the_rest_is_rejected_at_once() {
    let running = [begin(two_at_a_time(s(1))).await, begin(two_at_a_time(s(1))).await];
    let started = Instant::now();
    assert!(is_full(&two_at_a_time(s(1)).await));
    assert_eq!(started.elapsed(), Duration::ZERO);
    for task in running {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
    assert_eq!(two_at_a_time(s(1)).await, Ok(()), "the slots are free again");
    let read = counted("two-at-a-time");
    assert_eq!((read.attempts, read.outcome(Outcome::Rejected), read.rejected(Rejected::Bulkhead)), (3, 1, 1));
    assert_empty("two-at-a-time");
}

static ORDER: Mutex<Vec<u32>> = Mutex::new(Vec::new());

#[resilient(bulkhead(max = 1, queue = 4), name = "in-line")]
async fn in_line(number: u32) -> Result<(), Error> {
    ORDER.lock().expect("no panic").push(number);
    sleep(s(1)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_comes_first_runs_first_and_a_full_queue_rejects_at_once() {
    let mut tasks = Vec::new();
    for number in 0..5 {
        tasks.push(begin(in_line(number)).await);
    }
    let read = counted("in-line");
    assert_eq!((read.waiting, read.in_flight, read.attempts), (4, 5, 1));
    let started = Instant::now();
    assert!(is_full(&in_line(5).await));
    assert_eq!(started.elapsed(), Duration::ZERO);
    advance(s(1)).await;
    yield_now().await;
    tasks.push(begin(in_line(6)).await);
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
    assert_eq!(*ORDER.lock().expect("no panic"), [0, 1, 2, 3, 4, 6]);
    assert_eq!(started.elapsed(), s(6));
    assert_empty("in-line");
}

#[resilient(bulkhead(max = 1, queue = 1), name = "place-of-the-next")]
async fn place_of_the_next(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_was_given_a_slot_no_longer_takes_a_place_in_the_queue() {
    let first = begin(place_of_the_next(s(1))).await;
    let second = begin(place_of_the_next(s(1))).await;
    first.abort();
    assert!(first.await.is_err());
    // Within the same turn, before the second has noticed.
    let third = begin(place_of_the_next(s(1))).await;
    assert_eq!(second.await.expect("no panic"), Ok(()));
    assert_eq!(third.await.expect("no panic"), Ok(()));
}

#[resilient(bulkhead(max = 1, queue = 1, wait = "1s"), name = "waits-a-second")]
async fn waits_a_second(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_has_waited_long_enough_is_rejected() {
    let running = begin(waits_a_second(s(5))).await;
    let started = Instant::now();
    assert!(is_full(&waits_a_second(s(1)).await));
    assert_eq!(started.elapsed(), s(1));
    running.abort();
    assert!(running.await.is_err());
    assert_empty("waits-a-second");
    assert_eq!(counted("waits-a-second").rejected(Rejected::Bulkhead), 1);
}

#[resilient(bulkhead(max = 1, queue = 1), timeout = "3s", name = "waits-to-the-end")]
async fn waits_to_the_end() -> Result<(), Error> {
    sleep(s(60)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_a_wait_one_waits_as_long_as_the_call_has_time() {
    let running = begin(waits_to_the_end()).await;
    advance(s(1)).await;
    let started = Instant::now();
    let waiting = begin(waits_to_the_end()).await;
    assert_eq!(timed_out(&running.await.expect("no panic")), Some(TimeoutScope::Call));
    // The slot came two seconds after it had begun to wait, and one second was left.
    assert_eq!(timed_out(&waiting.await.expect("no panic")), Some(TimeoutScope::Call));
    assert_eq!(started.elapsed(), s(3));
    assert_eq!((counted("waits-to-the-end").attempts, counted("waits-to-the-end").outcome(Outcome::Timeout)), (2, 2));
}

#[resilient(bulkhead(max = 1, queue = 1, name = "never-free"), timeout = "60s")]
async fn never_lets_go() -> Result<(), Error> {
    std::future::pending().await
}

#[resilient(bulkhead(max = 1, queue = 1, name = "never-free"), timeout = "3s", name = "never-begins")]
async fn never_begins() -> Result<(), Error> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_queue_is_a_timeout_of_a_call_that_never_ran() {
    let running = begin(never_lets_go()).await;
    let started = Instant::now();
    assert_eq!(timed_out(&never_begins().await), Some(TimeoutScope::Call));
    assert_eq!(started.elapsed(), s(3));
    let read = counted("never-begins");
    assert_eq!((read.attempts, read.outcome(Outcome::Timeout), read.rejected(Rejected::Bulkhead)), (0, 1, 0));
    assert_empty("never-begins");
    running.abort();
}

#[resilient(bulkhead(max = 1, queue = 1), name = "left")]
async fn left(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_waiter_leaves_the_queue_and_its_place_is_used() {
    let running = begin(left(s(2))).await;
    let gives_up = begin(left(s(1))).await;
    assert!(is_full(&left(s(1)).await));
    gives_up.abort();
    assert!(gives_up.await.is_err());
    assert_eq!(counted("left").waiting, 0);
    let started = Instant::now();
    let in_its_place = begin(left(s(1))).await;
    assert_eq!(counted("left").waiting, 1);
    assert_eq!(in_its_place.await.expect("no panic"), Ok(()));
    assert_eq!(started.elapsed(), s(3), "nobody is in line before it any more");
    assert_eq!(running.await.expect("no panic"), Ok(()));
    assert_empty("left");
}

static RETRY_ORDER: Mutex<Vec<&str>> = Mutex::new(Vec::new());

#[resilient(bulkhead(max = 1, queue = 5), retry(max = 1, base = "1s", jitter = off), read_only, name = "re-enters")]
async fn re_enters(who: &'static str, failures: &'static AtomicU32, time: Duration) -> Result<(), Error> {
    RETRY_ORDER.lock().expect("no panic").push(who);
    sleep(time).await;
    let fails = failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
    if fails { Err(Error::Down) } else { Ok(()) }
}

#[tokio::test(start_paused = true)]
async fn no_slot_is_held_in_a_delay_and_a_retry_joins_the_back_of_the_queue() {
    static ONE: AtomicU32 = AtomicU32::new(1);
    static NONE: AtomicU32 = AtomicU32::new(0);
    let first = begin(re_enters("first", &ONE, s(1))).await;
    let second = begin(re_enters("second", &NONE, s(2))).await;
    let third = begin(re_enters("third", &NONE, s(1))).await;
    advance(s(1)).await;
    yield_now().await;
    assert_eq!(*RETRY_ORDER.lock().expect("no panic"), ["first", "second"], "while the first is in its delay");
    for task in [first, second, third] {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
    assert_eq!(*RETRY_ORDER.lock().expect("no panic"), ["first", "second", "third", "first"]);
    assert_empty("re-enters");
}

#[resilient(
    bulkhead(max = 1, name = "taken-in-the-delay"),
    retry(max = 1, base = "1s", jitter = off),
    read_only,
    name = "rejected-at-its-retry"
)]
async fn rejected_at_its_retry() -> Result<(), Error> {
    Err(Error::Down)
}

#[resilient(bulkhead(max = 1, name = "taken-in-the-delay"))]
async fn takes_it() -> Result<(), Error> {
    sleep(s(5)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_gets_no_slot_ends_with_the_last_error() {
    let call = begin(rejected_at_its_retry()).await;
    let takes_it = begin(takes_it()).await;
    assert_eq!(call.await.expect("no panic"), Err(Error::Down));
    let read = counted("rejected-at-its-retry");
    assert_eq!((read.attempts, read.outcome(Outcome::Error), read.outcome(Outcome::Rejected)), (1, 1, 0));
    assert_eq!(read.rejected(Rejected::Bulkhead), 1);
    takes_it.abort();
}

#[resilient(
    bulkhead(max = 1, queue = 1, name = "held-past-the-deadline"),
    retry(max = 1, base = "1s", jitter = off),
    timeout = "4s",
    read_only
)]
async fn queues_at_its_retry() -> Result<(), Error> {
    Err(Error::Down)
}

#[resilient(bulkhead(max = 1, queue = 1, name = "held-past-the-deadline"))]
async fn holds_it() -> Result<(), Error> {
    sleep(s(20)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_queue_before_a_retry_ends_with_the_last_error() {
    let started = Instant::now();
    let call = begin(queues_at_its_retry()).await;
    let holds_it = begin(holds_it()).await;
    assert_eq!(call.await.expect("no panic"), Err(Error::Down));
    assert_eq!(started.elapsed(), s(4));
    holds_it.abort();
}

#[resilient(bulkhead = 1, timeout = "2s", name = "gives-back")]
async fn gives_back(what: &'static str) -> Result<(), Error> {
    match what {
        "panics" => panic!("on purpose"),
        "panics later" => {
            yield_now().await;
            panic!("on purpose")
        }
        "fails" => Err(Error::Down),
        "hangs" => std::future::pending().await,
        _ => Ok(()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_given_back_after_an_error_a_panic_a_timeout_and_a_dropped_call() {
    for what in ["fails", "panics", "panics later", "hangs"] {
        assert!(gives_back(what).await.is_err());
        assert_eq!(gives_back("is well").await, Ok(()), "after one that {what}");
    }
    let dropped = begin(gives_back("hangs")).await;
    assert!(is_full(&gives_back("is well").await));
    dropped.abort();
    assert!(dropped.await.is_err());
    assert_eq!(gives_back("is well").await, Ok(()), "after one that was dropped");
    assert_empty("gives-back");
}

#[resilient(bulkhead(max = 1, queue = 1, name = "first-the-other"), timeout = "60s")]
async fn runs_for(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[resilient(bulkhead(max = 1, queue = 1, name = "first-the-other"), timeout = "5s", attempt_timeout = "2s")]
async fn hangs_after_queueing() -> Result<(), Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn queueing_counts_for_the_timeout_and_not_for_the_attempts_own_limit() {
    for (queueing, scope, total) in [(s(2), TimeoutScope::Attempt, s(4)), (s(4), TimeoutScope::Call, s(5))] {
        let running = begin(runs_for(queueing)).await;
        let started = Instant::now();
        let answer = hangs_after_queueing().await;
        assert_eq!((timed_out(&answer), started.elapsed()), (Some(scope), total));
        assert_eq!(running.await.expect("no panic"), Ok(()));
    }
}

static CUT_SHORT: Breaker = Breaker::new("cut-short", BreakerSettings::new().failures(1));

#[resilient(bulkhead(max = 1, queue = 1, name = "cuts-short"), timeout = "60s")]
async fn makes_it_queue(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[resilient(bulkhead(max = 1, queue = 1, name = "cuts-short"), breaker = CUT_SHORT, timeout = "3s")]
async fn has_no_limit_of_its_own() -> Result<(), Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_queueing_had_shortened_is_neutral_when_it_is_cut_off() {
    let running = begin(makes_it_queue(s(1))).await;
    assert_eq!(timed_out(&has_no_limit_of_its_own().await), Some(TimeoutScope::Call));
    assert_eq!((CUT_SHORT.state(), CUT_SHORT.snapshot().neutral), (BreakerState::Closed, 1));
    assert_eq!(running.await.expect("no panic"), Ok(()));
    assert_eq!(timed_out(&has_no_limit_of_its_own().await), Some(TimeoutScope::Call));
    assert_eq!(CUT_SHORT.state(), BreakerState::Open, "this one had all the time there was");
}

static BEFORE: Breaker = Breaker::new("before-the-bulkhead", BreakerSettings::new());

#[resilient(bulkhead(max = 1, queue = 1), breaker = BEFORE, name = "asks-the-breaker-first")]
async fn asks_the_breaker_first() -> Result<(), Error> {
    sleep(s(5)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_does_not_let_anybody_queue() {
    let running = begin(asks_the_breaker_first()).await;
    BEFORE.open();
    let started = Instant::now();
    let answer = asks_the_breaker_first().await;
    assert!(matches!(answer, Err(Error::Resilience(ResilienceError::CircuitOpen { .. }))), "{answer:?}");
    assert_eq!(started.elapsed(), Duration::ZERO);
    let read = counted("asks-the-breaker-first");
    assert_eq!((read.waiting, read.rejected(Rejected::Breaker), read.rejected(Rejected::Bulkhead)), (0, 1, 0));
    assert_eq!(running.await.expect("no panic"), Ok(()));
}

static PROBED: Breaker = Breaker::new("probed-in-line", BreakerSettings::new().failures(1).open(s(5)));

#[resilient(bulkhead(max = 1, name = "probed-in-line"))]
async fn is_in_the_way() -> Result<(), Error> {
    sleep(s(10)).await;
    Ok(())
}

#[resilient(bulkhead(max = 1, name = "probed-in-line"), breaker = PROBED)]
async fn is_probed(answer: Result<(), Error>) -> Result<(), Error> {
    answer
}

#[tokio::test(start_paused = true)]
async fn a_rejection_by_the_bulkhead_is_neutral_and_gives_a_probes_place_back() {
    assert_eq!(is_probed(Err(Error::Down)).await, Err(Error::Down));
    advance(s(5)).await;
    let in_the_way = begin(is_in_the_way()).await;
    for _ in 0..3 {
        assert!(is_full(&is_probed(Ok(())).await), "a probe is let through, and finds no slot");
    }
    let read = PROBED.snapshot();
    assert_eq!((read.state, read.probes, read.neutral, read.rejected), (BreakerState::HalfOpen, 0, 3, 0));
    in_the_way.abort();
    assert!(in_the_way.await.is_err());
    assert_eq!(is_probed(Ok(())).await, Ok(()));
}

static QUEUED_PROBE: Breaker = Breaker::new("queued-probe", BreakerSettings::new().failures(1).open(s(1)).successes(1));

#[resilient(bulkhead(max = 1, queue = 2, name = "queued-probe"), timeout = "60s")]
async fn keeps_the_probe_waiting() -> Result<(), Error> {
    sleep(s(20)).await;
    Ok(())
}

#[resilient(
    bulkhead(max = 1, queue = 2, name = "queued-probe"),
    breaker = QUEUED_PROBE,
    timeout = "60s",
    attempt_timeout = "2s"
)]
async fn probes_after_queueing(answer: Result<(), Error>) -> Result<(), Error> {
    sleep(s(1)).await;
    answer
}

#[tokio::test(start_paused = true)]
async fn a_probes_lease_begins_with_its_body_and_not_with_its_queueing() {
    assert_eq!(probes_after_queueing(Err(Error::Down)).await, Err(Error::Down));
    advance(s(1)).await;
    let in_the_way = begin(keeps_the_probe_waiting()).await;
    let probe = begin(probes_after_queueing(Ok(()))).await;
    advance(s(19)).await;
    let second = probes_after_queueing(Ok(())).await;
    assert!(matches!(second, Err(Error::Resilience(ResilienceError::CircuitOpen { .. }))), "one probe: {second:?}");
    assert_eq!(in_the_way.await.expect("no panic"), Ok(()));
    assert_eq!(probe.await.expect("no panic"), Ok(()));
    assert_eq!((QUEUED_PROBE.state(), QUEUED_PROBE.snapshot().stale), (BreakerState::Closed, 0));
}

static LEFT_PROBE: Breaker = Breaker::new("left-probe", BreakerSettings::new().failures(1).open(s(1)));

#[resilient(bulkhead(max = 1, queue = 1), breaker = LEFT_PROBE, timeout = "60s")]
async fn is_left_in_line(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_cancelled_in_line_gives_its_place_back() {
    let running = begin(is_left_in_line(s(30))).await;
    LEFT_PROBE.open();
    advance(s(1)).await;
    let probe = begin(is_left_in_line(s(1))).await;
    assert_eq!(LEFT_PROBE.snapshot().probes, 1);
    probe.abort();
    assert!(probe.await.is_err());
    let read = LEFT_PROBE.snapshot();
    assert_eq!((read.state, read.probes), (BreakerState::HalfOpen, 0));
    running.abort();
}

#[resilient(bulkhead(max = 1, name = "shared"))]
async fn shares(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[resilient(bulkhead(max = 1, name = "shared"))]
async fn shares_it_too() -> Result<(), Error> {
    Ok(())
}

#[resilient(bulkhead = 1)]
async fn has_its_own() -> Result<(), Error> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn functions_share_a_bulkhead_by_name_and_have_their_own_without_one() {
    let running = begin(shares(s(1))).await;
    assert!(is_full(&shares_it_too().await));
    assert_eq!(has_its_own().await, Ok(()));
    assert_eq!(running.await.expect("no panic"), Ok(()));
    assert_eq!(shares_it_too().await, Ok(()));
}

struct Tenant {
    name: &'static str,
}

#[resilient(bulkhead(max = 1, key = (tenant.name, *number / 10)))]
async fn by_tenant(tenant: Tenant, number: u32) -> Result<(), Error> {
    let _ = (tenant, number);
    sleep(s(1)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_value_of_a_key_has_a_bulkhead_of_its_own() {
    let first = begin(by_tenant(Tenant { name: "a" }, 1)).await;
    let second = begin(by_tenant(Tenant { name: "b" }, 1)).await;
    let third = begin(by_tenant(Tenant { name: "a" }, 11)).await;
    assert!(is_full(&by_tenant(Tenant { name: "a" }, 2).await));
    for task in [first, second, third] {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
}

struct Hosts {
    prefix: &'static str,
}

impl Hosts {
    #[resilient(
        breaker(name = "by-host", failures = 3, key = format!("{}{host}", self.prefix)),
        retry(max = 1, base = "1ms"),
        read_only
    )]
    async fn ask(&self, host: String, answer: Result<(), Error>) -> Result<(), Error> {
        drop(host);
        answer
    }
}

#[tokio::test(start_paused = true)]
async fn each_value_of_a_key_has_a_breaker_of_its_own() {
    let hosts = Hosts { prefix: "api." };
    for _ in 0..2 {
        assert_eq!(hosts.ask("one".into(), Err(Error::Down)).await, Err(Error::Down));
    }
    let answer = hosts.ask("one".into(), Ok(())).await;
    assert!(matches!(answer, Err(Error::Resilience(ResilienceError::CircuitOpen { .. }))), "{answer:?}");
    assert_eq!(hosts.ask("two".into(), Ok(())).await, Ok(()));
}

async fn never_asked(_error: &Error) -> Result<u32, Error> {
    panic!("a function only adds to the load")
}

#[resilient(bulkhead(max = 1), retry = 3, read_only, fallback = [never_asked, value(9)], name = "falls-back-when-full")]
async fn falls_back_when_full() -> Result<u32, Error> {
    sleep(s(1)).await;
    Ok(1)
}

#[tokio::test(start_paused = true)]
async fn a_full_bulkhead_is_not_retried_and_only_a_value_answers_for_it() {
    let running = begin(falls_back_when_full()).await;
    let started = Instant::now();
    assert_eq!(falls_back_when_full().await, Ok(9));
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(running.await.expect("no panic"), Ok(1));
    let read = counted("falls-back-when-full");
    assert_eq!((read.attempts, read.retries, read.outcome(Outcome::Fallback)), (1, 0, 1));
}

#[resilient(bulkhead = 1)]
async fn is_alone_in_its_registry(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_registry_of_its_own_has_bulkheads_of_its_own() {
    let registry = || std::sync::Arc::new(Registry::new());
    let one = begin(registry().scope(is_alone_in_its_registry(s(1)))).await;
    let other = begin(registry().scope(is_alone_in_its_registry(s(1)))).await;
    assert_eq!((one.await.expect("no panic"), other.await.expect("no panic")), (Ok(()), Ok(())));
}

#[tokio::test(start_paused = true)]
async fn in_plain_code_a_permit_is_a_slot_until_it_is_dropped() {
    static PLAIN: Bulkhead = Bulkhead::new(1).queue(1).wait(s(2));
    let permit = PLAIN.acquire().await.expect("a slot");
    let started = Instant::now();
    let waiting = begin(PLAIN.call(async { Ok::<_, ResilienceError>(7) })).await;
    assert_eq!((PLAIN.running(), PLAIN.waiting()), (1, 1));
    assert!(PLAIN.acquire().await.is_err_and(|error| error.to_string() == "the bulkhead is full"));
    assert_eq!(started.elapsed(), Duration::ZERO);
    drop(permit);
    assert_eq!(waiting.await.expect("no panic"), Ok(7));

    let permit = PLAIN.acquire().await.expect("a slot");
    let started = Instant::now();
    assert!(PLAIN.acquire().await.is_err());
    assert_eq!(started.elapsed(), s(2));
    let gives_up = begin(async { PLAIN.acquire().await.map(drop) }).await;
    assert_eq!(PLAIN.waiting(), 1);
    gives_up.abort();
    assert!(gives_up.await.is_err());
    assert_eq!(PLAIN.waiting(), 0);
    drop(permit);
    assert_eq!((PLAIN.running(), PLAIN.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn in_plain_code_a_panic_gives_the_slot_back() {
    static PLAIN: Bulkhead = Bulkhead::new(1);
    let panicked = begin(PLAIN.call(async { panic!("on purpose") as Result<(), ResilienceError> })).await;
    assert!(panicked.await.is_err_and(|error| error.is_panic()));
    assert_eq!(PLAIN.running(), 0);
}
