//! The tables, and the way from one version of them to the next.

use resilient_runtime::deferred::{StoreErrorKind, StoreSecret};
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::error::{Fault, OpenProblem};

/// Marks a file as a store of this crate: `rsld`.
const APPLICATION: i64 = 0x7273_6c64;

/// The statements that lead from each version to the next. Never change one that was released: add another.
///
/// An entry has one row. `due` and `live` select what happens next (see `Summary::due`), so each query of a worker
/// reads one index that has only the rows in question. `arguments` and `result` come last, because SQLite
/// puts long texts on separate pages, which it only reads if needed.
pub(crate) const MIGRATIONS: &[&str] = &["
    CREATE TABLE store (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        secret BLOB NOT NULL,
        checks INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE machine_starts (
        run TEXT PRIMARY KEY,
        started INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE entries (
        seq INTEGER PRIMARY KEY,
        receipt BLOB NOT NULL,
        server TEXT NOT NULL,
        tool TEXT NOT NULL,
        tries INTEGER NOT NULL,
        base_ms INTEGER NOT NULL,
        cap_ms INTEGER NOT NULL,
        ttl_ms INTEGER NOT NULL,
        on_exhausted TEXT NOT NULL,
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        state TEXT NOT NULL,
        live INTEGER NOT NULL,
        due INTEGER NOT NULL,
        tries_used INTEGER NOT NULL,
        interrupted INTEGER NOT NULL,
        cancel_requested INTEGER NOT NULL,
        last_code TEXT,
        ended INTEGER,
        fence INTEGER NOT NULL,
        lease_ms INTEGER NOT NULL,
        holds_key INTEGER NOT NULL,
        shared INTEGER NOT NULL,
        extended INTEGER NOT NULL,
        principal_hash BLOB NOT NULL,
        key_hash BLOB NOT NULL,
        arguments_hash BLOB NOT NULL,
        correlation_id TEXT NOT NULL,
        principal TEXT NOT NULL,
        result TEXT,
        arguments TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX by_receipt ON entries (receipt);
    CREATE UNIQUE INDEX by_key ON entries (key_hash) WHERE holds_key;
    CREATE INDEX by_due ON entries (server, tool, due) WHERE live;
    CREATE INDEX by_end ON entries (server, due) WHERE NOT live;
"];

/// What a file says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    application: i64,
    version: i64,
    tables: i64,
}

impl Format {
    /// Reads it, without changing the file.
    pub(crate) fn read(connection: &Connection) -> Result<Self, rusqlite::Error> {
        let number = |sql| connection.query_row(sql, [], |row| row.get(0));
        Ok(Self {
            application: number("PRAGMA application_id")?,
            version: number("PRAGMA user_version")?,
            tables: number("SELECT count(*) FROM sqlite_schema")?,
        })
    }

    /// Refuses a file of another application or of a newer version.
    pub(crate) fn check(self, known: usize) -> Result<(), OpenProblem> {
        let Self { application, version, tables } = self;
        let known = i64::try_from(known).unwrap_or(i64::MAX);
        if application == APPLICATION && version > known {
            return Err(OpenProblem::NewerVersion { found: version, known });
        }
        let is_ours = application == APPLICATION && version >= 1;
        let is_empty = (application, version, tables) == (0, 0, 0);
        if is_ours || is_empty { Ok(()) } else { Err(OpenProblem::OtherDatabase) }
    }
}

/// Brings the tables to the latest version. Another process may have done it since [`Format::read`].
pub(crate) fn migrate(transaction: &Transaction<'_>, migrations: &[&str]) -> Result<(), Fault> {
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    let Some(missing) = migrations.get(done..).filter(|missing| !missing.is_empty()) else { return Ok(()) };
    for statements in missing {
        transaction.execute_batch(statements)?;
    }
    // Pragmas have no parameters.
    transaction.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {};",
        migrations.len()
    ))?;
    Ok(())
}

/// Reads the secret of the store, and creates it in a new one.
pub(crate) fn secret(transaction: &Transaction<'_>) -> Result<StoreSecret, Fault> {
    let read = "SELECT secret FROM store WHERE id = 1";
    if let Some(bytes) = transaction.query_row(read, [], |row| row.get::<_, [u8; 16]>(0)).optional()? {
        return Ok(StoreSecret::from_bytes(bytes));
    }
    let secret =
        StoreSecret::generate().map_err(|error| Fault::Store(StoreErrorKind::Unavailable, error.to_string()))?;
    transaction.execute("INSERT INTO store (id, secret, checks) VALUES (1, ?1, 0)", [secret.to_bytes()])?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(connection: &Connection) -> Format {
        Format::read(connection).expect("a format")
    }

    fn migrated(connection: &Connection, migrations: &[&str]) -> Result<(), Fault> {
        let transaction = connection.unchecked_transaction()?;
        migrate(&transaction, migrations)?;
        Ok(transaction.commit()?)
    }

    #[test]
    fn an_older_file_is_brought_forward_step_by_step_with_its_rows() {
        let connection = Connection::open_in_memory().expect("a database");
        let steps = ["CREATE TABLE t (a) STRICT", "ALTER TABLE t ADD COLUMN b", "UPDATE t SET b = a + 1"];
        let steps =
            steps.map(|step| step.replace("(a) STRICT", "(a INTEGER) STRICT").replace("COLUMN b", "COLUMN b INTEGER"));
        let steps = [&*steps[0], &*steps[1], &*steps[2]];
        migrated(&connection, &steps[..1]).expect("version 1");
        connection.execute("INSERT INTO t (a) VALUES (1)", []).expect("a row");
        migrated(&connection, &steps).expect("version 3");
        migrated(&connection, &steps).expect("nothing to do");
        let b: i64 = connection.query_row("SELECT b FROM t", [], |row| row.get(0)).expect("the row");
        assert_eq!((b, format(&connection).version), (2, 3));
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let connection = Connection::open_in_memory().expect("a database");
        migrated(&connection, &["CREATE TABLE t (a INTEGER) STRICT"]).expect("version 1");
        let before = format(&connection);
        let steps = ["", "ALTER TABLE t ADD COLUMN b INTEGER; CREATE TABLE u (a INTEGER) STRICT", "nonsense"];
        migrated(&connection, &steps).expect_err("nonsense");
        assert_eq!(format(&connection), before);
    }

    #[test]
    fn newer_files_and_those_of_others_are_refused() {
        let connection = Connection::open_in_memory().expect("a database");
        format(&connection).check(1).expect("an empty file");
        migrated(&connection, MIGRATIONS).expect("the latest version");
        format(&connection).check(MIGRATIONS.len()).expect("the latest version");
        assert!(matches!(format(&connection).check(0), Err(OpenProblem::NewerVersion { found: 1, known: 0 })));
        let other = Connection::open_in_memory().expect("a database");
        other.execute_batch("CREATE TABLE users (name)").expect("a table");
        assert!(matches!(format(&other).check(1), Err(OpenProblem::OtherDatabase)));
        let other = Connection::open_in_memory().expect("a database");
        other.execute_batch("PRAGMA user_version = 9").expect("a pragma");
        assert!(matches!(format(&other).check(1), Err(OpenProblem::OtherDatabase)));
    }
}
