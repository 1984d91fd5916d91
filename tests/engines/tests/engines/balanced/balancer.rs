//! HAProxy with the file of `deploy/`.

use std::{fs, process::Stdio};

use reqwest::Client;
use resilient_tests::loopback;
use tempfile::{TempDir, tempdir};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::{PATIENCE, monitoring::deployed};

use super::Replicas;

/// The process, which is killed on drop.
pub(crate) struct Balancer {
    pub(crate) http: Client,
    /// `http://127.0.0.1:PORT`.
    pub(crate) origin: String,
    _process: Child,
    _folder: TempDir,
}

impl Balancer {
    /// Starts HAProxy in front of these replicas, and waits until it serves.
    pub(crate) async fn start(replicas: &Replicas) -> Self {
        let mut config = fs::read_to_string(deployed("haproxy.cfg")).unwrap();
        for (name, replica) in replicas {
            let line = |line: &&str| line.trim_start().starts_with(&format!("server {name} "));
            let deployed = config.lines().find(line).unwrap_or_else(|| panic!("no {name}")).trim_start().to_owned();
            let address = replica.origin.trim_start_matches("http://");
            config = config.replace(&deployed, &format!("server {name} {address}"));
        }
        assert_eq!(config.matches("\n    server server-").count(), 2 * replicas.len(), "{config}");
        let http = loopback::client().timeout(PATIENCE).build().unwrap();
        let folder = tempdir().unwrap();
        let file = folder.path().join("haproxy.cfg");
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Another process may take the port, so that it does not start.
            let address = format!("127.0.0.1:{}", fastrand::u16(20_000..32_000));
            assert!(config.contains("bind :8000\n"));
            fs::write(&file, config.replace("bind :8000\n", &format!("bind {address}\n"))).unwrap();
            let mut command = Command::new("haproxy");
            command.arg("-f").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            let started = command.kill_on_drop(true).spawn();
            let mut process = started.unwrap_or_else(|error| panic!("{error}; run tests/engines/install"));
            let origin = format!("http://{address}");
            while process.try_wait().unwrap().is_none() {
                let ready = http.get(format!("{origin}/readyz")).send().await;
                if ready.is_ok_and(|answer| answer.status().is_success()) {
                    return Self { http, origin, _process: process, _folder: folder };
                }
                assert!(Instant::now() < deadline, "haproxy does not serve");
                sleep(PATIENCE / 600).await;
            }
            assert!(Instant::now() < deadline, "haproxy does not start: {config}");
        }
    }
}
