//! How a write is accepted.

use std::time::Instant;

use resilient_runtime::deferred::{Bounds, Entry, Found, NewEntry, Put, StoreErrorKind, Timestamp};

use super::changes::{Changes, Memory};
use super::client::Client;
use super::error::Fault;
use super::identity::Identity;
use super::names::{Names, hex};
use super::read::{Holder, by_key, found};
use super::stored::{BYTES_OF_ENTRY, Fields, Stored, bytes_of_new, insert};

/// Accepts a write, or returns the entry that holds its key.
pub(super) async fn put(client: &Client, bounds: Bounds, new: &NewEntry, began: Instant) -> Result<Put, Fault> {
    if new.arguments.len() > bounds.arguments {
        let message = format!("the arguments have more than {} bytes", bounds.arguments);
        return Err(Fault::Store(StoreErrorKind::TooLarge, message));
    }
    loop {
        match attempt(client, bounds, new).await {
            Err(fault @ (Fault::Conflict | Fault::OtherStore)) => {
                let again = client.again(began, fault).await;
                again.map_err(|error| Fault::Store(error.kind(), error.to_string()))?;
            }
            ended => return ended,
        }
    }
}

async fn attempt(client: &Client, bounds: Bounds, new: &NewEntry) -> Result<Put, Fault> {
    let identity = client.identity().await?;
    let entry = identity.secret.seal(new.clone());
    // Mostly the key is new, and there is nothing to look up before.
    let taken = match accept(client, &identity, bounds, &entry, None).await {
        Err(fault @ Fault::Conflict) => fault,
        // A full store still answers for its keys.
        Err(fault) if fault.kind() == StoreErrorKind::Full => fault,
        ended => return ended,
    };
    let holder = by_key(client, &identity, entry.key_hash, Fields::All).await?;
    let Some(holder) = holder else { return Err(taken) };
    let Holder { receipt, stored } = holder;
    match stored {
        Some(stored) if stored.entry.holds_key(new.now) => {
            Ok(Put::Existing(share(client, &identity, stored, entry.arguments_hash).await?))
        }
        stored => accept(client, &identity, bounds, &entry, Some(Holder { receipt, stored })).await,
    }
}

/// Stores an entry, and takes its key from one that no longer holds it.
async fn accept(
    client: &Client,
    identity: &Identity,
    bounds: Bounds,
    entry: &Entry,
    holder: Option<Holder>,
) -> Result<Put, Fault> {
    let (names, mut changes) = (&client.names, Changes::default());
    let expected = holder.as_ref().map(|holder| holder.receipt.clone()).unwrap_or_default();
    changes.expect(&names.keys, &hex(entry.key_hash), expected);
    if let Some(mut holder) = holder.and_then(|holder| holder.stored) {
        release_key(names, &mut holder, &mut changes)?;
    }
    insert(names, entry, &mut changes)?;
    expect_space(names, bounds, bytes_of_new(entry), &mut changes);
    changes.apply(client, identity, Memory::Limited).await?;
    Ok(Put::Accepted(entry.summary.clone()))
}

/// Takes the key from an entry whose time to live is over.
pub(super) fn release_key(names: &Names, holder: &mut Stored, changes: &mut Changes) -> Result<(), Fault> {
    holder.entry.control.holds_key = false;
    holder.save(names, changes)
}

/// Makes sure that an entry that another call finds cannot be withdrawn.
async fn share(client: &Client, identity: &Identity, mut holder: Stored, arguments: u128) -> Result<Found, Fault> {
    if holder.entry.is_withdrawable() {
        holder.entry.control.shared = true;
        let mut changes = Changes::default();
        holder.save(&client.names, &mut changes)?;
        changes.apply(client, identity, Memory::Exceeding).await?;
    }
    Ok(found(holder.entry, arguments))
}

/// Returns the entry that holds a key, which cannot be withdrawn from then on.
pub(super) async fn find_shared(
    client: &Client,
    identity: &Identity,
    (key, arguments): (u128, u128),
    now: Timestamp,
) -> Result<Option<Found>, Fault> {
    let holder = by_key(client, identity, key, Fields::All).await?.and_then(|holder| holder.stored);
    match holder.filter(|stored| stored.entry.holds_key(now)) {
        Some(stored) => Ok(Some(share(client, identity, stored, arguments).await?)),
        None => Ok(None),
    }
}

/// Requires that there is space for another entry of this size.
fn expect_space(names: &Names, bounds: Bounds, bytes: u64, changes: &mut Changes) {
    let message = format!("there are as many deferred writes as there may be: {}", bounds.entries);
    match bounds.entries.checked_sub(1) {
        Some(others) => changes.expect_at_most(&names.totals, "live", others, message),
        None => changes.refuse(&names.totals, message),
    }
    let message = format!("the deferred writes are as large as they may be: {} bytes", bounds.bytes);
    match bounds.bytes.checked_sub(bytes) {
        Some(others) => changes.expect_at_most(&names.totals, "bytes", others, message),
        None => changes.refuse(&names.totals, message),
    }
}

/// Writes something small, if there is space for another entry, with arguments of the longest length, but of no more
/// than an eighth of the space.
pub(super) async fn check(client: &Client, identity: &Identity, bounds: Bounds) -> Result<(), Fault> {
    let mut changes = Changes::default();
    let longest = u64::try_from(bounds.arguments).unwrap_or(u64::MAX).min(bounds.bytes / 8);
    expect_space(&client.names, bounds, BYTES_OF_ENTRY.saturating_add(longest), &mut changes);
    changes.add(&client.names.totals, "checks", 1);
    changes.apply(client, identity, Memory::Limited).await?;
    Ok(())
}
