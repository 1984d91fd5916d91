//! rmcp's transport on a supervised connection.

use std::sync::Arc;

use resilient_runtime::ErrorKind;
use rmcp::RoleClient;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::events::ConnectionEvents;
use crate::call::{CallSettings, Caller};
use crate::failure::Failure;
use crate::link::any::Target;
use crate::message::{Message, MessageKind};
use crate::session::ClientSession;
use crate::supervisor::{Supervisor, SupervisorSettings};

/// The number of messages of the server that wait for rmcp's client, before the connection waits.
const WAITING: usize = 256;

/// A transport for rmcp's client that survives restarts of the server.
///
/// Every request gets a response, so that the client does not see a lost connection: it sees the calls that failed.
pub struct SupervisedTransport {
    session: Arc<ClientSession<ConnectionEvents>>,
    incoming: mpsc::Receiver<Message>,
    stop: CancellationToken,
    /// Ends the requests that are under way.
    _stop: DropGuard,
}

#[derive(Deserialize)]
struct Listing<'m> {
    #[serde(borrow, default)]
    cursor: Option<&'m RawValue>,
}

impl SupervisedTransport {
    pub(super) fn start(name: &str, target: Target, settings: SupervisorSettings, calls: CallSettings) -> Self {
        let (sender, incoming) = mpsc::channel(WAITING);
        let supervisor = Supervisor::start(name, target, settings, ConnectionEvents::new(sender));
        let session = Arc::new(ClientSession::new(Arc::new(Caller::new(supervisor, calls))));
        session.caller().supervisor().events().attach(&session);
        let stop = CancellationToken::new();
        Self { session, incoming, _stop: stop.clone().drop_guard(), stop }
    }

    pub(super) fn supervisor(&self) -> &Supervisor<ConnectionEvents> {
        self.session.caller().supervisor()
    }

    /// Sends a request in a task. Its response is received like everything else.
    fn request(&self, request: Message) {
        let lists = request.method() == Some("tools/list");
        let is_first = lists && request.read_params::<Listing<'_>>().is_none_or(|params| params.cursor.is_none());
        // From here on, it can be cancelled.
        let response = self.session.request(request);
        let (session, stop) = (Arc::clone(&self.session), self.stop.clone());
        tokio::spawn(async move {
            let response = tokio::select! {
                response = response => response,
                () = stop.cancelled() => None,
            };
            let events = session.caller().supervisor().events();
            let Some(response) = response else { return };
            if let Some(result) = response.result().filter(|_| lists) {
                events.known_tools().passed(result, is_first);
            }
            events.pass(response).await;
        });
    }
}

impl Transport<RoleClient> for SupervisedTransport {
    type Error = Failure;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Failure>> + Send + 'static {
        let message = serde_json::to_string(&item).ok().and_then(|text| Message::parse(text).ok());
        let session = Arc::clone(&self.session);
        let rest = match message {
            Some(message) if message.kind() == MessageKind::Request => {
                self.request(message);
                Ok(None)
            }
            Some(message) => Ok(Some(message)),
            None => Err(Failure::not_sent(ErrorKind::Internal, "the message cannot be written as JSON-RPC")),
        };
        async move {
            let Some(message) = rest? else { return Ok(()) };
            let supervisor = session.caller().supervisor();
            if message.kind() == MessageKind::Response {
                if let Some((response, connection)) = supervisor.events().answered(&message) {
                    supervisor.respond(&response, connection).await;
                }
                return Ok(());
            }
            match session.notify(&message).await {
                // It follows with the next connection.
                Err(_) if message.method() == Some("notifications/initialized") => Ok(()),
                sent => sent,
            }
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            let message = self.incoming.recv().await?;
            let error = match serde_json::from_str(message.text()) {
                Ok(read) => return Some(read),
                Err(error) => error,
            };
            tracing::warn!(event = "server.unreadable", method = message.method(), %error, "rmcp cannot read a message");
            // A request that gets no response would not end.
            if message.kind() == MessageKind::Response {
                let id = message.id().unwrap_or("0");
                let unreadable = Message::error_of(id, -32_000, "the response of the server cannot be read", None);
                if let Ok(read) = serde_json::from_str(unreadable.text()) {
                    return Some(read);
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Failure> {
        self.session.cancel_all();
        self.stop.cancel();
        self.supervisor().stop().await;
        Ok(())
    }
}
