//! One client of several servers.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use resilient_client::{Message, MessageKind};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::lists::Kind;
use super::names::{joined, split};
use super::output::ServerOutput;
use super::{LATEST, Server, VERSIONS};
use crate::service::{Boxed, Output, Service, Session};

pub(super) struct MergeSession {
    servers: Arc<[Server]>,
    sessions: Vec<Arc<dyn Session>>,
    client: Arc<dyn Output>,
}

/// The parameters by which a server is chosen.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chosen<'m> {
    #[serde(borrow, default)]
    name: Option<&'m RawValue>,
    #[serde(borrow, default)]
    task_id: Option<&'m RawValue>,
    #[serde(borrow, default)]
    uri: Option<Cow<'m, str>>,
}

/// How long a server may take to set the log level.
const LEVEL: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InitializeParams {
    protocol_version: String,
}

impl MergeSession {
    pub(super) fn new(servers: Arc<[Server]>, client: &Arc<dyn Output>) -> Self {
        let open = |(index, server): (usize, &Server)| {
            let output = Arc::new(ServerOutput::new(&servers, index, client));
            let session = server.bridge.open(Arc::clone(&output) as Arc<dyn Output>);
            output.attach(&session);
            session
        };
        let sessions = servers.iter().enumerate().map(open).collect();
        Self { servers, sessions, client: Arc::clone(client) }
    }

    async fn request(&self, request: Message) {
        let method = request.method().unwrap_or_default();
        let id = request.id().unwrap_or("0");
        let answer = match method {
            "initialize" => Ok(self.initialize(&request).await),
            "ping" => Ok(json!({})),
            "logging/setLevel" => {
                self.set_level(&request);
                Ok(json!({}))
            }
            "tools/call" | "prompts/get" => self.pass_by_name(&request).await,
            "resources/read" => self.pass_by_uri(&request).await,
            "tasks/get" | "tasks/result" | "tasks/cancel" | "tasks/update" => self.pass_by_task(&request).await,
            _ => match Kind::of_method(method) {
                Some(kind) => Ok(self.list(kind).await),
                None => Err((-32_601, format!("the proxy does not offer `{method}` with several servers"))),
            },
        };
        let response = match answer {
            // The server has answered.
            Ok(Value::Null) => return,
            Ok(result) => Message::result_of(id, &result.to_string()),
            Err((code, message)) => Message::error_of(id, code, &message, None),
        };
        self.client.send(response).await;
    }

    /// Answers for all servers, with the instructions of those that are up.
    async fn initialize(&self, request: &Message) -> Value {
        join_all(self.servers.iter().map(|server| server.bridge.settled())).await;
        let params: Option<InitializeParams> = request.read_params();
        let version = params.map(|params| params.protocol_version).filter(|it| VERSIONS.contains(&it.as_str()));
        let mut instructions = Vec::new();
        for server in &*self.servers {
            match server.bridge.instructions() {
                Ok(Some(text)) => instructions.push(format!("# {}\n\n{text}", server.name)),
                Ok(None) => {}
                Err(failure) => {
                    instructions.push(format!("# {}\n\nIt cannot be used at the moment: {failure}.", server.name));
                }
            }
        }
        let mut result = json!({
            "protocolVersion": version.as_deref().unwrap_or(LATEST),
            "capabilities": {
                "logging": {},
                "prompts": { "listChanged": true },
                "resources": { "listChanged": true },
                "tools": { "listChanged": true },
            },
            "serverInfo": { "name": "resilient-proxy", "version": env!("CARGO_PKG_VERSION") },
        });
        if !instructions.is_empty() {
            result["instructions"] = json!(instructions.join("\n\n"));
        }
        result
    }

    /// Joins the lists of all servers. The names of tools and prompts begin with that of the server.
    async fn list(&self, kind: Kind) -> Value {
        let lists = join_all(self.servers.iter().map(|server| server.lists.get(kind, &server.bridge))).await;
        let mut all = Vec::new();
        for (server, list) in self.servers.iter().zip(lists) {
            all.extend(list.into_iter().map(|mut item| {
                if matches!(kind, Kind::Tools | Kind::Prompts)
                    && let Some(name) = item["name"].as_str().map(|name| joined(&server.name, name))
                {
                    item["name"] = json!(name);
                }
                item
            }));
        }
        json!({ kind.member(): all })
    }

