//! The client over the pipes of a child process.

use std::io::{self, BufRead, BufReader, Write};
use std::ops::Range;
use std::process::{ChildStdin, ChildStdout};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Instant;

use super::message::{self, Answer};
use super::{AT_A_TIME, Calls, ended};

#[derive(Debug)]
pub(super) struct Stdio {
    stdin: ChildStdin,
    lines: Lines,
}

/// What the server sends.
#[derive(Debug)]
struct Lines {
    stdout: BufReader<ChildStdout>,
    line: Vec<u8>,
}

impl Stdio {
    pub(super) fn new(stdin: ChildStdin, stdout: ChildStdout) -> Self {
        Self { stdin, lines: Lines { stdout: BufReader::new(stdout), line: Vec::new() } }
    }

    pub(super) fn notify(&mut self, message: &str) -> io::Result<()> {
        send(&mut self.stdin, message)
    }

    /// Sends a request. Returns its answer, and when it had arrived.
    pub(super) fn request(&mut self, id: u64, request: &str) -> io::Result<(Answer, Instant)> {
        send(&mut self.stdin, request)?;
        loop {
            let (answer, answered) = self.lines.answer()?;
            if answer.id == id {
                return Ok((answer, answered));
            }
        }
    }

    /// One thread writes and one reads. A call starts when another has ended.
    pub(super) fn many_at_a_time(&mut self, ids: Range<u64>, tool: &str) -> io::Result<Calls> {
        let Self { stdin, lines } = self;
        let started: Vec<OnceLock<Instant>> = ids.clone().map(|_| OnceLock::new()).collect();
        let (free, freed) = mpsc::channel();
        for _ in 0..AT_A_TIME {
            let _ = free.send(());
        }
        let (first, starts) = (ids.start, started.as_slice());
        let begun = Instant::now();
        thread::scope(|scope| {
            let writer = scope.spawn(move || -> io::Result<()> {
                for (id, start) in ids.zip(starts) {
                    // A reader that failed says why.
                    let Ok(()) = freed.recv() else { break };
                    let request = message::call(id, tool);
                    let _ = start.set(Instant::now());
                    send(stdin, &request)?;
                }
                Ok(())
            });
            let calls = lines.read_all(first, starts, free, begun);
            let written = writer.join().map_err(|_| io::Error::other("the writer panicked"));
            let calls = calls?;
            written??;
            Ok(calls)
        })
    }
}

fn send(stdin: &mut ChildStdin, message: &str) -> io::Result<()> {
    stdin.write_all(format!("{message}\n").as_bytes())
}

impl Lines {
    /// Returns the next answer, and when it had arrived.
    fn answer(&mut self) -> io::Result<(Answer, Instant)> {
        loop {
            self.line.clear();
            if self.stdout.read_until(b'\n', &mut self.line)? == 0 {
                return Err(ended());
            }
            let arrived = Instant::now();
            if let Some(answer) = Answer::read(&self.line) {
                return Ok((answer?, arrived));
            }
        }
    }

    /// Reads the answers to the calls that begin with this id, and lets another call start for each of them.
    fn read_all(
        &mut self,
        first: u64,
        starts: &[OnceLock<Instant>],
        free: Sender<()>,
        begun: Instant,
    ) -> io::Result<Calls> {
        let mut latencies = Vec::with_capacity(starts.len());
        while latencies.len() < starts.len() {
            let (answer, answered) = self.answer()?;
            answer.check()?;
            let place = usize::try_from(answer.id.wrapping_sub(first)).map_err(io::Error::other)?;
            let start = starts.get(place).and_then(OnceLock::get);
            latencies.push(answered - *start.ok_or_else(|| io::Error::other("an answer to no call"))?);
            // All calls may have started.
            let _ = free.send(());
        }
        drop(free);
        Ok(Calls { latencies, took: begun.elapsed() })
    }
}
