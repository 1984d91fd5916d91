//! An Alertmanager that sends every alert to one webhook.

use std::fs;

use serde_json::json;
use tempfile::{TempDir, tempdir};
use tokio::process::Command;

use crate::program::Program;

/// The process. It ends on drop.
pub(super) struct Alertmanager {
    program: Program,
    _folder: TempDir,
}

impl Alertmanager {
    /// Starts it with a route by rule of the alert, which waits as little as possible.
    pub(super) async fn start(webhook: &str) -> Self {
        let folder = tempdir().unwrap();
        let config = json!({
            "route": {
                "receiver": "test",
                "group_by": ["..."],
                "group_wait": "1s",
                "group_interval": "1s",
                "repeat_interval": "1h",
            },
            "receivers": [{ "name": "test", "webhook_configs": [{ "url": webhook, "send_resolved": true }] }],
        });
        // JSON is YAML.
        let file = folder.path().join("alertmanager.yml");
        fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new("prometheus-alertmanager");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.path={}", folder.path().join("data").display()));
        command.args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]);
        let program = Program::start(command, r#"msg="Listening on" address="#).await;
        Self { program, _folder: folder }
    }

    /// `127.0.0.1:PORT`.
    pub(super) fn address(&self) -> &str {
        &self.program.address
    }
}
