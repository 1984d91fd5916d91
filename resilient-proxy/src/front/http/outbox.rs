//! The messages for one client: which stream carries each of them.
//!
//! A response belongs to the stream of its request, and a progress notification to the stream of the request that has
//! its token. Any other message goes, in this order of preference, to
//!
//! 1. the stream of the only request in flight, because the message most likely results from it,
//! 2. the stream of `GET`,
//! 3. the stream of the latest request in flight,
//! 4. the queue of the stream of `GET`, until the client opens it.
//!
//! A message that was passed to the connection counts as delivered. If the connection breaks before the client receives
//! it, the client can read it again by `Last-Event-ID`; a client that does not send this header loses it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use resilient_client::{Message, MessageKind};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::front::http::queue::{Event, EventId, History, MessageQueue};
use crate::service::{Boxed, Output};

/// The number of requests in flight of one client.
pub(super) const MOST_REQUESTS: usize = 256;
/// The number of the stream of `GET`.
const GENERAL: u64 = 0;

/// The messages for one client, by stream.
pub(super) struct Outbox {
    streams: Mutex<Streams>,
}

struct Streams {
    is_closed: bool,
    last_stream: u64,
    general: MessageQueue,
    exchanges: BTreeMap<u64, ExchangeQueue>,
    /// The streams of the requests that have no response yet, by id as JSON.
    requests: HashMap<Box<str>, u64>,
    /// The streams of requests that want to be informed of their progress, by token as JSON.
    progress: HashMap<Box<str>, u64>,
    history: History,
    last_used: Instant,
}

/// The stream of one `POST`.
struct ExchangeQueue {
    queue: MessageQueue,
    /// The number of requests that have no response yet.
    unanswered: usize,
    tokens: Vec<Box<str>>,
    /// Whether the client reads other messages than responses here.
    takes_all: bool,
    /// Whether the client knows ids of events of this stream, so that it can resume it.
    is_resumable: bool,
}

/// What a `POST` asks for.
#[derive(Default)]
pub(super) struct Requests {
    /// The ids as JSON.
    pub(super) ids: Vec<Box<str>>,
    /// The progress tokens as JSON.
    pub(super) tokens: Vec<Box<str>>,
}

/// Why requests are not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejected {
    /// A request in flight has the same id.
    Duplicate,
    /// There are too many requests in flight.
    TooMany,
    /// The session has ended.
    Closed,
}

/// How a client uses its session.
pub(super) struct Use {
    pub(super) since: Instant,
    pub(super) has_requests: bool,
    pub(super) has_listener: bool,
}

#[derive(Deserialize)]
struct Progress<'m> {
    #[serde(borrow, rename = "progressToken")]
    token: &'m RawValue,
}

