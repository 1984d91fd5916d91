//! What a unit of `Type=notify` sends to systemd.

use std::{collections::BTreeSet, fs, process::Command, time::Duration};

use tokio::{net::UnixDatagram, time::timeout};

use super::server::{PATIENCE, Server};

/// `WATCHDOG_USEC`.
const LIMIT: Duration = Duration::from_secs(2);

/// The socket of a service manager.
struct Manager {
    socket: UnixDatagram,
    _folder: tempfile::TempDir,
}

impl Manager {
    /// Starts the server as systemd does, and waits until it serves.
    async fn start() -> (Self, Server) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = Self { socket: UnixDatagram::bind(&path).unwrap(), _folder: folder };
        let limit = LIMIT.as_micros().to_string();
        let environment = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", &limit)];
        let server = Server::start_with(&[], &environment).await;
        (manager, server)
    }

    async fn message(&self, patience: Duration) -> Option<String> {
        let mut message = [0; 512];
        let length = timeout(patience, self.socket.recv(&mut message)).await.ok()?.unwrap();
        Some(String::from_utf8(message[..length].to_vec()).unwrap())
    }

    async fn next(&self) -> String {
        self.message(PATIENCE).await.expect("a message")
    }

    /// Waits until no message has arrived for longer than systemd waits.
    async fn silence(&self) {
        let silence = async { while self.message(LIMIT * 3 / 2).await.is_some() {} };
        timeout(PATIENCE, silence).await.expect("the messages end");
    }
}

#[tokio::test]
async fn systemd_hears_that_the_server_serves_lives_and_stops() {
    let (manager, server) = Manager::start().await;
    let ready = manager.next().await;
    assert_eq!(ready, format!("READY=1\nSTATUS=Serving at {}\n", server.origin));
    for _ in 0..3 {
        assert_eq!(manager.message(LIMIT).await.as_deref(), Some("WATCHDOG=1\n"));
    }
    server.signal("TERM");
    let stopping = loop {
        let message = manager.next().await;
        if message != "WATCHDOG=1\n" {
            break message;
        }
    };
    assert_eq!(stopping, "STOPPING=1\nSTATUS=Stopping; 0 requests were running\n");
    let (status, log, _) = server.ended().await;
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

#[tokio::test]
async fn a_server_that_hangs_sends_no_watchdog_messages() {
    let (manager, server) = Manager::start().await;
    manager.next().await;
    assert_eq!(manager.next().await, "WATCHDOG=1\n");
    server.signal("STOP");
    manager.silence().await;
    server.signal("CONT");
    assert_eq!(manager.next().await, "WATCHDOG=1\n");
}

/// The descriptors of a process.
#[cfg(target_os = "linux")]
fn descriptors(id: u32) -> BTreeSet<usize> {
    let entries = fs::read_dir(format!("/proc/{id}/fd")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_accepts_no_connections_sends_no_watchdog_messages_although_its_timers_run() {
    let (manager, server) = Manager::start().await;
    manager.next().await;
    assert_eq!(manager.next().await, "WATCHDOG=1\n");
    // One descriptor is left: enough to connect or to send a message, but not to accept a connection meanwhile. Of several
    // looks at the descriptors one is not during a request.
    let looks = (0..30).map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        descriptors(server.id())
    });
    let used = looks.min_by_key(BTreeSet::len).unwrap();
    let limit = (0..).filter(|number| !used.contains(number)).nth(1).unwrap();
    let set = |limit: &str| {
        let limit = format!("--nofile={limit}:");
        let status = Command::new("prlimit").args(["--pid", &server.id().to_string(), &limit]).status().unwrap();
        assert!(status.success());
    };
    set(&limit.to_string());
    manager.silence().await;
    set("1024");
    assert_eq!(manager.next().await, "WATCHDOG=1\n");
}

#[tokio::test]
async fn without_systemd_nothing_is_said() {
    let server = Server::start_with(&[], &[("WATCHDOG_USEC", "1000000")]).await;
    server.signal("TERM");
    let (status, log, _) = server.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!(!log.iter().any(|line| line.contains("systemd") || line.contains("watchdog")), "{log:#?}");
}
