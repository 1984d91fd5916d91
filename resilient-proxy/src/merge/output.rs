//! The way from one server to a client of the merge: names in answers are changed, and what is not offered is refused.

use std::sync::{Arc, Weak};

use resilient_client::{Message, MessageKind};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Server;
use super::lists::Kind;
use super::names::joined;
use crate::service::{Boxed, Output, Session};

/// Takes what one server sends to one client.
pub(super) struct ServerOutput {
    servers: Arc<[Server]>,
    index: usize,
    client: Arc<dyn Output>,
    /// The session with the server, which answers its requests.
    session: std::sync::OnceLock<Weak<dyn Session>>,
}

#[derive(Deserialize)]
struct TaskResult<'m> {
    #[serde(borrow)]
    task: Task<'m>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task<'m> {
    #[serde(borrow)]
    task_id: &'m RawValue,
}

impl ServerOutput {
    pub(super) fn new(servers: &Arc<[Server]>, index: usize, client: &Arc<dyn Output>) -> Self {
        let (servers, client) = (Arc::clone(servers), Arc::clone(client));
        Self { servers, index, client, session: std::sync::OnceLock::new() }
    }

    pub(super) fn attach(&self, session: &Arc<dyn Session>) {
        let _ = self.session.set(Arc::downgrade(session));
    }

    fn server(&self) -> Option<&Server> {
        self.servers.get(self.index)
    }
}

impl Output for ServerOutput {
    fn send(&self, message: Message) -> Boxed<'_, ()> {
        Box::pin(async move {
            match message.kind() {
                MessageKind::Request => {
                    let session = self.session.get().and_then(Weak::upgrade);
                    if let (Some(session), Some(id)) = (session, message.id()) {
                        let refused = Message::error_of(id, -32_601, "the proxy does not offer this method", None);
                        session.handle(refused).await;
                    }
                }
                MessageKind::Notification => {
                    let changed = Kind::changed_by(message.method().unwrap_or_default());
                    if let Some(server) = self.server() {
                        server.lists.change(changed);
                    }
                    self.client.send(message).await;
                }
                MessageKind::Response => self.client.send(self.with_task(message)).await,
            }
        })
    }
}

impl ServerOutput {
    /// Puts the name of the server in front of the id of a task that the response has created.
    fn with_task(&self, response: Message) -> Message {
        let Some(server) = self.server() else { return response };
        // Most results are no tasks, and are not read.
        if !response.result().is_some_and(|result| result.contains("\"taskId\"")) {
            return response;
        }
        let Some(TaskResult { task }) = response.read_result() else { return response };
        let Ok(id) = serde_json::from_str::<String>(task.task_id.get()) else { return response };
        let id = serde_json::Value::String(joined(&server.name, &id)).to_string();
        response.with_part(task.task_id.get(), &id)
    }
}
