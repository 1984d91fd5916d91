//! Stores that cannot accept a write: the call has its ordinary answer, in time, and nothing hangs.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write as _};
use std::time::{Duration, Instant};

use resilient_runtime::deferred::Receipt;
use resilient_tests::child::{PATIENCE, Process, Server};
use resilient_tests::records::{BYTES, Mode, Record, Upstream};
use resilient_tests::wire::{ERROR, meta, text};
use rmcp::model::CallToolResult;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::receipts::{OverHttp, call};
use crate::{
    SERVER, StoreFile, accept, arguments, assert_written_once, block, counts, delivered, receipt, record, write,
};

/// The longest time of an answer: 1 s for the call, as much for the store, and the rest for a busy machine. It is shorter
/// than the 5 s that the store waits for others.
const LIMIT: Duration = Duration::from_millis(4_500);

async fn down() -> Upstream {
    Upstream::start(Mode::Down).await.expect("a port")
}

/// A record of this many bytes.
fn large(key: &str, bytes: usize) -> Record {
    Record { key: key.to_owned(), text: format!("{key} {}", "x".repeat(bytes)) }
}

/// Writes, and asserts that the answer is in time.
async fn write_in_time(server: &Server, record: &Record) -> CallToolResult {
    let started = Instant::now();
    let answer = write(server, record).await;
    assert!(started.elapsed() < LIMIT, "{:?}: {answer:?}", started.elapsed());
    answer
}

/// Asserts that this is the ordinary error of the tool, which says that nothing was accepted for one of these reasons.
fn assert_not_accepted(answer: &CallToolResult, reasons: &[&str]) {
    assert_eq!((answer.is_error, receipt(answer)), (Some(true), None), "{answer:?}");
    let error = meta(answer, ERROR);
    assert!(["unavailable", "circuit_open", "timeout"].iter().any(|kind| error["kind"] == *kind), "{answer:?}");
    let deferred = &error["details"]["deferred"];
    assert_eq!(deferred["accepted"], false, "{answer:?}");
    assert!(reasons.iter().any(|reason| deferred["reason"] == *reason), "{answer:?}");
    assert!(text(answer).contains(" It was not accepted for later."), "{answer:?}");
}

/// The check of the store in a report that is made now.
async fn health_of_store(server: &Server) -> Value {
    let report = text(&server.call("health", json!({})).await.expect("an answer"));
    let report: Value = serde_json::from_str(&report).expect("a report");
    let checks = report["checks"].as_array().expect("checks");
    let found = checks.iter().find(|check| check["name"] == "deferred");
    found.unwrap_or_else(|| panic!("no check of the store: {report}")).clone()
}

