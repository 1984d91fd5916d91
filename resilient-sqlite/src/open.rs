//! How a file is opened.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use resilient_runtime::deferred::{Bounds, StoreSecret};
use rusqlite::{Connection, OpenFlags};

use crate::error::{Fault, OpenError, OpenProblem};
use crate::link::{Link, Pages, Space, Stop};
use crate::queries::touch;
use crate::schema::{Format, MIGRATIONS, migrate, secret};
use crate::turn::Turnstile;

/// An open file: the connections for writing and for reading, and the secret of the store.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) path: PathBuf,
    pub(crate) writer: Link,
    pub(crate) reader: Link,
    pub(crate) secret: StoreSecret,
}

/// Opens a file, and creates it if it is missing. `vfs` is the name of SQLite's interface to the operating system.
pub(crate) fn open(path: &Path, bounds: Bounds, vfs: Option<&str>) -> Result<Opened, OpenError> {
    // Closing a file that was just created would release the locks of a connection that another thread opened since.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let error = |problem| OpenError::new(path, problem);
    let file = prepare(path).map_err(error)?;
    connect_all(file, bounds, vfs).map_err(error)
}

fn connect_all(path: PathBuf, bounds: Bounds, vfs: Option<&str>) -> Result<Opened, OpenProblem> {
    match Turnstile::works(&path) {
        Ok(true) => {}
        Ok(false) => return Err(OpenProblem::NoLocks),
        Err(error) => return Err(from_io(error)),
    }
    let mut writer = connect(&path, vfs)?;
    let format = writer.until_free(Format::read)?;
    format.check(MIGRATIONS.len())?;
    // Readers and a writer do not block each other. The journal's mode is in the file; the rest is of the connection.
    let mode: String = writer.until_free(|it| it.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)))?;
    if !mode.eq_ignore_ascii_case("wal") {
        // SQLite found no shared memory or no locks.
        return Err(OpenProblem::NoLocks);
    }
    writer.pages = pages(&writer.connection, bounds).map_err(Fault::from)?;
    let secret = writer.write(Space::Reserve, &Stop::default(), |it| {
        migrate(it, MIGRATIONS)?;
        let secret = secret(it)?;
        // SQLite opens a file read-only if it cannot open it otherwise. This write shows it.
        touch(it)?;
        Ok(secret)
    })?;
    let found: String = writer.until_free(|it| it.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)))?;
    if found != "ok" {
        return Err(OpenProblem::Corrupt(found));
    }
    let reader = connect(&path, vfs)?;
    // Readers only wait while another process recovers the file after a crash.
    reader.connection.busy_timeout(Duration::from_secs(2)).map_err(Fault::from)?;
    reader.connection.execute_batch("PRAGMA query_only = ON").map_err(Fault::from)?;
    Ok(Opened { path, writer, reader, secret })
}

/// Opens a connection with the settings that every one needs.
fn connect(path: &Path, vfs: Option<&str>) -> Result<Link, OpenProblem> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
        None => Connection::open_with_flags(path, flags),
    };
    let connection = connection.map_err(Fault::from)?;
    connection.busy_timeout(Duration::ZERO).map_err(Fault::from)?;
    // All statements of the store.
    connection.set_prepared_statement_cache_capacity(64);
    let unlimited = Pages { most: 0xffff_fffe, with_reserve: 0xffff_fffe };
    let link = Link { connection, turnstile: Turnstile::open(path).map_err(from_io)?, pages: unlimited };
    // Some of these read the file.
    link.until_free(|it| {
        it.execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA fullfsync = ON;
             PRAGMA checkpoint_fullfsync = ON;
             PRAGMA secure_delete = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA trusted_schema = OFF;
             PRAGMA cell_size_check = ON;
             PRAGMA journal_size_limit = 4194304;",
        )
    })?;
    Ok(link)
}

/// Returns the maximum number of pages for these bounds.
fn pages(connection: &Connection, bounds: Bounds) -> Result<Pages, rusqlite::Error> {
    let page: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let page = u64::try_from(page).unwrap_or(4_096).max(512);
    // Up to SQLite's own maximum.
    let pages = |bytes: u64| (bytes / page).clamp(1, 0xffff_fffe);
    let reserve = (bounds.bytes / 8).saturating_add(256 * 1024);
    Ok(Pages { most: pages(bounds.bytes), with_reserve: pages(bounds.bytes.saturating_add(reserve)) })
}

fn from_io(error: io::Error) -> OpenProblem {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => OpenProblem::ReadOnly,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenProblem::Full,
        _ => OpenProblem::Io(error),
    }
}

/// Checks the folder and the file, creates the file if it is missing, and returns its path without links.
///
/// An existing file is not opened here: closing it would release the locks that another connection of this process has.
fn prepare(path: &Path) -> Result<PathBuf, OpenProblem> {
    let missing = || OpenProblem::Folder(io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"));
    let name = path.file_name().ok_or_else(missing)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize().map_err(OpenProblem::Folder)?;
    check_folder(&folder)?;
    let path = folder.join(name);
    match create_private(&path) {
        Ok(created) => sync(&created, &folder).map(|()| path).map_err(from_io),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_file(&path).map(|()| path),
        Err(error) => Err(from_io(error)),
    }
}

/// Creates the file, readable by its owner only.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes the new file and its name to the disk.
fn sync(created: &File, folder: &Path) -> io::Result<()> {
    created.sync_all()?;
    // Elsewhere, folders cannot be opened.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(unix)]
fn check_folder(folder: &Path) -> Result<(), OpenProblem> {
    let found = folder.metadata().map_err(OpenProblem::Folder)?;
    let (mode, owner) = mode_and_owner(&found);
    // The folder of another user is one that this user can write. The administrator can write all of them.
    if mode & 0o022 != 0 || (owner != 0 && owner != user()) {
        return Err(OpenProblem::SharedFolder { mode, owner });
    }
    Ok(())
}

#[cfg(unix)]
fn check_file(path: &Path) -> Result<(), OpenProblem> {
    let found = path.symlink_metadata().map_err(OpenProblem::Io)?;
    if !found.is_file() {
        return Err(OpenProblem::NotAFile);
    }
    let (mode, owner) = mode_and_owner(&found);
    if mode & 0o077 != 0 || (owner != 0 && owner != user()) {
        return Err(OpenProblem::SharedFile { mode, owner });
    }
    Ok(())
}

#[cfg(unix)]
fn mode_and_owner(found: &std::fs::Metadata) -> (u32, u32) {
    use std::os::unix::fs::MetadataExt;

    (found.mode() & 0o7777, found.uid())
}

#[cfg(unix)]
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn check_folder(_: &Path) -> Result<(), OpenProblem> {
    Ok(())
}

#[cfg(not(unix))]
fn check_file(path: &Path) -> Result<(), OpenProblem> {
    let found = path.symlink_metadata().map_err(OpenProblem::Io)?;
    if found.is_file() { Ok(()) } else { Err(OpenProblem::NotAFile) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SQLite's `unix-none` has no locks and no shared memory, like some network file systems.
    #[cfg(unix)]
    #[test]
    fn a_file_system_without_locks_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = open(&folder.path().join("deferred.db"), Bounds::default(), Some("unix-none"));
        let error = opened.expect_err("no locks");
        assert!(matches!(error.problem(), OpenProblem::NoLocks), "{error}");
    }
}
