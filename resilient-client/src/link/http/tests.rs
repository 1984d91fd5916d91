//! Links to small servers on this host.

mod failures;
mod modern;
mod requests;
mod resumption;
mod streams;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Endpoint, HttpLink};
use crate::link::{Receive, Received, SendError};
use crate::message::Message;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request that a server has received.
#[derive(Clone)]
struct Seen {
    method: String,
    headers: HeaderMap,
    body: String,
    peer: std::net::SocketAddr,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// Returns the JSON-RPC method, or that of HTTP for a request without a message.
    fn call(&self) -> String {
        let message = Message::parse(self.body.as_str()).ok();
        message.and_then(|message| message.method().map(str::to_owned)).unwrap_or_else(|| self.method.clone())
    }

    fn id(&self) -> String {
        let message = Message::parse(self.body.as_str()).expect("a message");
        message.id().expect("a request").to_owned()
    }

    /// Returns a successful response to this request, as text.
    fn result(&self) -> String {
        Message::result_of(&self.id(), r#"{"ok":true}"#).text().to_owned()
    }
}

/// A server with one answer to each request. It ends when it is dropped.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(answer: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let all = Arc::clone(&seen);
        let router = axum::Router::new().fallback(move |request: Request| {
            let (all, answer) = (Arc::clone(&all), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, usize::MAX).await.expect("a body");
                let axum::extract::ConnectInfo(peer) = *parts.extensions.get().expect("a peer");
                let body = String::from_utf8(body.to_vec()).expect("text");
                let seen = Seen { method: parts.method.to_string(), headers: parts.headers, body, peer };
                all.lock().expect("no panic").push(seen.clone());
                let response = answer(&seen);
                if response.extensions().get::<Silence>().is_some() {
                    std::future::pending::<()>().await;
                }
                response
            }
        });
        let service = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
        let task = tokio::spawn(async move {
            axum::serve(listener, service).await.expect("serves");
        });
        Self { url, seen, task }
    }

    /// Returns what the server has received so far.
    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    /// Returns the requests with this method of JSON-RPC or HTTP.
    fn calls(&self, method: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.call() == method).collect()
    }

    /// Waits for a number of requests with this method.
    async fn wait_for(&self, method: &str, number: usize) -> Vec<Seen> {
        let waiting = async {
            while self.calls(method).len() < number {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{number} requests with the method {method}"));
        self.calls(method)
    }

    fn link(&self) -> Link {
        link(&Endpoint::new(&self.url).expect("a URL"))
    }
}

struct Inbox(tokio::sync::mpsc::UnboundedSender<Received>);

impl Receive for Inbox {
    fn receive(&self, event: Received) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let _ = self.0.send(event);
        })
    }
}

/// A link, and what it has received.
struct Link {
    link: HttpLink<Inbox>,
    received: UnboundedReceiver<Received>,
}

fn link(endpoint: &Endpoint) -> Link {
    let (sender, received) = unbounded_channel();
    Link { link: HttpLink::open(endpoint, Arc::new(Inbox(sender))).expect("opens"), received }
}

impl Link {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        timeout(PATIENCE, self.link.send(message)).await.expect("the exchange ends")
    }

    async fn failure(&self, message: &Message) -> SendError {
        self.send(message).await.expect_err("no response")
    }

    /// Initializes a session, and takes the response.
    async fn initialize(&mut self) {
        self.send(&initialize()).await.expect("a response");
        self.next().await;
        self.send(&Message::notification("notifications/initialized", &json!({}))).await.expect("accepted");
    }

    /// Returns the next event, as text.
    async fn next(&mut self) -> String {
        shown(timeout(PATIENCE, self.received.recv()).await.expect("an event").expect("a link"))
    }

    /// Returns what has been received, as texts.
    fn received(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.received.try_recv().ok()).map(shown).collect()
    }
}

fn shown(event: Received) -> String {
    match event {
        Received::Message(message) => message.text().to_owned(),
        Received::Junk { start, .. } => format!("junk: {}", String::from_utf8_lossy(&start)),
        Received::Lost(why) => format!("lost: {why}"),
    }
}

fn initialize() -> Message {
    Message::request("0", "initialize", &json!({ "protocolVersion": "2025-06-18", "capabilities": {} }))
}

fn call(id: &str) -> Message {
    Message::request(id, "tools/call", &json!({ "name": "echo", "arguments": {} }))
}

fn changed() -> String {
    Message::notification("notifications/tools/list_changed", &json!({})).text().to_owned()
}

fn status(code: u16) -> Response {
    with_body(code, "text/plain", Body::empty())
}

/// No response, on a connection that stays open.
#[derive(Clone)]
struct Silence;

fn silence() -> Response {
    let mut response = status(200);
    response.extensions_mut().insert(Silence);
    response
}

fn with_body(code: u16, media_type: &str, body: impl Into<Body>) -> Response {
    let response = Response::builder().status(StatusCode::from_u16(code).expect("a status"));
    response.header("content-type", media_type).body(body.into()).expect("a response")
}

fn with_header(mut response: Response, name: &'static str, value: &'static str) -> Response {
    response.headers_mut().insert(name, axum::http::HeaderValue::from_static(value));
    response
}

fn json_body(text: impl Into<String>) -> Response {
    with_body(200, "application/json; charset=utf-8", text.into())
}

/// A stream of events that ends after the last one.
fn events(texts: impl IntoIterator<Item = String>) -> Response {
    streamed(stream::iter(texts.into_iter().collect::<Vec<_>>()))
}

/// A stream of events that stays open after the last one.
fn open_events(texts: impl IntoIterator<Item = String>) -> Response {
    streamed(stream::iter(texts.into_iter().collect::<Vec<_>>()).chain(stream::pending()))
}

/// A stream of events that breaks after the last one.
fn broken_events(texts: impl IntoIterator<Item = String>) -> Response {
    let texts = texts.into_iter().map(|text| Ok(Bytes::from(text))).collect::<Vec<_>>();
    let end = stream::once(async {
        // What was sent before must leave first.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(std::io::Error::other("broken"))
    });
    with_body(200, "text/event-stream", Body::from_stream(stream::iter(texts).chain(end)))
}

fn streamed(texts: impl Stream<Item = String> + Send + 'static) -> Response {
    let parts = texts.map(|text| Ok::<_, std::convert::Infallible>(Bytes::from(text)));
    with_body(200, "text/event-stream", Body::from_stream(parts))
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

/// The response of a server of the legacy era to what belongs to the session, and `None` for other requests.
fn legacy(seen: &Seen) -> Option<Response> {
    let version = r#"{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}"#;
    match seen.call().as_str() {
        "initialize" => {
            let response = json_body(Message::result_of(&seen.id(), version).text());
            Some(with_header(response, "mcp-session-id", "session-1"))
        }
        "notifications/initialized" => Some(status(202)),
        "DELETE" => Some(status(200)),
        _ => None,
    }
}
