//! Entries as rows.

use std::time::Duration;

use resilient_runtime::deferred::{Control, DeferredSettings, Entry, OnExhausted, Receipt, State, Summary, Timestamp};
use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::names::hex;

/// The field `row` of an entry, as JSON: everything that has a small size. Long texts are fields beside it, which a
/// transition need not read or write.
///
/// Never change the meaning of a field: a new format of the store needs a new number in `identity.rs`.
#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are those of an entry")]
pub(super) struct Row {
    server: String,
    tool: String,
    tries: u32,
    base_ms: u64,
    cap_ms: u64,
    ttl_ms: u64,
    on_exhausted: String,
    created: u64,
    expires: u64,
    state: String,
    due: u64,
    tries_used: u32,
    interrupted: u32,
    cancel_requested: bool,
    last_code: Option<String>,
    ended: Option<u64>,
    fence: u64,
    lease_ms: u64,
    holds_key: bool,
    shared: bool,
    extended: bool,
    principal_hash: String,
    key_hash: String,
    arguments_hash: String,
    correlation_id: String,
    #[serde(flatten)]
    sizes: Sizes,
}

/// The sizes of the texts of an entry, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sizes {
    /// That of the fields `arguments` and `principal`.
    pub(super) texts: u64,
    /// That of the field `result`.
    pub(super) result: u64,
}

impl Row {
    /// Returns the row of an entry whose texts have these sizes.
    pub(super) fn of(entry: &Entry, sizes: Sizes) -> Self {
        let Entry { summary, control, .. } = entry;
        Self {
            server: summary.server.clone(),
            tool: summary.tool.clone(),
            tries: summary.policy.tries,
            base_ms: millis(summary.policy.base),
            cap_ms: millis(summary.policy.cap),
            ttl_ms: millis(summary.policy.ttl),
            on_exhausted: summary.policy.on_exhausted.as_str().to_owned(),
            created: summary.created.millis(),
            expires: summary.expires.millis(),
            state: summary.state.as_str().to_owned(),
            due: summary.due.millis(),
            tries_used: summary.tries_used,
            interrupted: summary.interrupted,
            cancel_requested: summary.cancel_requested,
            last_code: summary.last_code.clone(),
            ended: summary.ended.map(Timestamp::millis),
            fence: control.fence,
            lease_ms: millis(control.lease),
            holds_key: control.holds_key,
            shared: control.shared,
            extended: control.extended,
            principal_hash: hex(entry.principal_hash),
            key_hash: hex(entry.key_hash),
            arguments_hash: hex(entry.arguments_hash),
            correlation_id: entry.correlation_id.clone(),
            sizes,
        }
    }

    pub(super) fn read(text: &str) -> Result<Self, Fault> {
        serde_json::from_str(text).map_err(|_| Fault::Row("an entry that cannot be read"))
    }

    pub(super) fn write(&self) -> Result<String, Fault> {
        serde_json::to_string(self).map_err(|_| Fault::Row("an entry that cannot be written"))
    }

    pub(super) const fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Returns the entry without its long texts.
    pub(super) fn entry(self, receipt: Receipt) -> Result<Entry, Fault> {
        let on_exhausted = OnExhausted::from_word(&self.on_exhausted).ok_or(Fault::Row("an unknown `on_exhausted`"))?;
        let policy = DeferredSettings::new()
            .tries(self.tries)
            .base(Duration::from_millis(self.base_ms))
            .cap(Duration::from_millis(self.cap_ms))
            .ttl(Duration::from_millis(self.ttl_ms))
            .on_exhausted(on_exhausted);
        Ok(Entry {
            summary: Summary {
                receipt,
                server: self.server,
                tool: self.tool,
                policy,
                created: Timestamp::from_millis(self.created),
                expires: Timestamp::from_millis(self.expires),
                state: State::from_word(&self.state).ok_or(Fault::Row("an unknown `state`"))?,
                due: Timestamp::from_millis(self.due),
                tries_used: self.tries_used,
                interrupted: self.interrupted,
                cancel_requested: self.cancel_requested,
                last_code: self.last_code,
                ended: self.ended.map(Timestamp::from_millis),
            },
            principal: String::new(),
            correlation_id: self.correlation_id,
            arguments: String::new(),
            result: None,
            principal_hash: bits(&self.principal_hash)?,
            key_hash: bits(&self.key_hash)?,
            arguments_hash: bits(&self.arguments_hash)?,
            control: Control {
                fence: self.fence,
                lease: Duration::from_millis(self.lease_ms),
                holds_key: self.holds_key,
                shared: self.shared,
                extended: self.extended,
            },
        })
    }
}

/// Reads 128 bits.
pub(super) fn bits(text: &str) -> Result<u128, Fault> {
    u128::from_str_radix(text, 16).map_err(|_| Fault::Row("a receipt or hash that cannot be read"))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
