//! The proxy in front of servers of other projects: a server of FastMCP, and `server-everything` of the TypeScript SDK.

mod client;
mod conformance;
mod http;
mod kills;
mod loss;
mod remains;
mod start;
mod upstream;
mod wire;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use crate::{SERVERS, node, python};

/// The variable that names the file for the lines of a server. Processes that inherit it belong to the test.
const COUNT_FILE: &str = "COUNT_FILE";

/// How often a test looks again.
const INTERVAL: Duration = Duration::from_millis(5);

/// The time in which the proxy notices the end of its server.
const NOTICED: Duration = Duration::from_millis(300);

/// A program with its arguments.
type Line = Vec<OsString>;

/// What one test starts.
pub(crate) struct Setup {
    folder: TempDir,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Returns the path of a file that only this test uses.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns a command that runs a program, with the variable of this test.
    pub(crate) fn alone(&self, program: &Line) -> Command {
        let mut command = Command::new(&program[0]);
        command.args(&program[1..]);
        self.marked(command)
    }

    /// Returns a command that runs the proxy with these options in front of a server.
    pub(crate) fn proxy(&self, options: &[&str], server: &Line) -> Command {
        let mut command = self.proxy_with(options);
        command.arg("--").args(server);
        command
    }

    /// Returns a command that runs the proxy with these arguments alone.
    pub(crate) fn proxy_with(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(SERVERS);
        command.arg("proxy").args(arguments);
        self.marked(command)
    }

    /// Gives the command the variable of this test, and a working directory without files.
    pub(crate) fn marked(&self, mut command: Command) -> Command {
        command.env(COUNT_FILE, self.count_file()).env_remove("RUST_LOG").env_remove("RESILIENT_CONFIG");
        command.current_dir(self.folder.path());
        command
    }

    fn count_file(&self) -> PathBuf {
        self.path("count")
    }

    /// Returns the lines that the server has appended.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.count_file()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Returns how often the server has appended this line.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|other| *other == line).count()
    }

    /// Waits until the server has appended this line.
    pub(crate) async fn appended(&self, line: &str) {
        wait_until(&format!("the line {line:?}"), || self.count(line) > 0).await;
    }

    /// Returns the processes that the proxy has started, and those that they have started.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        let mark = format!("{COUNT_FILE}={}", self.count_file().display());
        let listed = fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|entry| entry.path());
        listed.filter_map(|process| started_with(&process, &mark)).collect()
    }

    /// Kills these processes with SIGKILL, and waits until they are gone.
    pub(crate) async fn kill_server(&self) {
        wait_until("a server", || !self.processes().is_empty()).await;
        let killed = self.processes();
        for process in &killed {
            kill(*process);
        }
        wait_until("the end of the server", || self.processes().iter().all(|process| !killed.contains(process))).await;
    }

    /// Waits until none of these processes is left.
    pub(crate) async fn left_no_process(&self) {
        wait_until("the end of all processes", || self.processes().is_empty()).await;
    }
}

/// Returns the id of a process whose environment contains this variable, unless it is the proxy.
fn started_with(process: &Path, variable: &str) -> Option<Pid> {
    let id = process.file_name()?.to_str()?.parse().ok()?;
    let environment = fs::read(process.join("environ")).ok()?;
    let marked = environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes());
    // Until the proxy's child has replaced its program, it looks like the proxy.
    let proxy = fs::read_link(process.join("exe")).ok()? == Path::new(SERVERS);
    Pid::from_raw(id).filter(|_| marked && !proxy)
}

/// Sends SIGKILL to a process, which may have ended.
pub(crate) fn kill(process: Pid) {
    let _ = kill_process(process, Signal::KILL);
}

/// Waits until a condition holds, for at most [`client::LIMIT`].
pub(crate) async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + client::LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        sleep(INTERVAL).await;
    }
}

/// The server of FastMCP in `python/servers/failing.py`.
pub(crate) fn failing() -> Line {
    line(&python("python/servers/failing.py"))
}

/// The server without packages in `python/servers/counting.py`.
pub(crate) fn counting() -> Line {
    let mut words = line(&python("python/servers/counting.py"));
    // Without `site`, Python starts in a third of the time.
    words.splice(1..1, ["-I".into(), "-S".into()]);
    words
}

/// The reference server of the TypeScript SDK.
pub(crate) fn everything() -> Line {
    reference("stdio")
}

/// The reference server of the TypeScript SDK on a port.
pub(crate) fn everything_over_http(port: u16) -> Line {
    // It reads the port from a variable.
    let variable = ["env".into(), format!("PORT={port}").into()];
    variable.into_iter().chain(reference("streamableHttp")).collect()
}

fn reference(transport: &str) -> Line {
    let mut words = line(&node("typescript/node_modules/@modelcontextprotocol/server-everything/dist/index.js"));
    words.push(transport.into());
    words
}

/// A script for `sh`.
pub(crate) fn shell(script: &str) -> Line {
    ["sh", "-c", script].map(OsString::from).to_vec()
}

fn line(command: &Command) -> Line {
    let command = command.as_std();
    let arguments = command.get_args().map(OsString::from);
    std::iter::once(command.get_program().to_owned()).chain(arguments).collect()
}

/// Joins a program and its arguments for `sh`.
pub(crate) fn quoted(line: &Line) -> String {
    let quote = |word: &OsString| format!("'{}'", word.to_str().unwrap());
    line.iter().map(quote).collect::<Vec<_>>().join(" ")
}