    /// Sets the level at the servers that log, and waits for none of them.
    fn set_level(&self, request: &Message) {
        let params: Value = request.read_params().unwrap_or_else(|| json!({}));
        for server in self.servers.iter().filter(|server| server.bridge.has_capability("logging")) {
            let (bridge, params) = (server.bridge.clone(), params.clone());
            tokio::spawn(async move { bridge.request("logging/setLevel", &params, LEVEL).await });
        }
    }

    /// Passes on a request that names a tool or a prompt.
    async fn pass_by_name(&self, request: &Message) -> Answer {
        let chosen = request.read_params::<Chosen<'_>>().and_then(|params| params.name);
        self.pass_to_named(request, chosen, "tool or prompt").await
    }

    async fn pass_by_task(&self, request: &Message) -> Answer {
        let chosen = request.read_params::<Chosen<'_>>().and_then(|params| params.task_id);
        self.pass_to_named(request, chosen, "task").await
    }

    /// Passes on a request to the server whose name begins `part`, without that name.
    async fn pass_to_named(&self, request: &Message, part: Option<&RawValue>, what: &str) -> Answer {
        let name: Option<String> = part.and_then(|part| serde_json::from_str(part.get()).ok());
        let Some((part, name)) = part.zip(name) else { return Err((-32_602, format!("the request names no {what}"))) };
        let found = split(&name).and_then(|(server, own)| Some((self.position(server)?, own)));
        let Some((index, own)) = found else {
            let servers: Vec<_> = self.servers.iter().map(|server| server.name.as_str()).collect();
            let servers = servers.join(", ");
            return Err((
                -32_602,
                format!("unknown {what}; expected `server__name` with one of the servers {servers}"),
            ));
        };
        let own = Value::String(own.to_owned()).to_string();
        self.pass(index, request.with_part(part.get(), &own)).await
    }

    /// Passes on a request for a resource: to the server that has listed it, or has a template for it.
    async fn pass_by_uri(&self, request: &Message) -> Answer {
        let uri = request.read_params::<Chosen<'_>>().and_then(|params| params.uri);
        let Some(uri) = uri else { return Err((-32_602, "the request names no resource".to_owned())) };
        if self.owner(&uri).is_none() {
            self.list(Kind::Resources).await;
            self.list(Kind::Templates).await;
        }
        match self.owner(&uri) {
            Some(index) => self.pass(index, request.clone()).await,
            None => Err((-32_002, "no server has listed this resource".to_owned())),
        }
    }

    fn owner(&self, uri: &str) -> Option<usize> {
        let listed = self.servers.iter().position(|server| server.lists.has_resource(uri));
        listed.or_else(|| self.servers.iter().position(|server| server.lists.has_template(uri)))
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.servers.iter().position(|server| server.name == name)
    }

    /// Passes a request to a server, which answers the client.
    async fn pass(&self, index: usize, request: Message) -> Answer {
        if let Some(session) = self.sessions.get(index) {
            session.handle(request).await;
        }
        Ok(Value::Null)
    }
}

/// A result, `null` if the server answers itself, or the code and the message of an error.
type Answer = Result<Value, (i32, String)>;

impl Session for MergeSession {
    fn handle(&self, message: Message) -> Boxed<'_, ()> {
        Box::pin(async move {
            match (message.kind(), message.method()) {
                (MessageKind::Request, _) => self.request(message).await,
                // Only the server that has the request acts.
                (MessageKind::Notification, Some("notifications/cancelled")) => {
                    for session in &self.sessions {
                        session.handle(message.clone()).await;
                    }
                }
                // The proxy has its own handshakes, and sends no requests.
                _ => {}
            }
        })
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async move {
            join_all(self.sessions.iter().map(|session| session.close())).await;
        })
    }
}
