//! What the store does within one transaction.

use resilient_runtime::deferred::{
    Bounds, Claim, Claims, Counts, DEAD_LETTERS_KEPT, Entry, Filter, Found, Receipt, Retried, State, StoreSecret,
    Summary, Swept, Timestamp, Viewer,
};
use rusqlite::{Connection, OptionalExtension, Params, named_params, params};

use crate::error::Fault;
use crate::rows::{ENTRY, SUMMARY, entry, millis, save, summary, time};

/// The maximum number of entries that one transaction ends, adapts or removes, beyond those that it claims.
const AT_ONCE: usize = 256;

fn key(receipt: Receipt) -> [u8; 16] {
    receipt.bits().to_be_bytes()
}

fn limit(entries: usize) -> i64 {
    i64::try_from(entries).unwrap_or(i64::MAX)
}

/// The number of pages that a new entry may need beside its arguments: for its row, and one for each index.
const PAGES_OF_ENTRY: u64 = 5;

/// Returns the entries that a condition selects.
fn entries(connection: &Connection, condition: &str, params: impl Params) -> Result<Vec<Entry>, Fault> {
    let mut statement = connection.prepare_cached(&format!("SELECT {ENTRY} FROM entries WHERE {condition}"))?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(entry(row)?);
    }
    Ok(found)
}

/// Returns the entry of a receipt.
pub(crate) fn by_receipt(connection: &Connection, receipt: Receipt) -> Result<Option<Entry>, Fault> {
    Ok(entries(connection, "receipt = ?1", [key(receipt)])?.pop())
}

/// Returns the entry that holds a key, perhaps for no longer.
pub(crate) fn by_key(connection: &Connection, key: u128) -> Result<Option<Entry>, Fault> {
    Ok(entries(connection, "holds_key AND key_hash = ?1", [key.to_be_bytes()])?.pop())
}

/// Makes sure that an entry that another call finds cannot be withdrawn.
pub(crate) fn share(connection: &Connection, entry: &mut Entry) -> Result<(), Fault> {
    if entry.is_withdrawable() {
        entry.control.shared = true;
        save(connection, entry)?;
    }
    Ok(())
}

/// Takes the key from an entry whose time to live is over.
pub(crate) fn release_key(connection: &Connection, entry: &mut Entry) -> Result<(), Fault> {
    entry.control.holds_key = false;
    save(connection, entry)
}

pub(crate) fn found(entry: Entry, arguments: u128) -> Found {
    Found { same_arguments: entry.arguments_hash == arguments, entry }
}

pub(crate) fn withdraw(connection: &Connection, receipt: Receipt) -> Result<bool, Fault> {
    let is_withdrawable = by_receipt(connection, receipt)?.is_some_and(|entry| entry.is_withdrawable());
    if is_withdrawable {
        connection.prepare_cached("DELETE FROM entries WHERE receipt = ?1")?.execute([key(receipt)])?;
    }
    Ok(is_withdrawable)
}

pub(crate) fn may_see(viewer: &Viewer, secret: StoreSecret, entry: &Entry) -> bool {
    match viewer {
        Viewer::Caller { server, principal } => entry.principal_hash == secret.principal_hash(server, principal),
        Viewer::Operator => true,
        _ => false,
    }
}

/// Returns when the next entry of these tools is due.
pub(crate) fn next(connection: &Connection, claim: &Claim) -> Result<Option<Timestamp>, Fault> {
    let sql = "SELECT min(due) FROM entries WHERE live AND server = ?1 AND tool = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut next: Option<i64> = None;
    for tool in &claim.tools {
        let due: Option<i64> = statement.query_row(params![claim.server, tool.name], |row| row.get(0))?;
        next = next.into_iter().chain(due).min();
    }
    let next = next.map(u64::try_from).transpose().map_err(|_| Fault::Row("a negative `due`"))?;
    Ok(next.map(Timestamp::from_millis))
}

pub(crate) fn claim(connection: &Connection, claim: &Claim) -> Result<Claims, Fault> {
    let most = claim.limit.saturating_add(AT_ONCE);
    // Only the keys, because most of these rows may stay as they are.
    let sql = "SELECT due, seq, receipt FROM entries WHERE live AND server = ?1 AND tool = ?2 AND due <= ?3 \
        ORDER BY due, seq LIMIT ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let mut due = Vec::new();
    for tool in &claim.tools {
        let mut rows = statement.query(params![claim.server, tool.name, time(claim.now), limit(most)])?;
        while let Some(row) = rows.next()? {
            let order: (i64, i64) = (row.get(0)?, row.get(1)?);
            due.push((order, u128::from_be_bytes(row.get(2)?), tool.lease));
        }
    }
    due.sort_unstable();
    let mut claims = Claims::default();
    for (_, receipt, lease) in due.into_iter().take(most) {
        if claims.entries.len() == claim.limit {
            break;
        }
        let Some(mut entry) = by_receipt(connection, Receipt::from_bits(receipt))? else { continue };
        entry.settle(claim.now);
        let is_claimed = entry.claim(lease, claim.now).is_some();
        save(connection, &entry)?;
        if is_claimed {
            claims.entries.push(entry);
        } else if !entry.summary.state.is_live() {
            claims.ended.push(entry.summary);
        }
    }
    claims.next = next(connection, claim)?;
    Ok(claims)
}

