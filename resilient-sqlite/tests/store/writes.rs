//! A write for the tests of stores.

use std::time::{Duration, SystemTime};

use resilient_runtime::deferred::{DeferredSettings, NewEntry, Receipt, Scope, Timestamp};

pub(crate) fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    Timestamp::from_millis(u64::try_from(now.as_millis()).expect("a time"))
}

/// Returns a write with a new key, due at once.
pub(crate) fn write() -> NewEntry {
    let receipt = Receipt::random().expect("random bits");
    let scope = Scope {
        server: "server".into(),
        tool: "write".into(),
        principal: "caller".into(),
        key: format!("key of {receipt}"),
    };
    let policy = DeferredSettings::new().ttl(Duration::from_secs(3_600));
    let arguments = format!(r#"{{"text":"{}"}}"#, "x".repeat(400));
    NewEntry { receipt, scope, arguments, correlation_id: "c".into(), policy, due: now(), now: now() }
}
