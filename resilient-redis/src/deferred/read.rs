//! Reading entries.

use std::sync::LazyLock;

use redis::{Script, ScriptInvocation, Value};
use resilient_runtime::deferred::{
    Counts, Entry, Filter, Found, Receipt, State, StoreSecret, Summary, Timestamp, Viewer,
};

use super::client::Client;
use super::error::Fault;
use super::identity::Identity;
use super::names::hex;
use super::reply::{array, number, rest, score, text};
use super::stored::{Fields, Stored};

static ENTRY: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/entry.lua")));
static LIST: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/list.lua")));
static COUNTS: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/counts.lua")));

/// The entry that holds a key, perhaps for no longer.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) receipt: String,
    /// Missing only if something else than this crate removed it.
    pub(super) stored: Option<Stored>,
}

/// Reads the entry of a receipt.
pub(super) async fn by_receipt(
    client: &Client,
    identity: &Identity,
    receipt: Receipt,
    fields: Fields,
) -> Result<Option<Stored>, Fault> {
    let mut call = ENTRY.key(&client.names.store);
    call.arg(&identity.id).arg(hex(receipt.bits()));
    Ok(one(client, call, fields).await?.and_then(|holder| holder.stored))
}

/// Reads the entry that holds a key.
pub(super) async fn by_key(
    client: &Client,
    identity: &Identity,
    key: u128,
    fields: Fields,
) -> Result<Option<Holder>, Fault> {
    let mut call = ENTRY.key(&client.names.store);
    call.key(&client.names.keys).arg(&identity.id).arg(hex(key));
    one(client, call, fields).await
}

async fn one(client: &Client, mut call: ScriptInvocation<'_>, fields: Fields) -> Result<Option<Holder>, Fault> {
    call.arg(&client.names.entries).arg(fields.names());
    let Some(found) = rest(client.invoke(&call).await?)?.next() else { return Ok(None) };
    let mut found = array(found)?.into_iter();
    let (Some(receipt), Some(values)) = (found.next().map(text).transpose()?.flatten(), found.next()) else {
        return Err(Fault::Row("a reply without an entry"));
    };
    let stored = Stored::read(&client.names, &receipt, values)?;
    Ok(Some(Holder { receipt, stored }))
}

pub(super) fn found(entry: Entry, arguments: u128) -> Found {
    Found { same_arguments: entry.arguments_hash == arguments, entry }
}

pub(super) fn may_see(viewer: &Viewer, secret: StoreSecret, entry: &Entry) -> bool {
    match viewer {
        Viewer::Caller { server, principal } => entry.principal_hash == secret.principal_hash(server, principal),
        Viewer::Operator => true,
        _ => false,
    }
}

/// A member of a set, and its entry.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) member: String,
    pub(super) content: Content,
}

/// What a set refers to.
#[derive(Debug)]
pub(super) enum Content {
    Stored(Box<Stored>),
    /// Something else than this crate removed the entry.
    Missing,
    /// The entry cannot be read. It must not keep the others from being delivered.
    Damaged(&'static str),
}

impl Listed {
    /// Returns the entry, if it can be read.
    pub(super) fn stored(self) -> Option<Stored> {
        match self.content {
            Content::Stored(stored) => Some(*stored),
            Content::Missing | Content::Damaged(_) => None,
        }
    }
}

/// Reads pairs of a member and the fields of its entry.
pub(super) fn listed(client: &Client, values: impl Iterator<Item = Value>) -> Result<Vec<Listed>, Fault> {
    values
        .map(|pair| {
            let mut pair = array(pair)?.into_iter();
            let (Some(member), Some(fields)) = (pair.next().map(text).transpose()?.flatten(), pair.next()) else {
                return Err(Fault::Row("a reply without an entry"));
            };
            let content = match Stored::read(&client.names, receipt_of(&member), fields) {
                Ok(Some(stored)) => Content::Stored(Box::new(stored)),
                Ok(None) => Content::Missing,
                Err(Fault::Row(what)) => Content::Damaged(what),
                Err(fault) => return Err(fault),
            };
            Ok(Listed { member, content })
        })
        .collect()
}

/// Returns the receipt in a member, after the number of the entry, which has 16 digits.
pub(super) fn receipt_of(member: &str) -> &str {
    member.get(16..).unwrap_or_default()
}

/// Where a list begins.
#[derive(Debug, Clone)]
pub(super) enum After<'a> {
    Receipt(Option<Receipt>),
    Member(&'a str),
}

/// Reads the rows of entries in the order of their acceptance.
pub(super) async fn rows(
    client: &Client,
    identity: &Identity,
    server: Option<&str>,
    states: &[State],
    after: After<'_>,
    limit: usize,
) -> Result<Vec<Listed>, Fault> {
    let mut call = LIST.key(&client.names.store);
    call.key(&client.names.servers).arg(&identity.id).arg(which(server)).arg(server.unwrap_or_default());
    match after {
        After::Receipt(receipt) => call.arg("receipt").arg(receipt.map(|it| hex(it.bits())).unwrap_or_default()),
        After::Member(member) => call.arg("member").arg(member),
    };
    call.arg(i64::try_from(limit).unwrap_or(i64::MAX)).arg(&client.names.entries).arg(&client.names.lists);
    call.arg(states.len());
    for state in states {
        call.arg(state.as_str());
    }
    call.arg(Fields::Row.names());
    listed(client, rest(client.invoke(&call).await?)?)
}

pub(super) async fn list(client: &Client, identity: &Identity, filter: &Filter) -> Result<Vec<Summary>, Fault> {
    let states = filter.state.as_ref().map_or(State::ALL, std::slice::from_ref);
    let after = After::Receipt(filter.after);
    let rows = rows(client, identity, filter.server.as_deref(), states, after, filter.limit).await?;
    Ok(rows.into_iter().filter_map(Listed::stored).map(|stored| stored.entry.summary).collect())
}

pub(super) async fn counts(client: &Client, identity: &Identity, server: Option<&str>) -> Result<Counts, Fault> {
    let mut call = COUNTS.key(&client.names.store);
    call.key(&client.names.servers).key(&client.names.interrupted);
    call.arg(&identity.id).arg(which(server)).arg(server.unwrap_or_default());
    call.arg(&client.names.lists).arg(&client.names.oldest);
    for state in State::ALL {
        call.arg(state.as_str());
    }
    let mut values = rest(client.invoke(&call).await?)?;
    let oldest = values.next().map(score).transpose()?.flatten().map(Timestamp::from_millis);
    let mut natural = || -> Result<u64, Fault> {
        let number = values.next().as_ref().map(number).transpose()?.unwrap_or_default();
        Ok(u64::try_from(number).unwrap_or_default())
    };
    let mut counts = Counts { oldest, interrupted: natural()?, ..Counts::default() };
    for state in State::ALL {
        counts.add(*state, natural()?);
    }
    Ok(counts)
}

/// Returns the word for one server or all.
const fn which(server: Option<&str>) -> &'static str {
    if server.is_some() { "one" } else { "all" }
}
