//! Changes of one entry.

use resilient_runtime::deferred::{
    Bounds, Cancellation, ClaimToken, Entry, Receipt, Retried, State, StoreErrorKind, Summary, Timestamp, Viewer,
};

use super::changes::{Changes, Memory};
use super::client::Client;
use super::error::Fault;
use super::identity::Identity;
use super::names::hex;
use super::put::release_key;
use super::read::{Holder, by_key, by_receipt, may_see};
use super::stored::Fields;

/// The bytes beyond [`Bounds::bytes`] that results may use, beside an eighth of them.
const RESERVE: u64 = 256 * 1024;

/// How long an entry can arrive after its withdrawal, in seconds. TCP gives up after a quarter of an hour.
const LATE_SECONDS: &str = "3600";

/// Changes the entry of a token, if the token is the latest. A result for which there is no space is not kept: a try
/// that ended must not be repeated because of that.
pub(super) async fn fenced(
    client: &Client,
    identity: &Identity,
    bounds: Bounds,
    token: ClaimToken,
    transition: impl Fn(&mut Entry) -> bool,
) -> Result<Option<Summary>, Fault> {
    let names = &client.names;
    let Some(mut stored) = by_receipt(client, identity, token.receipt, Fields::Result).await? else { return Ok(None) };
    if !transition(&mut stored.entry) {
        return Ok(None);
    }
    if stored.has_new_result() {
        let mut changes = Changes::default();
        stored.save(names, &mut changes)?;
        let most = bounds.bytes.saturating_add(bounds.bytes / 8).saturating_add(RESERVE);
        let others = most.saturating_add_signed(stored.more_bytes().saturating_neg());
        changes.expect_at_most(&names.totals, "bytes", others, "there is no space for the result".to_owned());
        match changes.apply(client, identity, Memory::Limited).await {
            Err(fault) if fault.kind() == StoreErrorKind::Full => stored.entry.result = None,
            ended => return ended.map(|_| Some(stored.entry.summary)),
        }
    }
    let mut changes = Changes::default();
    stored.save(names, &mut changes)?;
    changes.apply(client, identity, Memory::Exceeding).await?;
    Ok(Some(stored.entry.summary))
}

pub(super) async fn withdraw(client: &Client, identity: &Identity, receipt: Receipt) -> Result<bool, Fault> {
    let stored = by_receipt(client, identity, receipt, Fields::Row).await?;
    let Some(stored) = stored.filter(|stored| stored.entry.is_withdrawable()) else { return Ok(false) };
    let mut changes = Changes::default();
    stored.remove(&client.names, &mut changes);
    changes.apply(client, identity, Memory::Exceeding).await?;
    Ok(true)
}

/// Withdraws an entry, or refuses it if it arrives later: a request can still be on its way on a connection that was
/// replaced, even though Redis was asked on another one.
pub(super) async fn withdraw_or_refuse(client: &Client, identity: &Identity, receipt: Receipt) -> Result<bool, Fault> {
    if by_receipt(client, identity, receipt, Fields::Row).await?.is_some() {
        return withdraw(client, identity, receipt).await;
    }
    let (entry, mut changes) = (client.names.entry(receipt), Changes::default());
    changes.expect(&entry, "row", String::new());
    // `insert` accepts no entry whose receipt has a version.
    changes.run("HSET", &entry, [b"version", b"0"]);
    changes.run("EXPIRE", &entry, [LATE_SECONDS.as_bytes()]);
    changes.apply(client, identity, Memory::Exceeding).await?;
    Ok(false)
}

pub(super) async fn cancel(
    client: &Client,
    identity: &Identity,
    receipt: Receipt,
    viewer: &Viewer,
    now: Timestamp,
) -> Result<Option<Cancellation>, Fault> {
    let stored = by_receipt(client, identity, receipt, Fields::Row).await?;
    let Some(mut stored) = stored.filter(|stored| may_see(viewer, identity.secret, &stored.entry)) else {
        return Ok(None);
    };
    let cancelled = stored.entry.cancel(now);
    if !matches!(cancelled, Cancellation::Ended(_)) {
        let mut changes = Changes::default();
        stored.save(&client.names, &mut changes)?;
        changes.apply(client, identity, Memory::Exceeding).await?;
    }
    Ok(Some(cancelled))
}

pub(super) async fn retry(
    client: &Client,
    identity: &Identity,
    receipt: Receipt,
    now: Timestamp,
) -> Result<Retried, Fault> {
    let names = &client.names;
    let dead = by_receipt(client, identity, receipt, Fields::Result).await?;
    let Some(mut dead) = dead.filter(|stored| stored.entry.summary.state == State::Dead) else {
        return Ok(Retried::NotDead);
    };
    let key = dead.entry.key_hash;
    let holder = by_key(client, identity, key, Fields::Row).await?;
    let mut changes = Changes::default();
    let expected = holder.as_ref().map(|holder| holder.receipt.clone()).unwrap_or_default();
    changes.expect(&names.keys, &hex(key), expected);
    let mut taken = None;
    if let Some(Holder { stored: Some(mut stored), .. }) = holder.filter(|it| it.receipt != hex(receipt.bits())) {
        if stored.entry.holds_key(now) {
            // Both were read one after the other; the change only checks that both are as they were.
            stored.expect_unchanged(names, &mut changes);
            dead.expect_unchanged(names, &mut changes);
            taken = Some(stored.entry.summary.receipt);
        } else {
            release_key(names, &mut stored, &mut changes)?;
        }
    }
    if taken.is_none() {
        dead.entry.retry(now);
        dead.save(names, &mut changes)?;
    }
    changes.apply(client, identity, Memory::Exceeding).await?;
    Ok(taken.map_or(Retried::Waits, Retried::KeyTaken))
}

pub(super) async fn discard(
    client: &Client,
    identity: &Identity,
    receipt: Receipt,
    now: Timestamp,
) -> Result<bool, Fault> {
    let Some(mut stored) = by_receipt(client, identity, receipt, Fields::Row).await? else { return Ok(false) };
    if !stored.entry.discard(now) {
        return Ok(false);
    }
    let mut changes = Changes::default();
    stored.save(&client.names, &mut changes)?;
    changes.apply(client, identity, Memory::Exceeding).await?;
    Ok(true)
}
