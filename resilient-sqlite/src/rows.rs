//! Entries as rows.

use std::time::Duration;

use resilient_runtime::deferred::{Control, DeferredSettings, Entry, OnExhausted, Receipt, State, Summary, Timestamp};
use rusqlite::types::Null;
use rusqlite::{Connection, Row, ToSql, named_params, params};

use crate::error::Fault;

/// The columns of [`summary`].
pub(crate) const SUMMARY: &str = "receipt, server, tool, tries, base_ms, cap_ms, ttl_ms, on_exhausted, created, \
    expires, state, due, tries_used, interrupted, cancel_requested, last_code, ended";

/// The columns of [`entry`].
pub(crate) const ENTRY: &str = "receipt, server, tool, tries, base_ms, cap_ms, ttl_ms, on_exhausted, created, \
    expires, state, due, tries_used, interrupted, cancel_requested, last_code, ended, \
    fence, lease_ms, holds_key, shared, extended, principal_hash, key_hash, arguments_hash, correlation_id, \
    principal, result, arguments";

/// Inserts an entry.
pub(crate) fn insert(connection: &Connection, entry: &Entry) -> Result<(), Fault> {
    let sql = "INSERT INTO entries (receipt, server, tool, tries, base_ms, cap_ms, ttl_ms, on_exhausted, created, \
        expires, state, live, due, tries_used, interrupted, cancel_requested, last_code, ended, fence, lease_ms, \
        holds_key, shared, extended, principal_hash, key_hash, arguments_hash, correlation_id, principal, result, \
        arguments) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0, 0, 0, NULL, NULL, 0, 0, ?14, ?15, ?16, ?17, \
        ?18, ?19, ?20, ?21, NULL, ?22)";
    let Entry { summary, control, .. } = entry;
    // By number, because SQLite looks for each name in a list.
    connection.prepare_cached(sql)?.execute(params![
        summary.receipt.bits().to_be_bytes(),
        summary.server,
        summary.tool,
        summary.policy.tries,
        millis(summary.policy.base),
        millis(summary.policy.cap),
        millis(summary.policy.ttl),
        summary.policy.on_exhausted.as_str(),
        time(summary.created),
        time(summary.expires),
        summary.state.as_str(),
        summary.state.is_live(),
        time(summary.due),
        control.holds_key,
        control.shared,
        control.extended,
        entry.principal_hash.to_be_bytes(),
        entry.key_hash.to_be_bytes(),
        entry.arguments_hash.to_be_bytes(),
        entry.correlation_id,
        entry.principal,
        entry.arguments,
    ])?;
    Ok(())
}

/// Writes what transitions change.
pub(crate) fn save(connection: &Connection, entry: &Entry) -> Result<(), Fault> {
    let sql = "UPDATE entries SET expires = :expires, state = :state, live = :live, due = :due, \
        tries_used = :tries_used, interrupted = :interrupted, cancel_requested = :cancel_requested, \
        last_code = :last_code, ended = :ended, fence = :fence, lease_ms = :lease_ms, holds_key = :holds_key, \
        shared = :shared, extended = :extended, result = :result, \
        principal = CASE :erase WHEN 1 THEN '' ELSE principal END, \
        arguments = CASE :erase WHEN 1 THEN '' ELSE arguments END \
        WHERE receipt = :receipt";
    let Entry { summary, control, .. } = entry;
    let ended = summary.ended.map(time);
    connection.prepare_cached(sql)?.execute(named_params! {
        ":receipt": summary.receipt.bits().to_be_bytes(),
        ":expires": time(summary.expires),
        ":state": summary.state.as_str(),
        ":live": summary.state.is_live(),
        ":due": time(summary.due),
        ":tries_used": summary.tries_used,
        ":interrupted": summary.interrupted,
        ":cancel_requested": summary.cancel_requested,
        ":last_code": summary.last_code,
        ":ended": ended.as_ref().map_or(&Null as &dyn ToSql, |ended| ended as &dyn ToSql),
        ":fence": i64::try_from(control.fence).unwrap_or(i64::MAX),
        ":lease_ms": millis(control.lease),
        ":holds_key": control.holds_key,
        ":shared": control.shared,
        ":extended": control.extended,
        ":result": entry.result,
        // Only an end erases them, and it always erases both.
        ":erase": entry.arguments.is_empty() && entry.principal.is_empty(),
    })?;
    Ok(())
}

/// Reads the columns of [`SUMMARY`].
pub(crate) fn summary(row: &Row<'_>) -> Result<Summary, Fault> {
    let word = |column| row.get_ref(column).map_err(Fault::from)?.as_str().map_err(|_| Fault::Row("not a word"));
    Ok(Summary {
        receipt: Receipt::from_bits(bits(row, 0)?),
        server: row.get(1)?,
        tool: row.get(2)?,
        policy: DeferredSettings::new()
            .tries(row.get(3)?)
            .base(duration(row, 4)?)
            .cap(duration(row, 5)?)
            .ttl(duration(row, 6)?)
            .on_exhausted(OnExhausted::from_word(word(7)?).ok_or(Fault::Row("an unknown `on_exhausted`"))?),
        created: timestamp(row, 8)?,
        expires: timestamp(row, 9)?,
        state: State::from_word(word(10)?).ok_or(Fault::Row("an unknown `state`"))?,
        due: timestamp(row, 11)?,
        tries_used: row.get(12)?,
        interrupted: row.get(13)?,
        cancel_requested: row.get(14)?,
        last_code: row.get(15)?,
        ended: row.get::<_, Option<i64>>(16)?.map(|_| timestamp(row, 16)).transpose()?,
    })
}

/// Reads the columns of [`ENTRY`].
pub(crate) fn entry(row: &Row<'_>) -> Result<Entry, Fault> {
    Ok(Entry {
        summary: summary(row)?,
        control: Control {
            fence: u64::try_from(row.get::<_, i64>(17)?).map_err(|_| Fault::Row("a negative `fence`"))?,
            lease: duration(row, 18)?,
            holds_key: row.get(19)?,
            shared: row.get(20)?,
            extended: row.get(21)?,
        },
        principal_hash: bits(row, 22)?,
        key_hash: bits(row, 23)?,
        arguments_hash: bits(row, 24)?,
        correlation_id: row.get(25)?,
        principal: row.get(26)?,
        result: row.get(27)?,
        arguments: row.get(28)?,
    })
}

/// A duration in the form of a column.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A time in the form of a column.
pub(crate) fn time(timestamp: Timestamp) -> i64 {
    i64::try_from(timestamp.millis()).unwrap_or(i64::MAX)
}

fn natural(row: &Row<'_>, column: usize) -> Result<u64, Fault> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|_| Fault::Row("a negative time"))
}

fn timestamp(row: &Row<'_>, column: usize) -> Result<Timestamp, Fault> {
    natural(row, column).map(Timestamp::from_millis)
}

fn duration(row: &Row<'_>, column: usize) -> Result<Duration, Fault> {
    natural(row, column).map(Duration::from_millis)
}

fn bits(row: &Row<'_>, column: usize) -> Result<u128, Fault> {
    Ok(u128::from_be_bytes(row.get(column)?))
}
