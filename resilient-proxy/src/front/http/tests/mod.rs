//! Each rule of the front, with a service that has no server behind it.

mod access;
mod clients;
mod fake;
mod limits;
mod malformed;
mod modern;
mod resume;
mod sessions;
mod stop;
mod streams;

use std::net::SocketAddr;
use std::sync::{Arc, Once};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::front::http::access::Access;
use crate::front::http::routes::{self, Shared};
use crate::front::http::{HttpFront, HttpSettings, Token};
use fake::Fake;

/// The time after which a test that waits has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const BOTH: &str = "application/json, text/event-stream";

/// A front that is bound to a port.
struct Server {
    url: String,
    address: SocketAddr,
    service: Arc<Fake>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    http: reqwest::Client,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(None, &[]).await
    }

    async fn start_with(token: Option<&str>, hosts: &[&str]) -> Self {
        let token = Token::from_variable(token.map(Into::into)).unwrap();
        let allowed_hosts = hosts.iter().map(ToString::to_string).collect();
        let settings = HttpSettings { address: ([127, 0, 0, 1], 0).into(), token, allowed_hosts };
        let front = HttpFront::bind(settings).await.unwrap();
        let (address, stop, service) = (front.address(), CancellationToken::new(), Fake::new());
        let task = tokio::spawn(front.serve(Arc::clone(&service) as _, stop.clone()));
        Self { url: format!("http://{address}/mcp"), address, service, stop, task, http: http_client() }
    }

    /// A `POST` outside of a session.
    fn post(&self, body: &Value) -> reqwest::RequestBuilder {
        self.http.post(&self.url).header("accept", BOTH).json(body)
    }

    /// A `POST` in a session.
    fn post_in(&self, session: &str, body: &Value) -> reqwest::RequestBuilder {
        self.post(body).header("mcp-session-id", session)
    }

    /// Opens a session, and returns its id.
    async fn session(&self) -> String {
        let response = self.post(&initialize()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.headers()["mcp-session-id"].to_str().unwrap().to_owned()
    }

    /// The `GET` of a session.
    fn get(&self, session: &str) -> reqwest::RequestBuilder {
        self.http.get(&self.url).header("accept", "text/event-stream").header("mcp-session-id", session)
    }

    fn delete(&self, session: &str) -> reqwest::RequestBuilder {
        self.http.delete(&self.url).header("mcp-session-id", session)
    }

    /// Opens the stream of `GET`.
    async fn listen(&self, session: &str) -> Events {
        Events::of(self.get(session).send().await.unwrap())
    }
}

fn http_client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    // Clients need one even without TLS.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    reqwest::Client::new()
}

fn initialize() -> Value {
    let client = json!({ "name": "test", "version": "0" });
    request(0, "initialize", &json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client }))
}

fn request(id: impl Into<Value>, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

fn notification(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

/// The status, and the code and the id of the error.
async fn error_of(response: reqwest::Response) -> (u16, i64, Value) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["error"]["code"].as_i64().unwrap(), body["id"].clone())
}

/// An event stream, read without a library for it.
struct Events {
    response: reqwest::Response,
    read: String,
}

/// The id and the data of an event.
type Read = (Option<String>, String);

impl Events {
    fn of(response: reqwest::Response) -> Self {
        assert_eq!((response.status().as_u16(), content_type(response.headers())), (200, "text/event-stream"));
        Self { response, read: String::new() }
    }

    /// The next event, or `None` at the end of the stream. Comments are skipped.
    async fn next(&mut self) -> Option<Read> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                if let Some(read) = read_event(&event) {
                    return Some(read);
                }
                continue;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("an event").ok()??;
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn message(&mut self) -> Value {
        let (_, data) = self.next().await.expect("a message");
        serde_json::from_str(&data).unwrap()
    }
}

fn read_event(event: &str) -> Option<Read> {
    let field = |name: &str| {
        let values = event.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        values.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect::<Vec<_>>()
    };
    let (id, data) = (field("id"), field("data"));
    (!data.is_empty()).then(|| (id.first().map(ToString::to_string), data.join("\n")))
}

fn content_type(headers: &HeaderMap) -> &str {
    headers["content-type"].to_str().unwrap()
}

/// The routes without a socket, so that time can be paused.
struct Local {
    shared: Arc<Shared>,
    service: Arc<Fake>,
}

impl Local {
    fn new() -> Self {
        let service = Fake::new();
        let access = Access::new(([127, 0, 0, 1], 1).into(), &[], None).unwrap();
        let stop = CancellationToken::new();
        let shared = Shared::new(access, Arc::clone(&service) as _, stop);
        Self { shared: Arc::new(shared), service }
    }

    async fn send(&self, method: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
        let mut request = Request::builder().method(method).uri("/mcp").header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        routes::serve(State(Arc::clone(&self.shared)), request.body(body.into()).unwrap()).await
    }

    async fn post(&self, headers: &[(&str, &str)], body: &Value) -> Response {
        let json = [("accept", BOTH), ("content-type", "application/json")];
        self.send("POST", &[&json, headers].concat(), body.to_string()).await
    }

    async fn session(&self) -> String {
        let response = self.post(&[], &initialize()).await;
        response.headers()["mcp-session-id"].to_str().unwrap().to_owned()
    }

    async fn get(&self, session: &str) -> Response {
        self.send("GET", &[("accept", "text/event-stream"), ("mcp-session-id", session)], "").await
    }
}