/// Changes the entry of a receipt. `change` returns `None` if it changed nothing.
pub(crate) fn change<T>(
    connection: &Connection,
    receipt: Receipt,
    change: impl FnOnce(&mut Entry) -> Option<T>,
) -> Result<Option<(T, Summary)>, Fault> {
    let Some(mut entry) = by_receipt(connection, receipt)? else { return Ok(None) };
    let Some(result) = change(&mut entry) else { return Ok(None) };
    save(connection, &entry)?;
    Ok(Some((result, entry.summary)))
}

pub(crate) fn retry(connection: &Connection, receipt: Receipt, now: Timestamp) -> Result<Retried, Fault> {
    let dead = by_receipt(connection, receipt)?.filter(|entry| entry.summary.state == State::Dead);
    let Some(mut dead) = dead else { return Ok(Retried::NotDead) };
    if let Some(mut holder) = by_key(connection, dead.key_hash)?.filter(|it| it.summary.receipt != receipt) {
        if holder.holds_key(now) {
            return Ok(Retried::KeyTaken(holder.summary.receipt));
        }
        release_key(connection, &mut holder)?;
    }
    dead.retry(now);
    save(connection, &dead)?;
    Ok(Retried::Waits)
}

pub(crate) fn list(connection: &Connection, filter: &Filter) -> Result<Vec<Summary>, Fault> {
    let after = match filter.after {
        Some(receipt) => {
            let sql = "SELECT seq FROM entries WHERE receipt = ?1";
            let seq = connection.prepare_cached(sql)?.query_row([key(receipt)], |row| row.get(0)).optional()?;
            let Some(seq) = seq else { return Ok(Vec::new()) };
            seq
        }
        None => i64::MIN,
    };
    let sql = format!(
        "SELECT {SUMMARY} FROM entries WHERE seq > :after AND (:server IS NULL OR server = :server) \
         AND (:state IS NULL OR state = :state) ORDER BY seq LIMIT :limit"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(named_params! {
        ":after": after,
        ":server": filter.server,
        ":state": filter.state.map(State::as_str),
        ":limit": limit(filter.limit),
    })?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(summary(row)?);
    }
    Ok(found)
}

pub(crate) fn counts(connection: &Connection, server: Option<&str>) -> Result<Counts, Fault> {
    let sql = "SELECT state, count(*), sum(interrupted), min(CASE WHEN live THEN created END) FROM entries \
        WHERE ?1 IS NULL OR server = ?1 GROUP BY state";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([server])?;
    let mut counts = Counts::default();
    while let Some(row) = rows.next()? {
        let state: String = row.get(0)?;
        let number = |column| -> Result<Option<u64>, Fault> {
            let number: Option<i64> = row.get(column)?;
            number.map(|it| u64::try_from(it).map_err(|_| Fault::Row("a negative number"))).transpose()
        };
        counts.add(State::from_word(&state).ok_or(Fault::Row("an unknown `state`"))?, number(1)?.unwrap_or_default());
        counts.interrupted += number(2)?.unwrap_or_default();
        counts.oldest = counts.oldest.into_iter().chain(number(3)?.map(Timestamp::from_millis)).min();
    }
    Ok(counts)
}

/// Returns whether there are at least this many entries that wait or run.
pub(crate) fn has_live(connection: &Connection, entries: u64) -> Result<bool, Fault> {
    let number = |sql| -> Result<u64, Fault> {
        let number: Option<i64> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(u64::try_from(number.unwrap_or_default()).unwrap_or_default())
    };
    // Counting takes time for each entry; these are two look-ups, and most files are far below their bound.
    let most = number("SELECT (SELECT max(seq) FROM entries) - (SELECT min(seq) FROM entries) + 1")?;
    Ok(most >= entries && number("SELECT count(*) FROM entries WHERE live")? >= entries)
}

/// Returns whether a new entry has space within this many bytes, with arguments of the longest length, but of no more than
/// an eighth of the space.
pub(crate) fn has_space(connection: &Connection, bounds: Bounds) -> Result<bool, Fault> {
    let number = |sql| -> Result<u64, Fault> {
        let number: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(u64::try_from(number).unwrap_or_default())
    };
    let page = number("PRAGMA page_size")?.max(1);
    let most = bounds.bytes / page;
    let arguments = u64::try_from(bounds.arguments).unwrap_or(u64::MAX).div_ceil(page);
    let needed = PAGES_OF_ENTRY + arguments.clamp(1, (most / 8).max(1));
    let rest = most.saturating_sub(number("PRAGMA page_count")?);
    Ok(rest >= needed || rest + number("PRAGMA freelist_count")? >= needed)
}

