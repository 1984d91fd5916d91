//! Entries as they are read and written.

use redis::Value;
use resilient_runtime::deferred::{Entry, Receipt, State, StoreErrorKind};

use super::changes::Changes;
use super::client::after;
use super::error::Fault;
use super::names::{Names, hex};
use super::reply::{array, text};
use super::row::{Row, Sizes, bits};

/// The bytes that an entry counts beside its arguments, principal and result: for its row and its places in the sets.
pub(super) const BYTES_OF_ENTRY: u64 = 2_048;

/// The highest score, up to which a sorted set is exact: a time in 285,000 years.
pub(super) const HIGHEST_SCORE: u64 = 1 << 53;

/// The fields of an entry to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fields {
    /// The row only, for what neither uses nor changes a text.
    Row,
    /// The row and the result, for transitions.
    Result,
    /// All.
    All,
}

impl Fields {
    pub(super) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Row => &["version", "member", "row"],
            Self::Result => &["version", "member", "row", "result"],
            Self::All => &["version", "member", "row", "result", "arguments", "principal"],
        }
    }
}

/// An entry of the store that may be changed, and what it was.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) entry: Entry,
    /// The number of the latest change, higher than that of the one before.
    version: u64,
    /// Its name in the sets.
    pub(super) member: String,
    before: Before,
}

/// What a change is compared with.
#[derive(Debug)]
struct Before {
    places: Vec<(String, u64)>,
    state: State,
    holds_key: bool,
    interrupted: u32,
    result: Option<String>,
    sizes: Sizes,
}

impl Stored {
    /// Reads an entry from its [`Fields`]. Returns `None` if it is not there.
    pub(super) fn read(names: &Names, receipt: &str, fields: Value) -> Result<Option<Self>, Fault> {
        let mut fields = array(fields)?.into_iter().map(text);
        let mut field = || fields.next().transpose().map(Option::flatten);
        let (version, member, row) = (field()?, field()?, field()?);
        let Some(row) = row else { return Ok(None) };
        let row = Row::read(&row)?;
        let sizes = row.sizes();
        let mut entry = row.entry(Receipt::from_bits(bits(receipt)?))?;
        entry.result = field()?;
        entry.arguments = field()?.unwrap_or_default();
        entry.principal = field()?.unwrap_or_default();
        let version = version.and_then(|version| version.parse().ok()).ok_or(Fault::Row("an entry without version"))?;
        let member = member.ok_or(Fault::Row("an entry without member"))?;
        let before = Before {
            places: places(names, &entry),
            state: entry.summary.state,
            holds_key: entry.control.holds_key,
            interrupted: entry.summary.interrupted,
            result: entry.result.clone(),
            sizes,
        };
        Ok(Some(Self { entry, version, member, before }))
    }

    /// Requires that the entry has not changed since it was read.
    pub(super) fn expect_unchanged(&self, names: &Names, changes: &mut Changes) {
        changes.expect(&names.entry(self.entry.summary.receipt), "version", self.version.to_string());
    }

    /// Adds what has changed, and requires that nothing else changed the entry.
    pub(super) fn save(&self, names: &Names, changes: &mut Changes) -> Result<(), Fault> {
        self.expect_unchanged(names, changes);
        let Self { entry, before, member, .. } = self;
        let (key, state) = (names.entry(entry.summary.receipt), entry.summary.state);
        let sizes = self.sizes();
        let (version, row) = (after(self.version).to_string(), Row::of(entry, sizes).write()?);
        changes.run("HSET", &key, [b"version", version.as_bytes(), b"row", row.as_bytes()]);
        match &entry.result {
            result if *result == before.result => {}
            Some(result) => changes.run("HSET", &key, [b"result", result.as_bytes()]),
            None => changes.run("HDEL", &key, [b"result"]),
        }
        if sizes.texts < before.sizes.texts {
            changes.run("HDEL", &key, [b"arguments", b"principal"]);
        }
        let places = places(names, entry);
        for (place, _) in before.places.iter().filter(|(place, _)| places.iter().all(|(it, _)| it != place)) {
            changes.run("ZREM", place, [member.as_bytes()]);
        }
        for (place, score) in places.iter().filter(|place| !before.places.contains(place)) {
            changes.run("ZADD", place, [score.to_string().as_bytes(), member.as_bytes()]);
        }
        self.save_key(names, changes);
        let live = i64::from(state.is_live()) - i64::from(before.state.is_live());
        changes.add(&names.totals, "live", live);
        changes.add(&names.totals, "bytes", self.more_bytes());
        let interrupted = i64::from(entry.summary.interrupted) - i64::from(before.interrupted);
        changes.add(&names.interrupted, &entry.summary.server, interrupted);
        Ok(())
    }

