//! A program that listens on a free port of loopback.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

use crate::PATIENCE;

/// The process, which is killed on drop.
pub(crate) struct Program {
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    _process: Child,
}

impl Program {
    /// Starts a program that prints the address it listens on: what `prefix` precedes on one of its lines.
    pub(crate) async fn start(mut command: Command, prefix: &'static str) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let started = command.spawn();
        let mut process = started.unwrap_or_else(|error| panic!("{command:?}: {error}; run tests/engines/install"));
        let (lines, log) = watch::channel(Vec::new());
        follow(process.stdout.take().unwrap(), lines.clone());
        follow(process.stderr.take().unwrap(), lines);
        let found = |lines: &Vec<String>| lines.iter().any(|line| line.contains(prefix));
        let address = match timeout(PATIENCE, log.clone().wait_for(found)).await {
            Ok(Ok(lines)) => lines.iter().find_map(|line| line.split_once(prefix)).unwrap().1.to_owned(),
            _ => panic!("{command:?} prints no address: {:#?}", log.borrow()),
        };
        let end = |symbol: char| !symbol.is_ascii_digit() && !matches!(symbol, '.' | ':');
        let address = address.split(end).next().unwrap().trim_end_matches('.');
        // Some print the port alone.
        let address = if address.contains(':') { address.to_owned() } else { format!("127.0.0.1:{address}") };
        Self { address, _process: process }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Reads lines to their end, so that the program never waits for a full pipe.
fn follow(output: impl AsyncRead + Send + Unpin + 'static, lines: watch::Sender<Vec<String>>) {
    let mut read = BufReader::new(output).lines();
    tokio::spawn(async move {
        while let Ok(Some(line)) = read.next_line().await {
            // What follows the address is of no interest.
            if !lines.is_closed() {
                lines.send_modify(|lines| lines.push(line));
            }
        }
    });
}
