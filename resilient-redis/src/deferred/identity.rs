//! The identity of a store: its secret, and an id by which every call notices another store.

use std::fmt;
use std::sync::LazyLock;

use redis::{Script, Value, cmd};
use resilient_runtime::deferred::{Receipt, StoreError, StoreErrorKind, StoreSecret};

use super::error::Fault;
use super::names::{Names, hex};
use super::reply::{array, text};
use super::row::bits;
use crate::Redis;

/// The format of the data. A version of this crate that changes it also gives the store a new id, so that processes
/// with older versions notice it.
const FORMAT: u32 = 1;

static OPEN: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/open.lua")));

/// What identifies a store.
///
/// A database can be emptied or replaced while processes use it. All scripts compare the id, so that no two processes
/// use different secrets for one store.
#[derive(Clone)]
pub(super) struct Identity {
    /// Not the secret, because commands that are slow or observed are logged with their arguments.
    pub(super) id: String,
    pub(super) secret: StoreSecret,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Reads the identity of the store, and creates it in an empty database.
pub(super) async fn read(redis: &Redis, names: &Names) -> Result<Identity, Fault> {
    let store = &names.store;
    // First without writing, which a read-only Redis allows.
    let found: Value = cmd("HMGET").arg(store).arg(&["format", "id", "secret"]).query_async(&mut redis.data()?).await?;
    if let Some(identity) = known(found)? {
        return Ok(identity);
    }
    let id = Receipt::random().map_err(|error| no_random_bits(&error))?;
    let secret = StoreSecret::generate().map_err(|error| no_random_bits(&error))?;
    let mut call = OPEN.key(store);
    call.arg(FORMAT).arg(hex(id.bits())).arg(hex(u128::from_be_bytes(secret.to_bytes())));
    known(call.invoke_async(&mut redis.data()?).await?)?.ok_or(Fault::Row("a store without a secret"))
}

/// Returns the identity of a store of a known format, if there is one.
fn known(value: Value) -> Result<Option<Identity>, Fault> {
    let mut fields = array(value)?.into_iter().map(text);
    let mut field = || fields.next().transpose().map(Option::flatten);
    let (format, id, secret) = (field()?, field()?, field()?);
    let Some(format) = format else { return Ok(None) };
    let format: u32 = format.parse().map_err(|_| Fault::Row("an unknown format"))?;
    if format > FORMAT {
        let message = format!(
            "a newer version of the server has written the deferred writes in Redis (format {format}; this version \
             knows {FORMAT})"
        );
        return Err(Fault::Store(StoreErrorKind::Unavailable, message));
    }
    let (Some(id), Some(secret)) = (id, secret) else { return Err(Fault::Row("a store without a secret")) };
    Ok(Some(Identity { id, secret: StoreSecret::from_bytes(bits(&secret)?.to_be_bytes()) }))
}

fn no_random_bits(error: &StoreError) -> Fault {
    Fault::Store(error.kind(), error.to_string())
}
