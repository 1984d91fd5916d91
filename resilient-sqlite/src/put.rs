//! How a write is accepted, and withdrawn if its caller leaves.

use std::sync::Arc;

use resilient_runtime::deferred::{Bounds, NewEntry, Put, Receipt, StoreError, StoreErrorKind, StoreSecret};
use rusqlite::Connection;
use tokio::runtime::Handle;

use crate::error::Fault;
use crate::link::{Shared, Space, run, run_on};
use crate::queries::{by_key, by_receipt, found, has_live, has_space, release_key, share, withdraw};
use crate::rows::insert;

/// Accepts a write. If the future is dropped, the entry is withdrawn.
pub(crate) async fn put(
    writer: &Shared,
    secret: StoreSecret,
    bounds: Bounds,
    new: NewEntry,
) -> Result<Put, StoreError> {
    if new.arguments.len() > bounds.arguments {
        let message = format!("the arguments have more than {} bytes", bounds.arguments);
        return Err(StoreError::new(StoreErrorKind::TooLarge, message));
    }
    // Until here and while it waits for the link, there is nothing to withdraw.
    let link = Arc::clone(writer).lock_owned().await;
    let withdrawal = Withdrawal { link: Arc::clone(writer), runtime: Handle::current(), receipt: Some(new.receipt) };
    let result =
        run_on(link, move |link, stop| link.write(Space::New, stop, |it| accept(it, secret, bounds, new))).await;
    withdrawal.disarm();
    result
}

fn accept(connection: &Connection, secret: StoreSecret, bounds: Bounds, new: NewEntry) -> Result<Put, Fault> {
    let now = new.now;
    let entry = secret.seal(new);
    // Mostly the key is new, and there is nothing to look up before.
    if let Err(fault) = insert(connection, &entry) {
        if !is_duplicate(&fault) {
            return Err(fault);
        }
        let Some(mut holder) = by_key(connection, entry.key_hash)? else { return Err(fault) };
        if holder.holds_key(now) {
            share(connection, &mut holder)?;
            return Ok(Put::Existing(found(holder, entry.arguments_hash)));
        }
        release_key(connection, &mut holder)?;
        insert(connection, &entry)?;
    }
    // Rows are numbered from 1, so a low number needs no count. The size is limited by SQLite.
    let number = u64::try_from(connection.last_insert_rowid()).unwrap_or(u64::MAX);
    let with_it = bounds.entries.saturating_add(1);
    if number >= with_it && has_live(connection, with_it)? {
        return Err(too_many(bounds));
    }
    Ok(Put::Accepted(entry.summary))
}

fn is_duplicate(fault: &Fault) -> bool {
    let Fault::Sqlite(error) = fault else { return false };
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
}

fn too_many(bounds: Bounds) -> Fault {
    Fault::Store(StoreErrorKind::Full, format!("there are as many deferred writes as there may be: {}", bounds.entries))
}

/// Checks whether there is space for another entry.
pub(crate) fn check_space(connection: &Connection, bounds: Bounds) -> Result<(), Fault> {
    if has_live(connection, bounds.entries)? {
        return Err(too_many(bounds));
    }
    if !has_space(connection, bounds)? {
        let message = format!("the deferred writes are as large as they may be: {} bytes", bounds.bytes);
        return Err(Fault::Store(StoreErrorKind::Full, message));
    }
    Ok(())
}

/// Withdraws an entry when it is dropped, after the work that may store it: the link runs work in the order of arrival,
/// and that work has the link already.
struct Withdrawal {
    link: Shared,
    runtime: Handle,
    receipt: Option<Receipt>,
}

impl Withdrawal {
    fn disarm(mut self) {
        self.receipt = None;
    }
}

impl Drop for Withdrawal {
    fn drop(&mut self) {
        let Some(receipt) = self.receipt else { return };
        let link = Arc::clone(&self.link);
        self.runtime.spawn(async move {
            let withdrawn = run(&link, move |link, stop| {
                // Most were not stored, which needs no transaction.
                match by_receipt(&link.connection, receipt)? {
                    Some(_) => link.write(Space::Reserve, stop, |it| withdraw(it, receipt)),
                    None => Ok(true),
                }
            });
            match withdrawn.await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::debug!(receipt = receipt.short(), "a second call has the receipt; it stays valid");
                }
                Err(error) => tracing::warn!(
                    receipt = receipt.short(),
                    error = &error as &dyn std::error::Error,
                    "a deferred write whose caller left could not be withdrawn; it will be delivered"
                ),
            }
        });
    }
}
