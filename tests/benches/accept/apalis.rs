//! The same number of tasks, stored by apalis-sqlite in a child process.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use resilient_bench::target;

use crate::{ARGUMENTS, Turn, WRITES};

/// A running child process.
pub(crate) struct Apalis {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Apalis {
    /// Builds the program if needed, and starts it with a new file. Returns why that is not possible.
    pub(crate) fn start(folder: &Path) -> Result<Self, String> {
        let program = build()?;
        let child = Command::new(program)
            .arg(folder.join("apalis.db"))
            .arg(ARGUMENTS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|error| error.to_string())?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or("a pipe is missing")?;
        Ok(Self { child, stdin, stdout: BufReader::new(stdout) })
    }

    /// Lets it write one turn.
    pub(crate) fn turn(&mut self, writers: usize) -> Turn {
        writeln!(self.stdin, "{writers} {WRITES}").and_then(|()| self.stdin.flush()).expect("a running child");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("an answer");
        let mut times = line.split_whitespace().map(|nanos| Duration::from_nanos(nanos.parse().expect("a number")));
        let took = times.next().expect("an answer");
        Turn { took, writes: times.collect() }
    }
}

impl Drop for Apalis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Builds the program, whose package is not a member of the workspace.
fn build() -> Result<std::path::PathBuf, String> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/apalis/Cargo.toml");
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--manifest-path", manifest, "--target-dir"])
        .arg(target())
        .env_remove("RUSTFLAGS")
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(target().join("release/resilient-bench-apalis"));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().find(|line| line.starts_with("error")).unwrap_or("it cannot be built").to_owned())
}
