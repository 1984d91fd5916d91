//! A service whose methods do what a test needs.

use std::sync::{Arc, Mutex};

use resilient_client::{Message, MessageKind};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::PATIENCE;
use crate::service::{Boxed, Output, Service, Session};

/// What happens to all sessions is logged: `opened`, `closed`, `cancelled`, and the text of each message.
pub(super) struct Fake {
    log: watch::Sender<Vec<String>>,
    /// Lets requests of the method `slow` end, one for each permit.
    pub(super) release: Arc<Semaphore>,
    outputs: Mutex<Vec<Arc<dyn Output>>>,
}

struct FakeSession {
    output: Arc<dyn Output>,
    log: watch::Sender<Vec<String>>,
    release: Arc<Semaphore>,
}

#[derive(Deserialize)]
struct Params<'m> {
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<Meta<'m>>,
    #[serde(default)]
    fails: bool,
    #[serde(default)]
    waits: bool,
}

#[derive(Deserialize)]
struct Meta<'m> {
    #[serde(borrow, default, rename = "progressToken")]
    token: Option<&'m RawValue>,
}

impl Fake {
    pub(super) fn new() -> Arc<Self> {
        let (log, _) = watch::channel(Vec::new());
        Arc::new(Self { log, release: Arc::new(Semaphore::new(0)), outputs: Mutex::default() })
    }

    /// Sends a message to the client of the session that was opened last.
    pub(super) async fn push(&self, message: &Value) {
        let output = self.outputs.lock().unwrap().last().cloned().unwrap();
        output.send(Message::parse(message.to_string()).unwrap()).await;
    }

    pub(super) fn count(&self, entry: &str) -> usize {
        self.log.borrow().iter().filter(|logged| logged.contains(entry)).count()
    }

    /// Waits until the log has this entry this often.
    pub(super) async fn until(&self, entry: &str, count: usize) {
        let mut log = self.log.subscribe();
        let enough = |log: &Vec<String>| log.iter().filter(|logged| logged.contains(entry)).count() >= count;
        let found = timeout(PATIENCE, log.wait_for(enough)).await;
        assert!(found.is_ok(), "no {entry} in the log");
    }
}

impl Service for Fake {
    fn open(&self, output: Arc<dyn Output>) -> Arc<dyn Session> {
        self.log.send_modify(|log| log.push("opened".to_owned()));
        self.outputs.lock().unwrap().push(Arc::clone(&output));
        Arc::new(FakeSession { output, log: self.log.clone(), release: Arc::clone(&self.release) })
    }
}

/// Logs a request whose future is dropped.
struct Cancelled<'s>(Option<&'s FakeSession>);

impl Drop for Cancelled<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.0 {
            session.record("cancelled");
        }
    }
}

impl FakeSession {
    fn record(&self, entry: &str) {
        self.log.send_modify(|log| log.push(entry.to_owned()));
    }

    async fn send(&self, message: Value) {
        self.output.send(Message::parse(message.to_string()).unwrap()).await;
    }

    async fn released(&self) {
        let mut guard = Cancelled(Some(self));
        self.release.acquire().await.unwrap().forget();
        guard.0 = None;
    }

    async fn request(&self, id: &str, message: &Message) {
        let params = message.read_params::<Params<'_>>();
        let token = params.as_ref().and_then(|params| params.meta.as_ref()?.token);
        if params.as_ref().is_some_and(|params| params.waits) {
            self.released().await;
        }
        let result = match message.method().unwrap() {
            "initialize" if params.is_some_and(|params| params.fails) => {
                return self.output.send(Message::error_of(id, -32_603, "it cannot start", None)).await;
            }
            "initialize" => json!({
                "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
                "serverInfo": { "name": "fake", "version": "0" },
            }),
            "server/discover" => json!({
                "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} },
                "ttlMs": 0, "cacheScope": "private",
            }),
            "tools/list" => json!({ "resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": [{
                "name": "query", "inputSchema": { "type": "object", "properties": {
                    "region": { "type": "string", "x-mcp-header": "Region" },
                    "limit": { "type": "integer", "x-mcp-header": "Limit" },
                } },
            }] }),
            "tools/call" => json!({ "resultType": "complete", "content": [{ "type": "text", "text": "called" }] }),
            "progress" => {
                for progress in [1, 2] {
                    let params = json!({ "progressToken": token, "progress": progress });
                    self.send(super::notification("notifications/progress", &params)).await;
                }
                json!({ "done": true })
            }
            "slow" => {
                self.released().await;
                json!({ "slow": true })
            }
            "announce" => {
                self.send(super::notification("notifications/message", &json!({ "data": "hello" }))).await;
                self.released().await;
                json!({ "announced": true })
            }
            "nothing" => return,
            "refuse" => return self.output.send(Message::error_of(id, -32_601, "unknown", None)).await,
            "malformed" => return self.output.send(Message::error_of(id, -32_600, "malformed", None)).await,
            "invalid" => return self.output.send(Message::error_of(id, -32_602, "invalid", None)).await,
            "lines" => {
                let text = format!("{{\"jsonrpc\":\"2.0\",\r\n\"id\":{id},\n\n\"result\":{{}}}}");
                self.send(super::notification("notifications/message", &json!({}))).await;
                return self.output.send(Message::parse(text).unwrap()).await;
            }
            other => json!({ "method": other }),
        };
        self.output.send(Message::result_of(id, &result.to_string())).await;
    }
}

impl Session for FakeSession {
    fn handle(&self, message: Message) -> Boxed<'_, ()> {
        Box::pin(async move {
            self.record(message.text());
            match (message.kind(), message.id()) {
                (MessageKind::Request, Some(id)) => self.request(id, &message).await,
                (MessageKind::Notification, _) if message.method() == Some("slow") => self.released().await,
                _ => {}
            }
        })
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async { self.record("closed") })
    }
}