/// Adapts up to [`AT_ONCE`] entries after a position. Returns how many changed, and the next position, if there is one.
pub(crate) fn recover(
    connection: &Connection,
    server: &str,
    now: Timestamp,
    after: i64,
) -> Result<(u64, Option<i64>), Fault> {
    // Those that `Entry::recover` may change.
    let sql = "SELECT seq, receipt FROM entries WHERE seq > :after AND server = :server AND (live AND expires <= :now \
        OR expires > :now + max(ttl_ms, cap_ms) \
        OR due > :now + CASE state WHEN 'waiting' THEN cap_ms WHEN 'running' THEN lease_ms \
        ELSE max(ttl_ms, :dead) END) \
        ORDER BY seq LIMIT :limit";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(named_params! {
        ":after": after,
        ":server": server,
        ":now": time(now),
        ":dead": millis(DEAD_LETTERS_KEPT),
        ":limit": limit(AT_ONCE),
    })?;
    let mut selected: Vec<(i64, u128)> = Vec::new();
    while let Some(row) = rows.next()? {
        selected.push((row.get(0)?, u128::from_be_bytes(row.get(1)?)));
    }
    let mut changed = 0;
    for (_, receipt) in &selected {
        let recovered = change(connection, Receipt::from_bits(*receipt), |entry| entry.recover(now).then_some(()))?;
        changed += u64::from(recovered.is_some());
    }
    Ok((changed, selected.last().filter(|_| selected.len() == AT_ONCE).map(|(seq, _)| *seq)))
}

/// Selects what [`sweep`] ends.
const OVER: &str = "live AND server = ?1 AND (state = 'running' AND due <= ?2 OR state = 'waiting' AND expires <= ?2)";

/// Returns whether there is anything to sweep.
pub(crate) fn is_dusty(connection: &Connection, server: &str, now: Timestamp) -> Result<bool, Fault> {
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM entries WHERE {OVER}) \
         OR EXISTS (SELECT 1 FROM entries WHERE NOT live AND server = ?1 AND due <= ?2)"
    );
    Ok(connection.prepare_cached(&sql)?.query_row(params![server, time(now)], |row| row.get(0))?)
}

pub(crate) fn sweep(connection: &Connection, server: &str, now: Timestamp) -> Result<Swept, Fault> {
    let mut swept = Swept::default();
    let condition = format!("{OVER} ORDER BY seq LIMIT ?3");
    for mut entry in entries(connection, &condition, params![server, time(now), limit(AT_ONCE)])? {
        entry.settle(now);
        save(connection, &entry)?;
        if !entry.summary.state.is_live() {
            swept.ended.push(entry.summary);
        }
    }
    let sql = "DELETE FROM entries WHERE seq IN \
        (SELECT seq FROM entries WHERE NOT live AND server = ?1 AND due <= ?2 ORDER BY due, seq LIMIT ?3)";
    let removed = connection.prepare_cached(sql)?.execute(params![server, time(now), limit(AT_ONCE)])?;
    swept.removed = removed as u64;
    Ok(swept)
}

/// The number of runs of the operating system whose start is kept: those of the machine, and of others that had the file.
const MOST_RUNS: i64 = 16;

/// Returns when the machine started in this run, if a process has said so.
pub(crate) fn started(connection: &Connection, run: &str) -> Result<Option<Timestamp>, Fault> {
    let sql = "SELECT started FROM machine_starts WHERE run = ?1";
    let started = connection.prepare_cached(sql)?.query_row([run], |row| row.get::<_, i64>(0)).optional()?;
    Ok(started.map(|millis| Timestamp::from_millis(u64::try_from(millis).unwrap_or_default())))
}

/// Returns when the machine started in this run: the estimate, unless a process was faster.
pub(crate) fn first_start(connection: &Connection, run: &str, estimate: Timestamp) -> Result<Timestamp, Fault> {
    let sql = "INSERT INTO machine_starts (run, started) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    connection.prepare_cached(sql)?.execute(params![run, time(estimate)])?;
    let sql = "DELETE FROM machine_starts WHERE rowid NOT IN \
        (SELECT rowid FROM machine_starts ORDER BY rowid DESC LIMIT ?1)";
    connection.prepare_cached(sql)?.execute([MOST_RUNS])?;
    Ok(started(connection, run)?.unwrap_or(estimate))
}

/// Writes one row, as a check.
pub(crate) fn touch(connection: &Connection) -> Result<(), Fault> {
    connection.prepare_cached("UPDATE store SET checks = checks + 1")?.execute([])?;
    Ok(())
}
