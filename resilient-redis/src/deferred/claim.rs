//! What happens when a time has come: claims, the end of leases and of times to live, removal, and other clocks.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use redis::Script;
use resilient_runtime::deferred::{Claim, Claims, Entry, State, Swept, Timestamp};

use super::changes::{Changes, Memory};
use super::client::{Client, after};
use super::damaged::Damaged;
use super::error::Fault;
use super::identity::Identity;
use super::read::{After, Content, Listed, listed, rows};
use super::reply::{first_score, rest, score};
use super::stored::{BYTES_OF_ENTRY, Fields};

static DUE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/due.lua")));
static COUNT_AGAIN: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/count_again.lua")));

/// The maximum number of entries that one call ends, adapts or removes, beyond those that it claims.
const AT_ONCE: usize = 256;

/// The entries of some sets up to a time.
#[derive(Debug)]
struct Due {
    /// The earliest time in the sets.
    first: Option<Timestamp>,
    entries: Vec<Listed>,
}

async fn due(
    client: &Client,
    identity: &Identity,
    (sets, until): (&[String], Timestamp),
    (limit, fields): (usize, Fields),
) -> Result<Due, Fault> {
    let mut call = DUE.key(&client.names.store);
    for set in sets {
        call.key(set);
    }
    call.arg(&identity.id).arg(until.millis()).arg(i64::try_from(limit).unwrap_or(i64::MAX));
    call.arg(&client.names.entries).arg(fields.names());
    let mut values = rest(client.invoke(&call).await?)?;
    let first = values.next().map(score).transpose()?.flatten().map(Timestamp::from_millis);
    Ok(Due { first, entries: listed(client, values)? })
}

/// Claims entries up to the limit, in addition to those that are claimed already. Returns whether it is done: not if
/// the entries that were due have ended instead, and others may be due.
pub(super) async fn claim_some(
    client: &Client,
    identity: &Identity,
    wanted: &Claim,
    claims: &mut Claims,
) -> Result<bool, Fault> {
    let names = &client.names;
    // Each tool once.
    let mut seen = BTreeSet::new();
    let tools: Vec<_> = wanted.tools.iter().filter(|tool| seen.insert(&*tool.name)).collect();
    let sets: Vec<_> = tools.iter().map(|tool| names.due(&wanted.server, &tool.name)).collect();
    let limit = wanted.limit.saturating_sub(claims.entries.len());
    let found = due(client, identity, (&sets, wanted.now), (limit, Fields::All)).await?;
    claims.next = found.first;
    if found.entries.is_empty() {
        return Ok(true);
    }
    let is_full = found.entries.len() >= limit;
    let (mut changes, mut claimed, mut ended) = (Changes::default(), Vec::new(), Vec::new());
    let mut damaged = Damaged::new(&sets, wanted.now);
    for listed in found.entries {
        let Some((member, mut stored)) = damaged.readable(names, &mut changes, listed) else { continue };
        let Some(tool) = tools.iter().find(|tool| tool.name == stored.entry.summary.tool) else {
            damaged.postpone(&mut changes, member, "an entry of another tool");
            continue;
        };
        stored.entry.settle(wanted.now);
        let fence = stored.entry.control.fence;
        let is_claimed = stored.entry.claim(tool.lease, wanted.now).is_some();
        if is_claimed {
            stored.entry.control.fence = after(fence);
        }
        stored.save(names, &mut changes)?;
        if is_claimed {
            claimed.push(stored.entry);
        } else if !stored.entry.summary.state.is_live() {
            ended.push(stored.entry.summary);
        }
    }
    for set in &sets {
        changes.run("ZRANGE", set, [b"0", b"0", b"WITHSCORES"]);
    }
    let mut replies = changes.apply(client, identity, Memory::Exceeding).await?;
    let firsts = replies.split_off(replies.len().saturating_sub(sets.len()));
    let mut next: Option<u64> = None;
    for first in firsts {
        next = next.into_iter().chain(first_score(first)?).min();
    }
    damaged.log("claim");
    claims.next = next.map(Timestamp::from_millis);
    claims.entries.extend(claimed);
    claims.ended.extend(ended);
    Ok(!is_full || claims.entries.len() >= wanted.limit || claims.ended.len() >= AT_ONCE)
}

/// Ends and removes entries of a server whose time is over.
pub(super) async fn sweep(client: &Client, identity: &Identity, server: &str, now: Timestamp) -> Result<Swept, Fault> {
    let names = &client.names;
    let sets = [names.over(server), names.ended(server)];
    let mut found = due(client, identity, (&sets, now), (AT_ONCE, Fields::Row)).await?;
    // In the order of their acceptance, which is that of members.
    found.entries.sort_by(|one, other| one.member.cmp(&other.member));
    let (mut changes, mut swept, mut damaged) = (Changes::default(), Swept::default(), Damaged::new(&sets, now));
    for listed in found.entries {
        let Some((_, mut stored)) = damaged.readable(names, &mut changes, listed) else { continue };
        if stored.entry.is_removable(now) {
            stored.remove(names, &mut changes);
            swept.removed += 1;
        } else if stored.entry.settle(now) {
            stored.save(names, &mut changes)?;
            if !stored.entry.summary.state.is_live() {
                swept.ended.push(stored.entry.summary);
            }
        }
    }
    if !changes.is_empty() {
        changes.apply(client, identity, Memory::Exceeding).await?;
    }
    damaged.log("sweep");
    Ok(swept)
}

/// A step of [`recover`].
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) changed: u64,
    /// Where the next step begins, if there is one.
    pub(super) next: Option<String>,
    /// Whether something else than this crate removed entries, which are still counted.
    pub(super) has_gaps: bool,
}

/// Adapts entries of a server after a member to a clock.
pub(super) async fn recover(
    client: &Client,
    identity: &Identity,
    (server, now): (&str, Timestamp),
    after: &str,
) -> Result<Recovered, Fault> {
    let entries = rows(client, identity, Some(server), State::ALL, After::Member(after), AT_ONCE).await?;
    let next = entries.last().filter(|_| entries.len() == AT_ONCE).map(|last| last.member.clone());
    let has_gaps = entries.iter().any(|listed| matches!(listed.content, Content::Missing));
    let (mut changes, mut adapted) = (Changes::default(), 0);
    for mut stored in entries.into_iter().filter_map(Listed::stored) {
        if Entry::recover(&mut stored.entry, now) {
            stored.save(&client.names, &mut changes)?;
            adapted += 1;
        }
    }
    if !changes.is_empty() {
        changes.apply(client, identity, Memory::Exceeding).await?;
    }
    Ok(Recovered { changed: adapted, next, has_gaps })
}

/// Forgets the entries that something else than this crate removed, and counts the others again. Redis does nothing
/// else meanwhile, for less than a second with 100,000 entries.
pub(super) async fn count_again(client: &Client, identity: &Identity) -> Result<(), Fault> {
    let names = &client.names;
    let mut call = COUNT_AGAIN.key(&names.store);
    call.key(&names.totals).key(&names.servers);
    call.arg(&identity.id).arg(&names.entries).arg(&names.lists).arg(BYTES_OF_ENTRY);
    call.arg(&names.oldest).arg(names.over("")).arg(names.ended(""));
    for state in State::ALL {
        call.arg(state.as_str()).arg(u8::from(state.is_live()));
    }
    rest(client.invoke(&call).await?).map(drop)
}
