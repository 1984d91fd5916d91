//! Files that cannot be used.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use resilient_runtime::deferred::{DeferredStore, Put, StoreErrorKind, Viewer};
use resilient_sqlite::{OpenProblem, SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::write;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("deferred.db");
    (folder, file)
}

/// Returns why a file cannot be opened, and the message.
fn refused(file: &Path) -> (OpenProblem, String) {
    let error = SqliteStore::open(file).expect_err("it cannot be used");
    let message = error.to_string();
    assert!(message.contains(&error.path().display().to_string()), "{message}");
    (error.into_problem(), message)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

/// Makes a file with entries, and closes it.
async fn filled(file: &Path, entries: usize) {
    let store = SqliteStore::open(file).expect("a store");
    for _ in 0..entries {
        assert!(matches!(store.put(write()).await, Ok(Put::Accepted(_))));
    }
}

#[tokio::test]
async fn entries_are_there_after_a_restart() {
    let (_folder, file) = folder();
    let new = write();
    let store = SqliteStore::open(&file).expect("a store");
    assert!(matches!(store.put(new.clone()).await, Ok(Put::Accepted(_))));
    drop(store);
    let store = SqliteStore::open(&file).expect("a store");
    let found = store.find(&new.scope, &new.arguments, new.now).await.expect("the store works");
    assert!(found.is_some_and(|found| found.same_arguments), "the secret is in the file");
    let caller = Viewer::Caller { server: new.scope.server, principal: new.scope.principal };
    assert!(store.get(new.receipt, &caller).await.expect("the store works").is_some());
}

#[cfg(unix)]
#[tokio::test]
async fn all_files_belong_to_the_server_alone() {
    let (folder, file) = folder();
    let store = SqliteStore::open(&file).expect("a store");
    assert!(matches!(store.put(write()).await, Ok(Put::Accepted(_))));
    let files: Vec<_> = fs::read_dir(folder.path()).expect("a folder").map(|it| it.expect("an entry").path()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for path in files {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[cfg(unix)]
#[test]
fn what_other_users_can_write_or_read_is_refused() {
    let (folder, file) = folder();
    for bad in [0o777, 0o1777, 0o770, 0o702] {
        set_mode(folder.path(), bad);
        let (problem, message) = refused(&file);
        assert!(matches!(problem, OpenProblem::SharedFolder { mode, .. } if mode == bad), "{message}");
        assert!(message.contains(&format!("mode {bad:03o}")), "{message}");
        assert!(!file.exists(), "nothing was created");
    }
    set_mode(folder.path(), 0o755);
    drop(SqliteStore::open(&file).expect("a store"));
    set_mode(&file, 0o644);
    assert!(matches!(refused(&file), (OpenProblem::SharedFile { mode: 0o644, .. }, _)));
    set_mode(&file, 0o600);
    drop(SqliteStore::open(&file).expect("a store"));
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    assert!(matches!(refused(&link), (OpenProblem::NotAFile, _)));
    // A link to the folder is fine: the folder itself is checked.
    let other = tempfile::tempdir().expect("a folder");
    let linked = other.path().join("linked");
    std::os::unix::fs::symlink(folder.path(), &linked).expect("a link");
    drop(SqliteStore::open(linked.join("deferred.db")).expect("a store"));
}

#[test]
fn a_path_without_a_folder_or_a_name_is_refused() {
    let (folder, file) = folder();
    assert!(matches!(refused(&file.join("deferred.db")), (OpenProblem::Folder(_), _)));
    assert!(matches!(refused(&folder.path().join("missing/deferred.db")), (OpenProblem::Folder(_), _)));
    assert!(matches!(refused(Path::new("/")), (OpenProblem::Folder(_), _)));
    assert!(matches!(refused(folder.path()), (OpenProblem::NotAFile | OpenProblem::SharedFolder { .. }, _)));
}

#[cfg(unix)]
fn write_private(file: &Path, content: &[u8]) {
    fs::write(file, content).expect("a file");
    set_mode(file, 0o600);
}

#[cfg(unix)]
#[test]
fn a_file_of_something_else_is_refused_and_not_changed() {
    let (_folder, file) = folder();
    let text = "a letter, and no database. ".repeat(100);
    write_private(&file, text.as_bytes());
    assert!(matches!(refused(&file), (OpenProblem::NotADatabase, _)));
    assert_eq!(fs::read_to_string(&file).expect("a file"), text);
    fs::remove_file(&file).expect("a file");

    let other = Connection::open(&file).expect("a database");
    other.execute_batch("CREATE TABLE users (name TEXT)").expect("a table");
    drop(other);
    set_mode(&file, 0o600);
    let before = fs::read(&file).expect("a file");
    assert!(matches!(refused(&file), (OpenProblem::OtherDatabase, _)));
    assert_eq!(fs::read(&file).expect("a file"), before);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_not_changed() {
    let (_folder, file) = folder();
    filled(&file, 1).await;
    Connection::open(&file).and_then(|it| it.execute_batch("PRAGMA user_version = 77")).expect("a version");
    let (problem, message) = refused(&file);
    assert!(matches!(problem, OpenProblem::NewerVersion { found: 77, known: 1 }), "{message}");
    let version =
        Connection::open(&file).and_then(|it| it.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)));
    assert_eq!(version, Ok(77));
}

#[tokio::test]
async fn a_corrupt_file_is_refused() {
    let (_folder, file) = folder();
    filled(&file, 50).await;
    let whole = fs::read(&file).expect("a file");
    // The header says how long the file is.
    fs::write(&file, &whole[..whole.len() / 2]).expect("a file");
    let (problem, message) = refused(&file);
    assert!(matches!(problem, OpenProblem::Corrupt(_)), "{message}");
    // Every page but the first has other bytes.
    fs::write(&file, &whole).expect("a file");
    let mut open = fs::File::options().write(true).open(&file).expect("a file");
    open.seek(SeekFrom::Start(4_096)).expect("a position");
    open.write_all(&vec![0xa5; whole.len() - 4_096]).expect("a write");
    drop(open);
    let (problem, message) = refused(&file);
    assert!(matches!(problem, OpenProblem::Corrupt(_)), "{message}");
}

#[tokio::test]
async fn a_file_that_becomes_corrupt_is_an_error_and_no_panic() {
    let (_folder, file) = folder();
    let store = SqliteStore::open(&file).expect("a store");
    let new = write();
    assert!(matches!(store.put(new.clone()).await, Ok(Put::Accepted(_))));
    let other = Connection::open(&file).expect("the file");
    other.execute_batch("UPDATE entries SET state = 'elsewhere', created = -1").expect("an update");
    let error = store.get(new.receipt, &Viewer::Operator).await.expect_err("no state has this name");
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    let error = store.find(&new.scope, &new.arguments, new.now).await.expect_err("no state has this name");
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    other.execute_batch("DROP TABLE entries").expect("no table");
    let error = store.put(write()).await.expect_err("there is no table");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(!error.to_string().contains("xxx"), "{error}");
}

#[test]
fn the_path_can_be_in_the_environment() {
    // The variable is not set in tests.
    let error = SqliteStore::from_env().expect_err("no path");
    assert!(matches!(error.problem(), OpenProblem::NoPath), "{error}");
    assert!(error.to_string().contains("RESILIENT_DEFERRED_PATH"), "{error}");
}
