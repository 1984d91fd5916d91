//! The way from one server to a client of the merge: names in answers are changed, and what is not offered is refused.

use std::sync::{Arc, Weak};

use resilient_client::{Message, MessageKind};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio_util::task::TaskTracker;

use super::Server;
use super::names::joined;
use crate::service::{Boxed, Output, Session};

/// Takes what one server sends to one client.
pub(super) struct ServerOutput {
    servers: Arc<[Server]>,
    index: usize,
    client: Arc<dyn Output>,
    /// The session with the server, which answers its requests.
    session: std::sync::OnceLock<Weak<dyn Session>>,
    /// The refusals that are being sent.
    refusals: TaskTracker,
}

/// The maximum number of refusals that wait for a server to read them. Further requests get none.
const REFUSALS: usize = 100;

/// The places of a result, or of the parameters of a notification, that may name a task.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WithTasks<'m> {
    #[serde(borrow, default)]
    task: Option<Task<'m>>,
    #[serde(borrow, default)]
    task_id: Option<&'m RawValue>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<TaskMeta<'m>>,
}

#[derive(Deserialize)]
struct TaskMeta<'m> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/related-task")]
    related: Option<Task<'m>>,
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
        Self { servers, index, client, session: std::sync::OnceLock::new(), refusals: TaskTracker::new() }
    }

    pub(super) fn attach(&self, session: &Arc<dyn Session>) {
        let _ = self.session.set(Arc::downgrade(session));
    }
}

impl Output for ServerOutput {
    fn send(&self, message: Message) -> Boxed<'_, ()> {
        Box::pin(async move {
            match message.kind() {
                MessageKind::Request => self.refuse(&message),
                MessageKind::Notification | MessageKind::Response => {
                    let message = match self.servers.get(self.index) {
                        Some(server) => with_tasks(&server.name, message),
                        None => message,
                    };
                    self.client.send(message).await;
                }
            }
        })
    }
}

impl ServerOutput {
    /// Refuses a request of the server, in a task: a server that writes a long message may read only after it.
    fn refuse(&self, request: &Message) {
        let session = self.session.get().and_then(Weak::upgrade);
        if let (Some(session), Some(id)) = (session, request.id())
            && self.refusals.len() < REFUSALS
        {
            let refused = Message::error_of(id, -32_601, "the proxy does not offer this method", None);
            self.refusals.spawn(async move { session.handle(refused).await });
        }
    }
}

/// Puts the name of the server in front of the ids of tasks.
fn with_tasks(server: &str, message: Message) -> Message {
    // Most messages name no task, and are not read.
    if !message.text().contains("\"taskId\"") {
        return message;
    }
    PLACES.iter().fold(message, |message, place| {
        let read = message.read_result::<WithTasks<'_>>().or_else(|| message.read_params());
        let Some(id) = read.and_then(|read| place(&read)) else { return message };
        let Ok(own) = serde_json::from_str::<String>(id.get()) else { return message };
        message.with_part(id.get(), &json!(joined(server, &own)).to_string())
    })
}

type Place = for<'m> fn(&WithTasks<'m>) -> Option<&'m RawValue>;

/// Where messages name a task.
const PLACES: [Place; 3] = [
    |read| read.task.as_ref().map(|task| task.task_id),
    |read| read.task_id,
    |read| read.meta.as_ref()?.related.as_ref().map(|task| task.task_id),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_of_a_task_begins_with_its_server() {
        let related = r#"{"io.modelcontextprotocol/related-task":{"taskId":"7"}}"#;
        for (sent, expected) in [
            (r#"{"id":1,"result":{"task":{"taskId":"7"}}}"#, r#"{"id":1,"result":{"task":{"taskId":"a__7"}}}"#),
            (
                r#"{"id":1,"result":{"taskId":"7","status":"working"}}"#,
                r#"{"id":1,"result":{"taskId":"a__7","status":"working"}}"#,
            ),
            (
                r#"{"method":"notifications/tasks/status","params":{"taskId":"7"}}"#,
                r#"{"method":"notifications/tasks/status","params":{"taskId":"a__7"}}"#,
            ),
            (r#"{"id":1,"result":{"content":[{"taskId":"7"}]}}"#, r#"{"id":1,"result":{"content":[{"taskId":"7"}]}}"#),
            (
                &format!(r#"{{"id":1,"result":{{"taskId":"7","_meta":{related}}}}}"#),
                &format!(r#"{{"id":1,"result":{{"taskId":"a__7","_meta":{}}}}}"#, related.replace('7', "a__7")),
            ),
        ] {
            assert_eq!(with_tasks("a", Message::parse(sent).unwrap()).text(), expected);
        }
    }
}
