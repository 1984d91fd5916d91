//! Child processes: the test executable runs one test again, which finds its part in a variable.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::{env, thread};

/// Set in the child: the file of the store.
const FILE: &str = "STORE_OF_CHILD";

/// Returns the file of the store, in a child process.
pub(crate) fn file_of_child() -> Option<PathBuf> {
    env::var_os(FILE).map(PathBuf::from)
}

/// The command that runs the calling test in a child process.
pub(crate) fn command(executable: &Path, file: &Path) -> Command {
    let thread = thread::current();
    let mut command = Command::new(executable);
    arguments(&mut command, thread.name().expect("libtest names the thread of a test"), file);
    command
}

fn arguments(command: &mut Command, test: &str, file: &Path) {
    command.args([test, "--exact", "--nocapture"]).env(FILE, file).stdout(Stdio::piped());
}

/// Like [`command`], behind a shell or another program that runs what follows.
pub(crate) fn command_behind(program: &str, before: &[&str], executable: &Path, file: &Path) -> Command {
    let thread = thread::current();
    let mut command = Command::new(program);
    command.args(before).arg(executable);
    arguments(&mut command, thread.name().expect("libtest names the thread of a test"), file);
    command
}

/// Writes a line for the parent. The line is complete or missing, whenever the process is killed.
pub(crate) fn report(line: &str) {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(format!("> {line}\n").as_bytes()).and_then(|()| stdout.flush()).expect("stdout");
}

/// A child whose reports are read on a thread.
pub(crate) struct Running {
    child: Child,
    reports: thread::JoinHandle<Vec<String>>,
    first: std::sync::mpsc::Receiver<()>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("a child");
        let stdout = child.stdout.take().expect("its stdout");
        let (send, first) = std::sync::mpsc::channel();
        let reports = thread::spawn(move || read(stdout, &send));
        Self { child, reports, first }
    }

    /// Waits for the first report.
    pub(crate) fn wait_for_first(&self) {
        self.first.recv_timeout(std::time::Duration::from_secs(20)).expect("a report");
    }

    /// Kills the process with SIGKILL, and returns its reports.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("a process");
        self.child.wait().expect("its end");
        self.reports.join().expect("its reports")
    }

    /// Waits for the end, and returns the reports.
    pub(crate) fn end(mut self) -> Vec<String> {
        let status = self.child.wait().expect("its end");
        let reports = self.reports.join().expect("its reports");
        assert!(status.success(), "{reports:?}");
        reports
    }
}

fn read(stdout: ChildStdout, first: &std::sync::mpsc::Sender<()>) -> Vec<String> {
    let mut reports = Vec::new();
    let mut lines = BufReader::new(stdout);
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        // libtest writes before the first report, on the same line.
        if let Some((_, report)) = line.split_once("> ").filter(|_| line.ends_with('\n')) {
            reports.push(report.trim_end().to_owned());
            let _ = first.send(());
        }
        line.clear();
    }
    reports
}
