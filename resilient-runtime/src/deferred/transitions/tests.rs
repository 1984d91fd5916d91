use std::time::Duration;

use super::*;
use crate::deferred::{DeferredSettings, NewEntry, Receipt, Scope, StoreSecret};

const LEASE: Duration = Duration::from_secs(20);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn entry(policy: DeferredSettings) -> Entry {
    let scope = Scope { server: "s".into(), tool: "t".into(), principal: "p".into(), key: "k".into() };
    StoreSecret::from_bytes([1; 16]).seal(NewEntry {
        receipt: Receipt::from_bits(1),
        scope,
        arguments: r#"{"password":"hunter2"}"#.into(),
        correlation_id: "c".into(),
        policy,
        due: at(0),
        now: at(0),
    })
}

fn failure(due: u64) -> Failure {
    Failure { code: "timeout".into(), result: None, next: NextTry::At(at(due)) }
}

#[test]
fn the_default_schedule_ends_with_eight_tries_or_after_a_day() {
    let mut entry = entry(DeferredSettings::new());
    let mut now = at(0);
    let mut starts = Vec::new();
    while entry.summary.state.is_live() {
        entry.settle(now);
        let token = entry.claim(LEASE, now).expect("it is due");
        starts.push(now.millis() / 1_000);
        let delay = entry.summary.policy.delay(entry.summary.tries_used, 1.0);
        let due = now.after(delay);
        assert!(entry.fail(token, Failure { next: NextTry::At(due), ..failure(0) }, now));
        now = due;
    }
    assert_eq!(starts, [0, 60, 180, 420, 900, 1_860, 3_660, 5_460]);
    assert_eq!((entry.summary.state, entry.summary.tries_used), (State::Dead, 8));
}

#[test]
fn a_claim_needs_a_due_entry_and_makes_older_tokens_void() {
    let mut entry = entry(DeferredSettings::new());
    entry.summary.due = at(5);
    assert_eq!(entry.claim(LEASE, at(4)), None);
    let old = entry.claim(LEASE, at(5)).expect("it is due");
    assert_eq!(entry.claim(LEASE, at(5)), None, "it runs");
    assert!(entry.settle(at(25)), "the lease is over");
    let new = entry.claim(LEASE, at(25)).expect("it is due");
    let before = entry.clone();
    assert!(!entry.renew(old, LEASE, at(26)));
    assert!(!entry.complete(old, None, at(26)));
    assert!(!entry.fail(old, failure(60), at(26)));
    assert!(!entry.postpone(old, at(60), at(26)));
    assert_eq!(entry, before);
    assert!(entry.complete(new, None, at(26)));
}

#[test]
fn times_at_the_end_of_time_do_not_overflow() {
    let policy = DeferredSettings::new().tries(u32::MAX).base(Duration::MAX).cap(Duration::MAX).ttl(Duration::MAX);
    assert_eq!(policy.delay(u32::MAX, 0.999), Duration::MAX.min(policy.delay(u32::MAX, 0.999)));
    let mut entry = entry(policy);
    entry.summary.tries_used = u32::MAX - 1;
    let token = entry.claim(Duration::MAX, Timestamp::MAX).expect("it is due");
    assert_eq!(entry.summary.due, Timestamp::MAX);
    assert!(entry.renew(token, Duration::MAX, Timestamp::MAX));
    entry.recover(Timestamp::MAX);
    entry.settle(Timestamp::MAX);
    entry.recover(at(0));
    assert!(!entry.is_removable(at(0)) || !entry.summary.state.is_live());
}

#[test]
fn a_code_is_cut_between_characters() {
    let mut entry = entry(DeferredSettings::new());
    let token = entry.claim(LEASE, at(0)).expect("it is due");
    assert!(entry.fail(token, Failure { code: "é".repeat(50), ..failure(5) }, at(0)));
    assert_eq!(entry.summary.last_code, Some("é".repeat(32)));
    let token = entry.claim(LEASE, at(5)).expect("it is due");
    assert!(entry.fail(token, Failure { code: format!("x{}", "é".repeat(50)), ..failure(9) }, at(5)));
    assert_eq!(entry.summary.last_code.map(|code| code.len()), Some(63));
}

#[test]
fn debug_shows_neither_arguments_nor_principal_nor_key() {
    let entry = entry(DeferredSettings::new());
    let shown = format!("{entry:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("principal"), "{shown}");
    assert!(!shown.contains(&entry.key_hash.to_string()), "{shown}");
}

#[test]
fn an_entry_that_ended_has_no_arguments_unless_it_can_be_retried() {
    let mut done = entry(DeferredSettings::new());
    let mut dead = done.clone();
    let token = done.claim(LEASE, at(0)).expect("it is due");
    assert!(done.complete(token, None, at(0)));
    assert_eq!((done.arguments.as_str(), done.principal.as_str()), ("", ""));
    let token = dead.claim(LEASE, at(0)).expect("it is due");
    assert!(dead.fail(token, Failure { next: NextTry::Never, ..failure(0) }, at(0)));
    assert_ne!(dead.arguments, "");
    assert!(dead.discard(at(1)));
    assert_eq!((dead.arguments.as_str(), dead.principal.as_str()), ("", ""));
}
