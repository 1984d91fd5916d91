//! The client over HTTP/1.1: connections that stay open, and answers as JSON or as an event stream.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::message::{self, Answer, PROTOCOL};
use super::{AT_A_TIME, Calls, ended};

/// After this time without a byte from the server the run fails.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Http {
    address: SocketAddr,
    /// The beginning of each request, up to the length of its body.
    head: String,
    first: Connection,
    /// The other connections of many calls at a time.
    others: Vec<Connection>,
}

/// A connection that serves one request at a time.
#[derive(Debug)]
struct Connection {
    stream: BufReader<TcpStream>,
    line: Vec<u8>,
    body: Vec<u8>,
}

/// The parts of a response that the client needs.
#[derive(Default)]
struct Response {
    session: Option<String>,
    answer: Option<(Answer, Instant)>,
}

impl Http {
    pub(super) fn connect(address: SocketAddr, path: &str) -> io::Result<Self> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n"
        );
        Ok(Self { address, head, first: Connection::open(address)?, others: Vec::new() })
    }

    pub(super) fn notify(&mut self, message: &str) -> io::Result<()> {
        self.first.exchange(&self.head, message, None)?;
        Ok(())
    }

    /// Sends a request. Returns its answer, and when it had arrived. The first response starts the session.
    pub(super) fn request(&mut self, id: u64, request: &str) -> io::Result<(Answer, Instant)> {
        let response = self.first.exchange(&self.head, request, Some(id))?;
        if let Some(session) = response.session.filter(|_| !self.head.contains("Mcp-Session-Id")) {
            let _ = write!(self.head, "Mcp-Session-Id: {session}\r\nMCP-Protocol-Version: {PROTOCOL}\r\n");
        }
        response.answer.ok_or_else(ended)
    }

    /// One thread for each connection, which waits for the answer before it sends the next call.
    pub(super) fn many_at_a_time(&mut self, ids: Range<u64>, tool: &str) -> io::Result<Calls> {
        while self.others.len() + 1 < AT_A_TIME {
            self.others.push(Connection::open(self.address)?);
        }
        let (head, next, ready) = (self.head.as_str(), AtomicU64::new(ids.start), Barrier::new(AT_A_TIME + 1));
        let run = |connection: &mut Connection| -> io::Result<Vec<Duration>> {
            let mut latencies = Vec::new();
            ready.wait();
            loop {
                let id = next.fetch_add(1, Ordering::Relaxed);
                if id >= ids.end {
                    return Ok(latencies);
                }
                let request = message::call(id, tool);
                let started = Instant::now();
                let response = connection.exchange(head, &request, Some(id))?;
                let (answer, answered) = response.answer.ok_or_else(ended)?;
                answer.check()?;
                latencies.push(answered - started);
            }
        };
        thread::scope(|scope| {
            let connections = self.others.iter_mut().chain([&mut self.first]);
            let threads: Vec<_> = connections.map(|connection| scope.spawn(|| run(connection))).collect();
            ready.wait();
            let begun = Instant::now();
            let mut calls = Calls::default();
            for thread in threads {
                let latencies = thread.join().map_err(|_| io::Error::other("a connection's thread panicked"))?;
                calls.latencies.extend(latencies?);
            }
            calls.took = begun.elapsed();
            Ok(calls)
        })
    }
}

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), line: Vec::new(), body: Vec::new() })
    }

    /// Sends a message and reads the response to its end, so that the connection can be used again.
    fn exchange(&mut self, head: &str, message: &str, id: Option<u64>) -> io::Result<Response> {
        let request = format!("{head}Content-Length: {}\r\n\r\n{message}", message.len());
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.response(id)
    }

    fn response(&mut self, id: Option<u64>) -> io::Result<Response> {
        let status = self.line()?.to_owned();
        let (mut response, mut length, mut chunked, mut events) = (Response::default(), 0, false, false);
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().map_err(io::Error::other)?,
                "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
                "content-type" => events = value.starts_with("text/event-stream"),
                "mcp-session-id" => response.session = Some(value.to_owned()),
                _ => {}
            }
        }
        self.body.clear();
        let mut read = 0;
        loop {
            let size = if chunked { self.chunk_size()? } else { length };
            let old = self.body.len();
            self.body.resize(old + size, 0);
            self.stream.read_exact(&mut self.body[old..])?;
            let arrived = Instant::now();
            if let Some(id) = id
                && response.answer.is_none()
            {
                let (answer, end) = find(&self.body, read, events, id)?;
                (response.answer, read) = (answer.map(|answer| (answer, arrived)), end);
            }
            if chunked {
                // The empty line after a chunk, and after the last one, which is empty.
                self.line()?;
            }
            if !chunked || size == 0 {
                break;
            }
        }
        if status.split(' ').nth(1).is_some_and(|code| code.starts_with('2')) {
            return Ok(response);
        }
        Err(io::Error::other(format!("{status}: {}", String::from_utf8_lossy(&self.body))))
    }

    fn chunk_size(&mut self) -> io::Result<usize> {
        let line = self.line()?;
        let size = line.split(';').next().unwrap_or_default().trim();
        usize::from_str_radix(size, 16).map_err(io::Error::other)
    }

    /// Reads a line without its end.
    fn line(&mut self) -> io::Result<&str> {
        self.line.clear();
        if self.stream.read_until(b'\n', &mut self.line)? == 0 {
            return Err(ended());
        }
        std::str::from_utf8(self.line.trim_ascii_end()).map_err(io::Error::other)
    }
}

/// Looks for the answer to a request in the part of a body that begins at `read`. Also returns up to where the body
/// has been searched.
fn find(body: &[u8], read: usize, events: bool, id: u64) -> io::Result<(Option<Answer>, usize)> {
    if !events {
        return Ok((Answer::read(body).transpose()?.filter(|answer| answer.id == id), read));
    }
    let end = body.iter().rposition(|byte| *byte == b'\n').map_or(read, |last| last + 1).max(read);
    let lines = body[read..end].split(|byte| *byte == b'\n');
    // Every server here writes a message as one line of data.
    for data in lines.filter_map(|line| line.strip_prefix(b"data:")) {
        if let Some(answer) = Answer::read(data).transpose()?.filter(|answer| answer.id == id) {
            return Ok((Some(answer), end));
        }
    }
    Ok((None, end))
}
