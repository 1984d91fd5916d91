//! The events of deferred writes, which have fixed names. They show the receipt in short, and neither arguments nor
//! principals nor results.

use std::time::Duration;

use super::emit_at;
use crate::clock::saturating_millis;
use crate::deferred::{OnExhausted, State, StoreError, Summary, Timestamp};
use crate::panics::catch_panic;

/// Emits the event for a write that was accepted for later, with the time until its first try.
pub(crate) fn accepted(entry: &Summary, now: Timestamp, correlation_id: &str) {
    let (tool, receipt) = (&*entry.tool, entry.receipt.short());
    let next_attempt_ms = entry.next_try().map(|at| saturating_millis(at.since(now)));
    let expires_ms = saturating_millis(entry.expires.since(now));
    let tries_left = entry.tries_left();
    catch_panic(|| {
        tracing::info!(
            event = "deferred.accepted",
            tool,
            receipt,
            next_attempt_ms,
            tries_left,
            expires_ms,
            correlation_id
        );
    });
}

/// Emits the event for a try that has ended, and the event for the end of the entry if it was the last. `entry` is the
/// entry after the try, `code` that of its failure. A failure has the level warn, or debug if the try was postponed.
pub(crate) fn attempted(
    entry: &Summary,
    (attempt, duration, is_postponed): (u32, Duration, bool),
    code: Option<&str>,
    now: Timestamp,
    correlation_id: &str,
) {
    let (tool, receipt, state) = (&*entry.tool, entry.receipt.short(), entry.state.as_str());
    let next_attempt_ms = entry.next_try().map(|at| saturating_millis(at.since(now)));
    let (tries_left, duration_ms) = (entry.tries_left(), saturating_millis(duration));
    let level = match code {
        // Nothing was tried, and there may be many such entries.
        Some(_) if is_postponed => tracing::Level::DEBUG,
        Some(_) => tracing::Level::WARN,
        None => tracing::Level::INFO,
    };
    catch_panic(|| {
        emit_at!(
            level,
            event = "deferred.attempted",
            tool,
            receipt,
            attempt,
            code,
            state,
            next_attempt_ms,
            tries_left,
            duration_ms,
            correlation_id
        );
    });
    ended(entry, Some(correlation_id));
}

/// Emits the event for the end of an entry, if it has ended: `deferred.done` or `deferred.dead`. A dead letter has the
/// level error if its tool has `on_exhausted = notify`. A cancelled entry has no event: the request that cancelled it has one.
pub(crate) fn ended(entry: &Summary, correlation_id: Option<&str>) {
    let (tool, receipt, state) = (&*entry.tool, entry.receipt.short(), entry.state.as_str());
    let (tries, interrupted, code) = (entry.tries_used, entry.interrupted, entry.last_code.as_deref());
    let after_ms = entry.ended.map(|at| saturating_millis(at.since(entry.created)));
    let level = match (entry.state, entry.policy.on_exhausted) {
        (State::Done, _) => {
            catch_panic(|| {
                tracing::info!(event = "deferred.done", tool, receipt, tries, interrupted, after_ms, correlation_id);
            });
            return;
        }
        (State::Dead, OnExhausted::Notify) => tracing::Level::ERROR,
        (State::Dead | State::Discarded, _) => tracing::Level::WARN,
        _ => return,
    };
    catch_panic(|| {
        emit_at!(
            level,
            event = "deferred.dead",
            tool,
            receipt,
            state,
            tries,
            interrupted,
            code,
            after_ms,
            correlation_id
        );
    });
}

/// Emits the event for a store that could not do something. Call it once until the store works again.
pub(crate) fn store_failed(operation: &'static str, error: &StoreError) {
    let kind = error.kind().as_str();
    catch_panic(|| tracing::error!(event = "deferred.store_failed", operation, kind, error = %error));
}
