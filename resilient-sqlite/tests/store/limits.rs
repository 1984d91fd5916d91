//! A disk without space, and one that cannot be written: in child processes with limits or another user.
#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use resilient_runtime::deferred::{
    Bounds, Claim, ClaimedTool, DeferredStore, NewEntry, Put, Receipt, StoreErrorKind, Viewer,
};
use resilient_sqlite::{OpenProblem, SqliteStore};

use crate::child::{Running, command_behind, file_of_child, report};
use crate::{now, write};

#[tokio::test]
async fn past_a_limit_of_file_size_writes_are_refused_and_all_accepted_ones_are_there() {
    if let Some(file) = file_of_child() {
        return fill(&file).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("deferred.db");
    drop(SqliteStore::open(&file).expect("a store"));
    // The process gets an error instead of the signal, as on a full disk.
    let limited = r#"trap '' XFSZ; ulimit -f 400; exec "$0" "$@""#;
    let me = std::env::current_exe().expect("the path of this executable");
    let reports = Running::start(command_behind("bash", &["-c", limited], &me, &file)).end();
    let accepted: Vec<Receipt> = reports.iter().filter_map(|line| line.parse().ok()).collect();
    assert!(accepted.len() > 3, "{reports:?}");
    assert!(reports.iter().any(|line| line == "refused"), "{reports:?}");
    assert!(reports.iter().any(|line| line == "unhealthy"), "{reports:?}");
    let store = SqliteStore::open(&file).expect("the file is in order");
    for receipt in &accepted {
        let entry = store.get(*receipt, &Viewer::Operator).await.expect("the store works");
        assert!(entry.is_some(), "{receipt} is lost");
    }
    let counts = store.counts(None).await.expect("the store works");
    assert_eq!(counts.waiting + counts.running, accepted.len() as u64, "what was refused is not there");
}

/// Writes until the limit.
async fn fill(file: &Path) {
    let store = SqliteStore::open(file).expect("a store");
    for _ in 0..1_000 {
        let new = NewEntry { arguments: "x".repeat(20_000), ..write() };
        let receipt = new.receipt;
        match store.put(new).await {
            Ok(Put::Accepted(_)) => report(&receipt.to_string()),
            Ok(Put::Existing(found)) => panic!("{found:?}"),
            Err(error) => {
                eprintln!("{error}: {:?}", std::error::Error::source(&error));
                report("refused");
                break;
            }
        }
    }
    // Some writes need less space than others.
    for _ in 0..200 {
        if store.check().await.is_err() {
            report("unhealthy");
            break;
        }
    }
    let tools = vec![ClaimedTool { name: "write".into(), lease: std::time::Duration::from_secs(60) }];
    let claim = Claim { server: "server".into(), tools, limit: 1, now: now() };
    // It works or it fails, and it does not hang.
    let _ = store.claim(&claim).await;
}

#[tokio::test]
async fn a_store_that_accepts_nothing_more_fails_its_check() {
    for (length, bytes) in
        [(100, 200_000), (1_500, 200_000), (5_000, 200_000), (50_000, 4_000_000), (200_000, 4_000_000)]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let bounds = Bounds { bytes, ..Bounds::default() };
        let store = SqliteStore::with_bounds(folder.path().join("deferred.db"), bounds).expect("a store");
        store.check().await.expect("there is space");
        let error = loop {
            match store.put(NewEntry { arguments: "x".repeat(length), ..write() }).await {
                Ok(put) => assert!(matches!(put, Put::Accepted(_)), "{put:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), StoreErrorKind::Full);
        let error = store.check().await.expect_err("it is full");
        assert_eq!(error.kind(), StoreErrorKind::Full, "{length}");
        // What has ended leaves space.
        let tools = vec![ClaimedTool { name: "write".into(), lease: std::time::Duration::from_secs(60) }];
        let claim = Claim { server: "server".into(), tools, limit: 200, now: now() };
        for entry in store.claim(&claim).await.expect("the store works").entries {
            store.complete(entry.token(), None, now()).await.expect("the store works").expect("the latest token");
        }
        let later = now().after(std::time::Duration::from_secs(24 * 3_600));
        assert!(store.sweep("server", later).await.expect("the store works").removed > 0);
        store.check().await.expect("there is space again");
    }
}

/// A user without rights.
const NOBODY: u32 = 65_534;

#[test]
fn a_read_only_folder_is_refused() {
    if let Some(file) = file_of_child() {
        let error = SqliteStore::open(&file).expect_err("it cannot be written");
        return report(if matches!(error.problem(), OpenProblem::ReadOnly) { "read-only" } else { "another error" });
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("deferred.db");
    drop(SqliteStore::open(&file).expect("a store"));
    // The administrator can write everything, so another user tries, with an executable that it can read.
    let executable = folder.path().join("test");
    fs::copy(std::env::current_exe().expect("the path of this executable"), &executable).expect("a copy");
    for path in [&file, &executable] {
        if chown(path, Some(NOBODY), None).is_err() {
            return skip("only the administrator can start a process as another user");
        }
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    fs::set_permissions(&executable, fs::Permissions::from_mode(0o755)).expect("permissions");
    if Command::new("setpriv").arg("--version").output().is_err() {
        return skip("`setpriv` is missing");
    }
    let user = ["--reuid=65534", "--clear-groups"];
    let reports = Running::start(command_behind("setpriv", &user, &executable, &file)).end();
    assert_eq!(reports, ["read-only"]);
    // Not the folder but the file.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("permissions");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).expect("permissions");
    chown(folder.path(), Some(NOBODY), None).expect("an owner");
    chown(folder.path().join("deferred.db-turn"), Some(NOBODY), None).expect("an owner");
    let reports = Running::start(command_behind("setpriv", &user, &executable, &file)).end();
    assert_eq!(reports, ["read-only"]);
}

fn skip(why: &str) {
    writeln!(std::io::stderr(), "\nSKIPPED: a_read_only_folder_is_refused: {why}").expect("stderr");
}
