//! Server-sent events, read from a response.
//!
//! The reader belongs to this crate because an event here is bytes with a limit: an over-long event, invalid UTF-8 and
//! unknown fields do not end the stream.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Response;

/// How many bytes of something that is not a message are kept.
pub(super) const SHOWN: usize = 200;

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The data of an event for messages. It is not empty.
    Data(Vec<u8>),
    /// An event that exceeded the limit: its first bytes, and how many bytes had been received by then. The rest of it
    /// is skipped.
    TooLong { start: Vec<u8>, bytes: usize },
}

/// Reads the events of a response.
pub(super) struct Events {
    response: Response,
    parser: Parser,
}

impl Events {
    pub(super) fn new(response: Response, limit: usize) -> Self {
        Self { response, parser: Parser::new(limit) }
    }

    /// Returns the next event, or `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> reqwest::Result<Option<Event>> {
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(Some(event));
            }
            match self.response.chunk().await? {
                Some(chunk) => self.parser.push(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// Returns the id of the last event that had one.
    pub(super) fn last_id(&self) -> Option<&[u8]> {
        self.parser.last_id.as_deref()
    }

    /// Returns how long the server asked to wait before the next connection.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.parser.retry
    }
}

/// Splits bytes into events, as the HTML standard describes it.
#[derive(Default)]
pub(super) struct Parser {
    limit: usize,
    events: VecDeque<Event>,
    last_id: Option<Vec<u8>>,
    retry: Option<Duration>,
    /// The part of a line that has been received.
    line: Vec<u8>,
    /// Whether the last byte was a carriage return: a line feed after it belongs to the same end of a line.
    is_after_return: bool,
    is_after_first_line: bool,
    is_skipping: bool,
    current: Current,
}

/// The event that is being received.
#[derive(Default)]
struct Current {
    data: Option<Vec<u8>>,
    id: Option<Vec<u8>>,
    is_other: bool,
    bytes: usize,
}

impl Parser {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    pub(super) fn next(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes the next bytes of the stream.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            if std::mem::take(&mut self.is_after_return) && first == b'\n' {
                bytes = rest;
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            self.extend(&bytes[..end.unwrap_or(bytes.len())]);
            let Some(end) = end else { return };
            self.is_after_return = bytes[end] == b'\r';
            self.end_line();
            bytes = &bytes[end + 1..];
        }
    }

    fn extend(&mut self, part: &[u8]) {
        if self.is_skipping {
            // Whether the line is empty is all that matters.
            self.line.extend_from_slice(&part[..part.len().min(1)]);
            self.line.truncate(1);
            return;
        }
        self.line.extend_from_slice(part);
        let bytes = self.current.bytes + self.line.len();
        if bytes > self.limit {
            let current = std::mem::take(&mut self.current);
            let mut start = current.data.unwrap_or_else(|| self.line.clone());
            start.truncate(SHOWN);
            self.events.push_back(Event::TooLong { start, bytes });
            self.is_skipping = true;
            self.line = vec![b':'];
        }
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        if !std::mem::replace(&mut self.is_after_first_line, true) && line.starts_with(b"\xEF\xBB\xBF") {
            line.drain(..3);
        }
        if line.is_empty() {
            self.end_event();
        } else if !self.is_skipping {
            self.field(&line);
        }
        line.clear();
        self.line = line;
    }

    fn field(&mut self, line: &[u8]) {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = colon.map_or((line, &b""[..]), |colon| (&line[..colon], &line[colon + 1..]));
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => match &mut self.current.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.current.data = Some(value.to_vec()),
            },
            b"event" => self.current.is_other = !value.is_empty() && value != b"message",
            b"id" if !value.contains(&0) => self.current.id = Some(value.to_vec()),
            b"retry" => {
                let digits =
                    std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                let retry = digits.and_then(|text| text.parse().ok()).map(Duration::from_millis);
                self.retry = retry.or(self.retry);
            }
            // A comment, or a field that the standard does not know.
            _ => return,
        }
        self.current.bytes += line.len() + 1;
    }

    fn end_event(&mut self) {
        let Current { data, id, is_other, .. } = std::mem::take(&mut self.current);
        self.is_skipping = false;
        if let Some(id) = id {
            self.last_id = Some(id).filter(|id| !id.is_empty());
        }
        // Servers send events without data to give an id, and events of other types to keep a connection alive.
        if let Some(data) = data.filter(|data| !data.is_empty() && !is_other) {
            self.events.push_back(Event::Data(data));
        }
    }
}

#[cfg(test)]
mod tests;
