use resilient_policy::{DeferredSettings, OnExhausted};
use serde_json::{Value, json};

use super::*;
use crate::deferred::{Control, Failure, NextTry, Receipt};

/// Noon of 2026-11-29, in UTC.
const ACCEPTED: Timestamp = Timestamp::from_millis(1_795_953_600_250);

fn after(seconds: u64) -> Timestamp {
    ACCEPTED.after(Duration::from_secs(seconds))
}

/// A write whose first try is due after 30 s.
fn entry() -> Entry {
    let policy = DeferredSettings::new().tries(2);
    let summary = Summary {
        receipt: Receipt::from_bits(7),
        server: "shop".into(),
        tool: "order".into(),
        policy,
        created: ACCEPTED,
        expires: ACCEPTED.after(policy.ttl),
        state: State::Waiting,
        due: after(30),
        tries_used: 0,
        interrupted: 0,
        cancel_requested: false,
        last_code: None,
        ended: None,
    };
    Entry {
        summary,
        principal: "p:user".into(),
        correlation_id: String::new(),
        arguments: "{}".into(),
        result: None,
        principal_hash: 0,
        key_hash: 0,
        arguments_hash: 0,
        control: Control::default(),
    }
}

/// Fails the next try, at the time at which it is due.
fn failed(entry: &mut Entry, result: Option<&str>, next: NextTry) {
    let now = entry.summary.due;
    let token = entry.claim(Duration::from_secs(10), now).expect("it is due");
    let failure = Failure { code: "DOWN".into(), result: result.map(ToOwned::to_owned), next };
    assert!(entry.fail(token, failure, now));
}

/// The task as a client reads it.
fn read(entry: &Entry, now: Timestamp) -> Value {
    serde_json::to_value(detailed(entry, now)).expect("a task is JSON")
}

#[test]
fn a_waiting_write_is_a_working_task_that_a_client_polls_when_the_next_try_is_due() {
    let mut entry = entry();
    assert_eq!(
        read(&entry, after(10)),
        json!({
            "taskId": "rsl-00000000000000000000000000000007",
            "status": "working",
            "statusMessage": "not done yet: attempt 1 of 2 at 2026-11-29T12:00:30.250Z",
            "createdAt": "2026-11-29T12:00:00.250Z",
            "lastUpdatedAt": "2026-11-29T12:00:00.250Z",
            "ttlMs": 24 * 60 * 60 * 1000,
            "pollIntervalMs": 20_000,
        })
    );
    // It is due, and no worker has claimed it yet.
    assert_eq!(read(&entry, after(40))["pollIntervalMs"], 1_000);
    failed(&mut entry, None, NextTry::At(after(90)));
    let task = read(&entry, after(60));
    let message = "not done yet: attempt 2 of 2 at 2026-11-29T12:01:30.250Z; the last error is DOWN";
    assert_eq!((task["statusMessage"].as_str(), task["pollIntervalMs"].as_u64()), (Some(message), Some(30_000)));
    // The time to live counts from the creation.
    assert_eq!(task["ttlMs"], 24 * 60 * 60 * 1000);
    let updated = task["lastUpdatedAt"].as_str().expect("a time");
    assert!(("2026-11-29T12:00:00.250Z".."2026-11-29T12:01:00.251Z").contains(&updated), "{updated}");
}

#[test]
fn a_running_write_is_polled_every_second() {
    let mut entry = entry();
    entry.claim(Duration::from_secs(10), after(31)).expect("it is due");
    let task = read(&entry, after(33));
    assert_eq!((&task["status"], &task["pollIntervalMs"]), (&json!("working"), &json!(1_000)));
    assert_eq!(task["statusMessage"], "attempt 1 of 2 is running");
    assert_eq!(task["lastUpdatedAt"], "2026-11-29T12:00:31.250Z");
    entry.cancel(after(33));
    assert_eq!(
        read(&entry, after(33))["statusMessage"],
        "attempt 1 of 2 is running; cancelled after it, unless it succeeds"
    );
}

#[test]
fn a_delivered_write_is_completed_with_the_result_of_the_tool() {
    let kept = json!({ "content": [], "structuredContent": { "code": 1 }, "isError": false });
    for result in [Some(&kept), None] {
        let mut entry = entry();
        let token = entry.claim(Duration::from_secs(10), after(30)).expect("it is due");
        assert!(entry.complete(token, result.map(Value::to_string), after(32)));
        let task = read(&entry, after(40));
        assert_eq!((&task["status"], &task["pollIntervalMs"]), (&json!("completed"), &Value::Null));
        assert_eq!(task["lastUpdatedAt"], "2026-11-29T12:00:32.250Z");
        if result.is_some() {
            assert_eq!(task["result"], kept);
        } else {
            let text = "DONE rsl-00000000000000000000000000000007: done by attempt 1 of 2; its result was not kept";
            assert_eq!(task["result"], json!({ "content": [{ "type": "text", "text": text }], "isError": false }));
        }
    }
}

#[test]
fn a_dead_letter_is_completed_with_an_error_and_a_json_rpc_error_is_a_failed_task() {
    let kept = json!({ "content": [{ "type": "text", "text": "DOWN" }], "isError": true });
    let error = json!({ "code": -33_001, "message": "the job does not exist" });
    for (result, status, member) in [(&kept, "completed", "result"), (&error, "failed", "error")] {
        let mut entry = entry();
        failed(&mut entry, Some(&result.to_string()), NextTry::Never);
        let task = read(&entry, after(40));
        assert_eq!((&task["status"], &task[member]), (&json!(status), result));
        let message = "given up after 1 of 2 attempts; the last error is DOWN; it may have taken effect, so check before \
                       repeating it";
        assert_eq!(task["statusMessage"], message);
        // Dead letters are kept for a week.
        assert_eq!(task["ttlMs"], (7 * 24 * 60 * 60 + 30) * 1000);
    }
    let mut entry = entry();
    entry.summary.policy.on_exhausted = OnExhausted::Discard;
    failed(&mut entry, None, NextTry::Never);
    let task = read(&entry, after(40));
    assert_eq!((&task["status"], &task["result"]["isError"]), (&json!("completed"), &json!(true)));
}

#[test]
fn a_cancelled_write_is_a_cancelled_task() {
    let mut entry = entry();
    failed(&mut entry, Some("{}"), NextTry::At(after(90)));
    entry.cancel(after(40));
    let task = read(&entry, after(50));
    assert_eq!((&task["status"], task.get("result")), (&json!("cancelled"), None));
    assert_eq!(task["statusMessage"], "cancelled after 1 of 2 attempts; the last error is DOWN");
}
