//! The messages of one stream that wait for its reader, and those that a client may read again.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use resilient_client::{Message, MessageKind};
use tokio::sync::Notify;

/// The number of messages that wait for the reader of a stream, and that a session keeps for a client that resumes one.
pub(super) const MOST_MESSAGES: usize = 64;
/// The size of these messages together.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// A message of a stream.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) id: EventId,
    pub(super) message: Arc<Message>,
}

impl Event {
    pub(super) fn is_response(&self) -> bool {
        self.message.kind() == MessageKind::Response
    }

    fn size(&self) -> usize {
        self.message.text().len()
    }
}

/// The name of an event: the number of its stream in the session, and its number in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventId {
    pub(super) stream: u64,
    pub(super) number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.stream, self.number)
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (stream, number) = text.split_once('-').ok_or(())?;
        Ok(Self { stream: stream.parse().map_err(drop)?, number: number.parse().map_err(drop)? })
    }
}

/// The messages that wait for the reader of one stream.
pub(super) struct MessageQueue {
    stream: u64,
    last_number: u64,
    waiting: VecDeque<Event>,
    /// The number and the size of the waiting messages that are not responses. Only these are bounded: there is one
    /// response for each request, and the number of requests is bounded.
    others: usize,
    others_bytes: usize,
    has_overflowed: bool,
    /// Counts the readers. Only the last one reads.
    pub(super) generation: u64,
    pub(super) has_reader: bool,
    /// The reader is woken by one permit, so that no wake-up is lost between two looks at the queue.
    pub(super) wake: Arc<Notify>,
}

impl MessageQueue {
    pub(super) fn new(stream: u64) -> Self {
        Self {
            stream,
            last_number: 0,
            waiting: VecDeque::new(),
            others: 0,
            others_bytes: 0,
            has_overflowed: false,
            generation: 0,
            has_reader: false,
            wake: Arc::default(),
        }
    }

    /// Adds a message. If too many wait, the oldest ones that are not responses are dropped.
    pub(super) fn push(&mut self, message: Message) {
        self.last_number += 1;
        let id = EventId { stream: self.stream, number: self.last_number };
        let event = Event { id, message: Arc::new(message) };
        if !event.is_response() {
            self.others += 1;
            self.others_bytes += event.size();
        }
        self.waiting.push_back(event);
        // A single message of any size may pass.
        while self.others > 1 && (self.others > MOST_MESSAGES || self.others_bytes > MOST_BYTES) {
            self.drop_oldest();
        }
        self.wake.notify_one();
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.waiting.iter().position(|event| !event.is_response()) else { return };
        if let Some(event) = self.waiting.remove(oldest) {
            self.forget(&event);
            if !self.has_overflowed {
                self.has_overflowed = true;
                tracing::warn!(
                    event = "http.message_dropped",
                    method = event.message.method(),
                    "the client does not read its stream; the oldest messages are dropped"
                );
            }
        }
    }

    fn forget(&mut self, event: &Event) {
        if !event.is_response() {
            self.others -= 1;
            self.others_bytes -= event.size();
        }
    }

    /// Takes the first message.
    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.waiting.pop_front()?;
        self.forget(&event);
        Some(event)
    }

    /// Returns the number in front of the first message that waits.
    pub(super) fn position(&self) -> u64 {
        self.waiting.front().map_or(self.last_number, |event| event.id.number - 1)
    }

    /// Makes the caller the reader, instead of an earlier one.
    pub(super) fn begin_reading(&mut self) -> u64 {
        self.generation += 1;
        self.has_reader = true;
        self.wake.notify_one();
        self.generation
    }
}

/// The last events that were written, for clients that resume a stream.
#[derive(Default)]
pub(super) struct History {
    events: VecDeque<Event>,
    bytes: usize,
}

impl History {
    pub(super) fn add(&mut self, event: Event) {
        self.bytes += event.size();
        self.events.push_back(event);
        while self.events.len() > MOST_MESSAGES || self.bytes > MOST_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.size();
        }
    }

    /// Returns the kept events of a stream that follow this one.
    pub(super) fn after(&self, last: EventId) -> VecDeque<Event> {
        let follows = |event: &&Event| event.id.stream == last.stream && event.id.number > last.number;
        self.events.iter().filter(follows).cloned().collect()
    }
}
