//! A server in the process of a test, so that tests need neither processes nor pauses.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::link::{Reason, Receive, Received, SendError};
use crate::message::Message;

type Handler = dyn Fn(&Message, &Client) + Send + Sync;

/// A server: what it does with each message.
pub struct Fake {
    handler: Box<Handler>,
    /// Whether it can be started.
    pub(crate) starts: AtomicBool,
    connections: AtomicU64,
}

/// The way to the client, on one connection.
#[derive(Clone)]
pub(crate) struct Client {
    /// The number of the connection. The first one is 1.
    pub(crate) connection: u64,
    sender: mpsc::UnboundedSender<Received>,
    is_lost: Arc<AtomicBool>,
}

impl Client {
    pub(crate) fn send(&self, message: Message) {
        let _ = self.sender.send(Received::Message(message));
    }

    /// Answers a request with this result, which is JSON.
    pub(crate) fn answer(&self, request: &Message, result: &str) {
        self.send(Message::result_of(request.id().expect("a request"), result));
    }

    /// Ends the connection.
    pub(crate) fn exit(&self) {
        if !self.is_lost.swap(true, Ordering::SeqCst) {
            let _ = self.sender.send(Received::Lost("the server process was ended by signal 9".into()));
        }
    }
}

impl Fake {
    pub(crate) fn new(handler: impl Fn(&Message, &Client) + Send + Sync + 'static) -> Arc<Self> {
        let handler = Box::new(handler);
        Arc::new(Self { handler, starts: AtomicBool::new(true), connections: AtomicU64::new(0) })
    }

    /// Returns the number of connections that were made.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}

pub(crate) struct FakeLink {
    server: Arc<Fake>,
    client: Client,
}

impl FakeLink {
    pub(crate) fn open<R: Receive>(server: &Arc<Fake>, receiver: Arc<R>) -> Result<Self, SendError> {
        if !server.starts.load(Ordering::SeqCst) {
            let message = "the command `fake` does not exist".into();
            return Err(SendError { message, reason: Reason::Unavailable, is_unprocessed: true, retry_after: None });
        }
        let connection = server.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let (sender, mut events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                receiver.receive(event).await;
            }
        });
        let client = Client { connection, sender, is_lost: Arc::default() };
        Ok(Self { server: Arc::clone(server), client })
    }

    pub(crate) fn send(&self, message: &Message) -> Result<(), SendError> {
        if self.client.is_lost.load(Ordering::SeqCst) {
            let message = "the server process has closed its input".into();
            return Err(SendError { message, reason: Reason::Lost, is_unprocessed: true, retry_after: None });
        }
        (self.server.handler)(message, &self.client);
        Ok(())
    }

    pub(crate) fn close(&self) {
        self.client.exit();
    }
}

impl Fake {
    /// Creates a server that answers the handshake and lists these tools, which are JSON. `call` handles the rest.
    pub(crate) fn with_tools(tools: &str, call: impl Fn(&Message, &Client) + Send + Sync + 'static) -> Arc<Self> {
        let list = format!(r#"{{"tools":{tools}}}"#);
        Self::new(move |message, client| match message.method() {
            Some("initialize") => client.answer(message, INITIALIZED),
            Some("tools/list") => client.answer(message, &list),
            Some("ping") => client.answer(message, "{}"),
            _ => call(message, client),
        })
    }
}

/// The response to `initialize`.
pub(crate) const INITIALIZED: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"fake","version":"1"}}"#;