    fn save_key(&self, names: &Names, changes: &mut Changes) {
        let key = hex(self.entry.key_hash);
        match (self.before.holds_key, self.entry.control.holds_key) {
            (true, false) => changes.run("HDEL", &names.keys, [key.as_bytes()]),
            (false, true) => {
                let receipt = hex(self.entry.summary.receipt.bits());
                changes.run("HSET", &names.keys, [key.as_bytes(), receipt.as_bytes()]);
            }
            _ => {}
        }
    }

    /// Returns the sizes of the texts that the entry has now.
    fn sizes(&self) -> Sizes {
        let Self { entry, before, .. } = self;
        let state = entry.summary.state;
        Sizes {
            texts: if state.is_live() || state == State::Dead { before.sizes.texts } else { 0 },
            result: if entry.result == before.result {
                before.sizes.result
            } else {
                entry.result.as_ref().map_or(0, String::len) as u64
            },
        }
    }

    /// Returns whether a change added a result.
    pub(super) fn has_new_result(&self) -> bool {
        self.entry.result.is_some() && self.entry.result != self.before.result
    }

    /// Returns by how many bytes the entry is larger now.
    pub(super) fn more_bytes(&self) -> i64 {
        let (now, before) = (self.sizes(), self.before.sizes);
        signed(now.texts) + signed(now.result) - signed(before.texts) - signed(before.result)
    }

    /// Adds the removal of the entry, and requires that nothing else changed it.
    pub(super) fn remove(&self, names: &Names, changes: &mut Changes) {
        self.expect_unchanged(names, changes);
        let Self { entry, before, member, .. } = self;
        changes.run("DEL", &names.entry(entry.summary.receipt), []);
        for (place, _) in &before.places {
            changes.run("ZREM", place, [member.as_bytes()]);
        }
        if before.holds_key {
            changes.run("HDEL", &names.keys, [hex(entry.key_hash).as_bytes()]);
        }
        let bytes = BYTES_OF_ENTRY.saturating_add(before.sizes.texts).saturating_add(before.sizes.result);
        changes.add(&names.totals, "live", -i64::from(before.state.is_live()));
        changes.add(&names.totals, "bytes", -signed(bytes));
        changes.add(&names.interrupted, &entry.summary.server, -i64::from(before.interrupted));
    }
}

/// Adds a new entry. The bytes that it counts are those of [`bytes_of_new`].
pub(super) fn insert(names: &Names, entry: &Entry, changes: &mut Changes) -> Result<(), Fault> {
    let (key, receipt) = (names.entry(entry.summary.receipt), hex(entry.summary.receipt.bits()));
    let row = Row::of(entry, Sizes { texts: texts_of(entry), result: 0 }).write()?;
    changes.expect_none(&key, "version", StoreErrorKind::Unavailable, "the receipt of a deferred write is not new");
    changes.run_numbered(
        "HSET",
        &key,
        [
            b"version",
            b"1",
            b"row",
            row.as_bytes(),
            b"arguments",
            entry.arguments.as_bytes(),
            b"principal",
            entry.principal.as_bytes(),
            b"member",
            receipt.as_bytes(),
        ],
    );
    for (place, score) in places(names, entry) {
        changes.run_numbered("ZADD", &place, [score.to_string().as_bytes(), receipt.as_bytes()]);
    }
    changes.run("HSET", &names.keys, [hex(entry.key_hash).as_bytes(), receipt.as_bytes()]);
    changes.run("SADD", &names.servers, [entry.summary.server.as_bytes()]);
    changes.add(&names.totals, "live", 1);
    changes.add(&names.totals, "bytes", signed(bytes_of_new(entry)));
    Ok(())
}

/// Returns the bytes that a new entry counts.
pub(super) fn bytes_of_new(entry: &Entry) -> u64 {
    BYTES_OF_ENTRY.saturating_add(texts_of(entry))
}

fn texts_of(entry: &Entry) -> u64 {
    (entry.arguments.len() as u64).saturating_add(entry.principal.len() as u64)
}

/// Returns the sets in which an entry is, with its scores.
fn places(names: &Names, entry: &Entry) -> Vec<(String, u64)> {
    let summary = &entry.summary;
    let (server, due) = (&*summary.server, summary.due.millis().min(HIGHEST_SCORE));
    let mut places = vec![(names.list(summary.state, server), 0)];
    if summary.state.is_live() {
        // When `Entry::settle` changes it.
        let over = if summary.state == State::Running { due } else { summary.expires.millis().min(HIGHEST_SCORE) };
        places.push((names.due(server, &summary.tool), due));
        places.push((names.over(server), over));
        places.push((names.oldest(server), summary.created.millis().min(HIGHEST_SCORE)));
    } else {
        places.push((names.ended(server), due));
    }
    places
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