/// Waits until the check of the store has this result.
async fn wait_for_health(server: &Server, fits: impl Fn(&Value) -> bool) -> Value {
    let found = timeout(PATIENCE, async {
        loop {
            let check = health_of_store(server).await;
            if fits(&check["status"]) {
                return check;
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    let Ok(check) = found.await else { panic!("{}", health_of_store(server).await) };
    check
}

/// Writes until the store is full, and returns the accepted records with their receipts.
async fn fill(server: &Server, bytes: usize) -> Vec<(Record, Receipt)> {
    let mut accepted = Vec::new();
    for number in 0..2_000 {
        let record = large(&format!("key-{number}"), bytes);
        let answer = write_in_time(server, &record).await;
        let Some(receipt) = receipt(&answer) else {
            assert_not_accepted(&answer, &["full", "unavailable"]);
            assert!(accepted.len() > 3, "{} accepted", accepted.len());
            return accepted;
        };
        accepted.push((record, receipt));
    }
    panic!("the store is never full")
}

/// Asserts that all accepted records are written once the upstream is back, and none of the others by the server itself.
async fn assert_all_written(store_file: &StoreFile, upstream: &Upstream, accepted: &[(Record, Receipt)]) {
    let store = store_file.open();
    upstream.set(Mode::Up);
    for (record, receipt) in accepted {
        delivered(&store, *receipt).await;
        assert_written_once(upstream, record);
    }
    assert_eq!(upstream.seen().len(), accepted.len());
}

#[tokio::test]
async fn a_full_store_accepts_nothing_and_delivers_what_it_has() {
    let (store_file, upstream) = (StoreFile::new(), down().await);
    let server = store_file.serve(&upstream, &[(BYTES, "400000")]).await;
    let accepted = fill(&server, 20_000).await;
    wait_for_health(&server, |status| status != "pass").await;
    assert_all_written(&store_file, &upstream, &accepted).await;
    // Ended entries keep no arguments, so there is space again.
    upstream.set(Mode::Down);
    accept(&server, &large("another", 20_000)).await;
    wait_for_health(&server, |status| status == "pass").await;
}

#[cfg(unix)]
#[tokio::test]
async fn past_a_limit_of_file_size_nothing_is_accepted_and_all_accepted_writes_are_there() {
    let (store_file, upstream) = (StoreFile::new(), down().await);
    drop(store_file.open());
    let url = upstream.url();
    // The process gets an error instead of the signal, as on a full disk.
    let limited = r#"trap '' XFSZ; ulimit -f 400; exec "$0" "$@""#;
    let arguments = ["-c", limited, SERVER, "records", store_file.path(), url.as_str()];
    let server = Server::start_with("bash", &arguments, &[]).await.expect("the server starts");
    let accepted = fill(&server, 20_000).await;
    wait_for_health(&server, |status| status != "pass").await;
    drop(server.hang_up().await.expect("the server ends"));
    let server = store_file.serve(&upstream, &[]).await;
    assert_all_written(&store_file, &upstream, &accepted).await;
    drop(server);
}

#[tokio::test]
async fn a_corrupt_file_accepts_nothing_and_the_server_does_not_start_with_it() {
    let (store_file, upstream) = (StoreFile::new(), down().await);
    let server = store_file.serve(&upstream, &[]).await;
    for number in 0..40 {
        accept(&server, &large(&format!("key-{number}"), 1_000)).await;
    }
    // Every page but the first has other bytes, and the connections of the server notice that the file has changed.
    let other = Connection::open(&store_file.file).expect("the file");
    other.busy_timeout(Duration::from_secs(5)).expect("a limit");
    other.execute_batch("PRAGMA user_version = 1; PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
    let bytes = usize::try_from(fs::metadata(&store_file.file).expect("the file").len()).expect("a small file");
    let mut open = File::options().write(true).open(&store_file.file).expect("the file");
    open.seek(SeekFrom::Start(4_096)).expect("a position");
    open.write_all(&vec![0xa5; bytes - 4_096]).expect("a write");
    other.execute_batch("PRAGMA user_version = 1").expect("a change");
    for number in 0..5 {
        let answer = write_in_time(&server, &record(&format!("after-{number}"))).await;
        assert_not_accepted(&answer, &["corrupt"]);
    }
    wait_for_health(&server, |status| status != "pass").await;
    drop(other);
    drop(server.hang_up().await.expect("the server ends"));
    refused_start(&store_file, &upstream, "corrupt").await;
}

/// Asserts that a server does not start on the file, and says why.
async fn refused_start(store_file: &StoreFile, upstream: &Upstream, why: &str) {
    let url = upstream.url();
    let arguments = ["records", store_file.path(), url.as_str()];
    let (mut process, _stdin, _stdout) = Process::start(SERVER, &arguments).expect("a process");
    let status = process.ended().await.expect("its end");
    assert!(!status.success());
    process.wait_for_log(|line| line.contains(why) && line.contains("deferred.db")).await.expect("why");
}

#[tokio::test]
async fn a_blocked_file_delays_an_answer_by_at_most_5_s_and_nothing_of_it_remains() {
    let (store_file, upstream) = (StoreFile::new(), down().await);
    let server = store_file.serve(&upstream, &[]).await;
    let store = store_file.open();
    let blocked = block(&store_file.file);
    // The limit of the call is shorter than that of the store.
    assert_not_accepted(&write_in_time(&server, &record("a")).await, &["timeout"]);
    // And here it is longer.
    let started = Instant::now();
    let answer = server.call("write_slowly", arguments(&record("b"))).await.expect("an answer");
    assert_not_accepted(&answer, &["timeout", "busy"]);
    let took = started.elapsed();
    // And not the 20 s of the call.
    assert!((Duration::from_secs(4)..Duration::from_secs(15)).contains(&took), "{took:?}");
    wait_for_health(&server, |status| status != "pass").await;
    // Other tools are not delayed, and neither is a write whose upstream is up.
    upstream.set(Mode::Up);
    timeout(PATIENCE, async {
        while text(&write(&server, &record("c")).await) != "written: c" {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("an open breaker closes");
    upstream.set(Mode::Down);
    drop(blocked);
    wait_for_health(&server, |status| status == "pass").await;
    assert_eq!(counts(&store).await.waiting, 0, "what was not accepted is withdrawn");
    let receipt = accept(&server, &record("a")).await;
    upstream.set(Mode::Up);
    delivered(&store, receipt).await;
    assert_written_once(&upstream, &record("a"));
}

#[tokio::test]
async fn a_server_whose_file_is_blocked_is_not_ready() {
    let (store_file, upstream) = (StoreFile::new(), down().await);
    let server = OverHttp::start(&store_file, &upstream).await;
    let client = server.connect("ann.token").await;
    let blocked = block(&store_file.file);
    let answer = call(&client, "write", &arguments(&record("a"))).await;
    assert_not_accepted(&answer, &["timeout"]);
    let (status, report) = server.get("/readyz").await;
    assert_eq!((status, &report["failing_checks"]), (503, &json!(["deferred"])), "{report}");
    let (status, report) = server.get("/livez").await;
    assert_eq!(status, 200, "{report}");
    drop(blocked);
}

#[cfg(unix)]
mod as_another_user {
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// A user without rights.
    const NOBODY: u32 = 65_534;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
    }

    fn skip(why: &str) {
        let test = "in_a_folder_that_cannot_be_written_the_server_does_not_start";
        writeln!(std::io::stderr(), "\nSKIPPED: {test}: {why}").expect("stderr");
    }

    #[tokio::test]
    async fn in_a_folder_that_cannot_be_written_the_server_does_not_start() {
        let (store_file, upstream) = (StoreFile::new(), down().await);
        // The administrator can write everything, so another user tries, with an executable that it can read.
        let executable = store_file.folder.path().join("server");
        fs::copy(SERVER, &executable).expect("a copy");
        if chown(store_file.folder.path(), Some(NOBODY), None).is_err() {
            return skip("only the administrator can start a process as another user");
        }
        if Command::new("setpriv").arg("--version").output().is_err() {
            return skip("`setpriv` is missing");
        }
        set_mode(store_file.folder.path(), 0o755);
        set_mode(&executable, 0o755);
        let url = upstream.url();
        let executable = executable.to_str().expect("a path in UTF-8");
        let arguments = ["--reuid=65534", "--clear-groups", executable, "records", store_file.path(), url.as_str()];
        let server = Server::start_with("setpriv", &arguments, &[]).await.expect("the server starts");
        accept(&server, &record("a")).await;
        // The open files can still be written.
        set_mode(store_file.folder.path(), 0o555);
        let answer = write_in_time(&server, &record("b")).await;
        assert!(receipt(&answer).is_some(), "{answer:?}");
        set_mode(store_file.folder.path(), 0o755);
        drop(server.hang_up().await.expect("the server ends"));
        // The last connection removes the files of the journal, which could be written in any folder.
        let last = Connection::open(&store_file.file).expect("the file");
        last.query_row("SELECT count(*) FROM entries", [], |_| Ok(())).expect("a query");
        drop(last);
        assert!(!store_file.folder.path().join("deferred.db-wal").exists());
        set_mode(store_file.folder.path(), 0o555);
        let (mut process, _stdin, _stdout) = Process::start("setpriv", &arguments).expect("a process");
        let status = process.ended().await.expect("its end");
        assert!(!status.success());
        process.wait_for_log(|line| line.contains("read-only")).await.expect("why");
        // As soon as the folder can be written again, everything is there.
        set_mode(store_file.folder.path(), 0o755);
        upstream.set(Mode::Up);
        let server = Server::start_with("setpriv", &arguments, &[]).await.expect("the server starts");
        let written = timeout(PATIENCE, async {
            while upstream.seen().len() < 2 {
                sleep(Duration::from_millis(20)).await;
            }
        });
        written.await.expect("both are delivered");
        assert_written_once(&upstream, &record("a"));
        assert_written_once(&upstream, &record("b"));
        drop(server);
    }
}
