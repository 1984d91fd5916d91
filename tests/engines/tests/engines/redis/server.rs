//! A Redis on a free port of loopback.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use redis::{Client, Cmd, Connection, FromRedisValue, RedisResult};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::{TempDir, tempdir};

use crate::PATIENCE;

/// The process, which is killed on drop. Its folder is temporary, and it writes nothing there unless arguments request it.
///
/// The functions block for the milliseconds they take.
pub(crate) struct RedisServer {
    args: Vec<String>,
    port: u16,
    process: Child,
    folder: TempDir,
}

impl RedisServer {
    /// Starts `redis-server` with more arguments, such as `["--appendonly", "yes"]`, and waits until it answers.
    ///
    /// `PORT` in an argument becomes the port, for `--tls-port`.
    pub(crate) fn start(args: &[&str]) -> Self {
        let folder = tempdir().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Below the ports that the system gives to other sockets, so that the port is still free for a restart.
            let port = fastrand::u16(20_000..32_000);
            if TcpListener::bind(("127.0.0.1", port)).is_err() {
                continue;
            }
            let args: Vec<_> = args.iter().map(|arg| arg.replace("PORT", &port.to_string())).collect();
            match spawn(&args, port, folder.path()) {
                Ok(process) => return Self { args, port, process, folder },
                // Another process may have taken the port meanwhile.
                Err(log) => assert!(Instant::now() < deadline, "redis-server {args:?} does not start:\n{log}"),
            }
        }
    }

    /// Returns the port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the folder, which is empty when the server starts for the first time.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns `redis://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Returns the process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Stops the process with SIGSTOP: its sockets stay open, and it does not answer.
    pub(crate) fn stop_signal(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
        let status = format!("/proc/{}/stat", self.pid());
        let deadline = Instant::now() + PATIENCE;
        // The state follows the name in parentheses.
        while !fs::read_to_string(&status).unwrap().rsplit(") ").next().unwrap().starts_with('T') {
            assert!(Instant::now() < deadline, "redis-server does not stop");
            sleep(Duration::from_millis(1));
        }
    }

    /// Continues the process after [`stop_signal`](Self::stop_signal).
    pub(crate) fn continue_signal(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    /// Kills the process with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Kills the process, unless [`kill`](Self::kill) has, and starts it on the same port with the same folder. Without
    /// `--appendonly yes` its data are lost.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.process = spawn(&self.args, self.port, self.folder.path()).unwrap_or_else(|log| panic!("{log}"));
    }

    /// Deletes all keys.
    pub(crate) fn flush(&self) {
        self.command(&["FLUSHALL"])
    }

    /// Runs a command as the default user, and returns its answer. The command may run twice.
    pub(crate) fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = Cmd::new();
        command.arg(words);
        loop {
            let connection = connect(&self.args, self.folder.path());
            match connection.and_then(|mut connection| command.query(&mut connection)) {
                Ok(answer) => return answer,
                // A server of another test was stopped, and the signal about that interrupts a read with a time limit.
                Err(error) if error.to_string().contains("Interrupted system call") => {}
                Err(error) => panic!("{words:?}: {error}"),
            }
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // A stopped process ends as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the process and waits until it answers, or returns its log.
fn spawn(args: &[String], port: u16, folder: &Path) -> Result<Child, String> {
    let log = folder.join("log");
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string(), "--dir"]).arg(folder);
    command.arg("--unixsocket").arg(folder.join("socket")).arg("--logfile").arg(&log).args(args);
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut process = started.unwrap_or_else(|error| panic!("{command:?}: {error}; run tests/engines/install"));
    let deadline = Instant::now() + PATIENCE;
    while process.try_wait().unwrap().is_none() {
        let answer = connect(args, folder).and_then(|mut connection| Cmd::new().arg("PING").exec(&mut connection));
        if answer.is_ok() {
            return Ok(process);
        }
        if Instant::now() > deadline {
            let _ = process.kill();
            let _ = process.wait();
            break;
        }
        sleep(Duration::from_millis(5));
    }
    Err(fs::read_to_string(log).unwrap_or_default())
}

/// Connects through the socket in the folder, which works for a server that only has a port for TLS.
fn connect(args: &[String], folder: &Path) -> RedisResult<Connection> {
    let socket = folder.join("socket");
    let mut connection = Client::open(format!("unix://{}", socket.display()))?.get_connection_with_timeout(PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    if let Some(at) = args.iter().position(|arg| arg == "--requirepass") {
        Cmd::new().arg("AUTH").arg(&args[at + 1]).exec(&mut connection)?;
    }
    Ok(connection)
}