impl Outbox {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            streams: Mutex::new(Streams {
                is_closed: false,
                last_stream: GENERAL,
                general: MessageQueue::new(GENERAL),
                exchanges: BTreeMap::new(),
                requests: HashMap::new(),
                progress: HashMap::new(),
                history: History::default(),
                last_used: Instant::now(),
            }),
        })
    }

    /// Opens the stream of a `POST` with requests. The requests are in flight until they have their responses, or until
    /// the [`InFlight`] is dropped.
    pub(super) fn start(self: &Arc<Self>, requests: Requests, takes_all: bool) -> Result<(Reader, InFlight), Rejected> {
        let mut streams = self.lock();
        if streams.is_closed {
            return Err(Rejected::Closed);
        }
        if streams.requests.len() + requests.ids.len() > MOST_REQUESTS {
            return Err(Rejected::TooMany);
        }
        let is_repeated = requests.ids.iter().enumerate().any(|(at, id)| requests.ids[..at].contains(id));
        if is_repeated || requests.ids.iter().any(|id| streams.requests.contains_key(id)) {
            return Err(Rejected::Duplicate);
        }
        streams.last_used = Instant::now();
        streams.last_stream += 1;
        let stream = streams.last_stream;
        let unanswered = requests.ids.len();
        streams.requests.extend(requests.ids.into_iter().map(|id| (id, stream)));
        streams.progress.extend(requests.tokens.iter().cloned().map(|token| (token, stream)));
        let mut queue = MessageQueue::new(stream);
        let (generation, wake) = (queue.begin_reading(), Arc::clone(&queue.wake));
        let exchange = ExchangeQueue { queue, unanswered, tokens: requests.tokens, takes_all, is_resumable: false };
        streams.exchanges.insert(stream, exchange);
        let again = VecDeque::new();
        let reader = Reader { outbox: Arc::clone(self), stream, generation, wake, again };
        Ok((reader, InFlight { outbox: Arc::clone(self), stream }))
    }

    /// Opens the stream of `GET`. Returns `None` if the client already reads it.
    pub(super) fn listen(self: &Arc<Self>) -> Option<Reader> {
        let mut streams = self.lock();
        streams.last_used = Instant::now();
        let queue = &mut streams.general;
        if queue.has_reader {
            return None;
        }
        let (generation, wake) = (queue.begin_reading(), Arc::clone(&queue.wake));
        Some(Reader { outbox: Arc::clone(self), stream: GENERAL, generation, wake, again: VecDeque::new() })
    }

    /// Opens a stream after this event. A reader of the same stream ends: the client has lost its connection. A stream
    /// that has ended has the events that are still kept.
    pub(super) fn resume(self: &Arc<Self>, last: EventId) -> Reader {
        let mut streams = self.lock();
        let streams = &mut *streams;
        streams.last_used = Instant::now();
        let again = streams.history.after(last);
        let (generation, wake) = match streams.queue(last.stream) {
            Some(queue) => (queue.begin_reading(), Arc::clone(&queue.wake)),
            None => (0, Arc::default()),
        };
        Reader { outbox: Arc::clone(self), stream: last.stream, generation, wake, again }
    }

    /// Ends all streams.
    pub(super) fn close(&self) {
        let mut streams = self.lock();
        streams.is_closed = true;
        streams.general.wake.notify_one();
        streams.exchanges.values().for_each(|exchange| exchange.queue.wake.notify_one());
    }

    /// Records that the client uses its session.
    pub(super) fn touch(&self) {
        self.lock().last_used = Instant::now();
    }

    /// Returns how the client uses its session.
    pub(super) fn usage(&self) -> Use {
        let streams = self.lock();
        let has_requests = !streams.requests.is_empty();
        Use { since: streams.last_used, has_requests, has_listener: streams.general.has_reader }
    }

    fn deliver(&self, message: Message) {
        let mut streams = self.lock();
        if streams.is_closed {
            return;
        }
        if let (MessageKind::Response, Some(id)) = (message.kind(), message.id()) {
            // A response that nothing waits for, or a second one, is dropped.
            let Some(stream) = streams.requests.remove(id) else { return };
            let Some(exchange) = streams.exchanges.get_mut(&stream) else { return };
            exchange.unanswered -= 1;
            exchange.queue.push(message);
            streams.remove_if_done(stream);
        } else {
            let stream = streams.stream_of(&message);
            if let Some(queue) = streams.queue(stream) {
                queue.push(message);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output for Outbox {
    fn send(&self, message: Message) -> Boxed<'_, ()> {
        self.deliver(message);
        Box::pin(std::future::ready(()))
    }
}

impl Streams {
    fn queue(&mut self, stream: u64) -> Option<&mut MessageQueue> {
        if stream == GENERAL {
            return Some(&mut self.general);
        }
        self.exchanges.get_mut(&stream).map(|exchange| &mut exchange.queue)
    }

    /// Returns the stream of a request or a notification of the server.
    fn stream_of(&self, message: &Message) -> u64 {
        if message.method() == Some("notifications/progress") {
            let token = message.read_params::<Progress<'_>>().map(|read| read.token.get());
            let stream = token.and_then(|token| self.progress.get(token));
            if let Some(stream) = stream.filter(|stream| self.carries_progress(**stream)) {
                return *stream;
            }
        }
        let newest = self.exchanges.keys().rev().find(|stream| self.carries_all(**stream));
        match newest {
            Some(stream) if self.requests.len() == 1 || !self.general.has_reader => *stream,
            _ => GENERAL,
        }
    }

    /// Whether the stream of an exchange carries messages that may belong to its request.
    fn carries_all(&self, stream: u64) -> bool {
        let exchange = self.exchanges.get(&stream);
        exchange.is_some_and(|exchange| exchange.takes_all && exchange.unanswered > 0 && exchange.queue.has_reader)
    }

    /// Whether the stream of an exchange carries the progress of its requests: also while the client has lost its
    /// connection, if it can resume the stream.
    fn carries_progress(&self, stream: u64) -> bool {
        let resumable = self.exchanges.get(&stream).is_some_and(|exchange| exchange.is_resumable);
        resumable || self.carries_all(stream)
    }

    /// Removes the stream of an exchange that has all responses, if no reader will take them. A client that knows the
    /// stream can still read them.
    fn remove_if_done(&mut self, stream: u64) {
        let is_done = |exchange: &ExchangeQueue| exchange.unanswered == 0 && !exchange.queue.has_reader;
        if !self.exchanges.get(&stream).is_some_and(is_done) {
            return;
        }
        if let Some(mut exchange) = self.exchanges.remove(&stream) {
            for token in &exchange.tokens {
                if self.progress.get(token) == Some(&stream) {
                    self.progress.remove(token);
                }
            }
            if exchange.is_resumable {
                while let Some(event) = exchange.queue.pop() {
                    self.history.add(event);
                }
            }
        }
    }
}

/// Requests in flight. When it is dropped, they need no response any more: they have it, or they were cancelled.
pub(super) struct InFlight {
    outbox: Arc<Outbox>,
    stream: u64,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut streams = self.outbox.lock();
        let streams = &mut *streams;
        streams.last_used = Instant::now();
        let Some(exchange) = streams.exchanges.get_mut(&self.stream) else { return };
        if exchange.unanswered > 0 {
            exchange.unanswered = 0;
            streams.requests.retain(|_, stream| *stream != self.stream);
        }
        exchange.queue.wake.notify_one();
        streams.remove_if_done(self.stream);
    }
}

/// The reader of a stream.
pub(super) struct Reader {
    outbox: Arc<Outbox>,
    stream: u64,
    generation: u64,
    wake: Arc<Notify>,
    /// Events that the client reads again.
    again: VecDeque<Event>,
}

enum Next {
    Event(Event),
    Empty,
    End,
}

impl Reader {
    /// Returns the next message, or `None` after the last one. No message is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.again.pop_front() {
                return Some(event);
            }
            match self.take() {
                Next::Event(event) => return Some(event),
                Next::End => return None,
                Next::Empty => self.wake.notified().await,
            }
        }
    }

    fn take(&self) -> Next {
        let mut streams = self.outbox.lock();
        let streams = &mut *streams;
        let mut has_ended = streams.is_closed;
        let mut keeps = self.stream == GENERAL;
        let queue = match streams.exchanges.get_mut(&self.stream) {
            Some(exchange) => {
                has_ended |= exchange.unanswered == 0;
                keeps |= exchange.is_resumable;
                &mut exchange.queue
            }
            None if self.stream == GENERAL => &mut streams.general,
            None => return Next::End,
        };
        if queue.generation != self.generation {
            return Next::End;
        }
        match queue.pop() {
            Some(event) => {
                if keeps {
                    streams.history.add(event.clone());
                }
                Next::Event(event)
            }
            None if has_ended => Next::End,
            None => Next::Empty,
        }
    }

    /// Lets the client resume this stream: from now on the messages that are read are kept, and so is `first`, which
    /// was read before.
    pub(super) fn make_resumable(&self, first: Option<&Event>) {
        let mut streams = self.outbox.lock();
        if let Some(exchange) = streams.exchanges.get_mut(&self.stream) {
            exchange.is_resumable = true;
        }
        if let Some(first) = first {
            streams.history.add(first.clone());
        }
    }

    /// Returns the id in front of the next message, from which the client can resume.
    pub(super) fn position(&self) -> EventId {
        let mut streams = self.outbox.lock();
        let number = streams.queue(self.stream).map_or(0, |queue| queue.position());
        EventId { stream: self.stream, number }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut streams = self.outbox.lock();
        streams.last_used = Instant::now();
        let Some(queue) = streams.queue(self.stream) else { return };
        if queue.generation == self.generation {
            queue.has_reader = false;
            streams.remove_if_done(self.stream);
        }
    }
}
