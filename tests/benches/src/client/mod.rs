//! The client of the benches `proxy` and `http`: JSON-RPC on blocking pipes and sockets. It is the same for all rows,
//! and as small as possible, so that its cost hides no difference between them. Its calls have one argument, `text`,
//! which the tool has to return.

mod http;
mod message;
mod stdio;

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::process::{ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use http::Http;
use message::Answer;
use stdio::Stdio;

/// The number of calls in flight in the second measurement.
pub const AT_A_TIME: usize = 50;

/// A client with an initialized session.
#[derive(Debug)]
pub struct Client {
    tool: &'static str,
    transport: Transport,
    /// The id of the next request.
    next: u64,
}

#[derive(Debug)]
enum Transport {
    Stdio(Stdio),
    Http(Http),
}

/// The latencies of a number of calls, and the time that all of them took.
#[derive(Debug, Default)]
pub struct Calls {
    /// From the request to the end of its answer.
    pub latencies: Vec<Duration>,
    /// From the first request to the last answer.
    pub took: Duration,
}

impl Calls {
    /// Adds the calls of another turn.
    pub fn extend(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.took += other.took;
    }
}

impl Client {
    /// Starts a session over the pipes of a child process. Its calls are of this tool.
    ///
    /// # Errors
    /// If the server does not answer, or answers with an error.
    pub fn over_pipes(stdin: ChildStdin, stdout: ChildStdout, tool: &'static str) -> io::Result<Self> {
        Self { tool, transport: Transport::Stdio(Stdio::new(stdin, stdout)), next: 0 }.initialized()
    }

    /// Starts a session at `http://ADDRESS` + `path`, after the connection is accepted.
    ///
    /// # Errors
    /// If the server does not answer, or answers with an error.
    pub fn over_http(address: SocketAddr, path: &'static str, tool: &'static str) -> io::Result<Self> {
        Self { tool, transport: Transport::Http(Http::connect(address, path)?), next: 0 }.initialized()
    }

    fn initialized(mut self) -> io::Result<Self> {
        self.request(message::initialize)?;
        Ok(self)
    }

    /// Ends the handshake and lists the tools, as clients do before the first call. Fails if the tool is not there.
    ///
    /// # Errors
    /// If the server does not answer, answers with an error, or does not have the tool.
    pub fn list_tools(&mut self) -> io::Result<()> {
        match &mut self.transport {
            Transport::Stdio(stdio) => stdio.notify(message::INITIALIZED)?,
            Transport::Http(http) => http.notify(message::INITIALIZED)?,
        }
        let answer = self.request(message::list_tools)?;
        if answer.tools.iter().any(|tool| tool == self.tool) {
            return Ok(());
        }
        Err(io::Error::other(format!("the tool `{}` is not among {:?}", self.tool, answer.tools)))
    }

    fn request(&mut self, request: impl Fn(u64) -> String) -> io::Result<Answer> {
        let id = self.take(1).start;
        let (answer, _) = match &mut self.transport {
            Transport::Stdio(stdio) => stdio.request(id, &request(id))?,
            Transport::Http(http) => http.request(id, &request(id))?,
        };
        Ok(answer)
    }

    /// Reserves ids for requests.
    fn take(&mut self, requests: u64) -> Range<u64> {
        let first = self.next;
        self.next += requests;
        first..self.next
    }

    /// Calls the tool that often, one call at a time.
    ///
    /// # Errors
    /// If the result of a call is not its argument.
    pub fn one_at_a_time(&mut self, calls: u64) -> io::Result<Calls> {
        let ids = self.take(calls);
        let begun = Instant::now();
        let latencies = ids.map(|id| {
            let request = message::call(id, self.tool);
            let started = Instant::now();
            let (answer, answered) = match &mut self.transport {
                Transport::Stdio(stdio) => stdio.request(id, &request)?,
                Transport::Http(http) => http.request(id, &request)?,
            };
            answer.check()?;
            Ok(answered - started)
        });
        let latencies = latencies.collect::<io::Result<_>>()?;
        Ok(Calls { latencies, took: begun.elapsed() })
    }

    /// Calls the tool that often, [`AT_A_TIME`] calls at a time.
    ///
    /// # Errors
    /// If the result of a call is not its argument.
    pub fn many_at_a_time(&mut self, calls: u64) -> io::Result<Calls> {
        let ids = self.take(calls);
        match &mut self.transport {
            Transport::Stdio(stdio) => stdio.many_at_a_time(ids, self.tool),
            Transport::Http(http) => http.many_at_a_time(ids, self.tool),
        }
    }
}

/// The server ended the connection before it sent an answer.
fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended without an answer")
}
