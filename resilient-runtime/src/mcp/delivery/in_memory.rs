//! The in-memory transport of a server without a client: typed messages over channels.
//!
//! Requests keep the Rust values of their extensions, which no other transport carries.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, poll_fn, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequest, CancelledNotification, CancelledNotificationParam, ClientNotification, ClientRequest, ErrorData,
    JsonRpcMessage, RequestId, ServerResult,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::sync::{mpsc, oneshot};

/// What a server answers.
pub(super) type Response = Result<ServerResult, ErrorData>;

/// Creates a transport and the requester that sends requests through it.
pub(super) fn in_memory() -> (Requester, InMemory) {
    let (requests, inbound) = mpsc::unbounded_channel();
    let pending = Pending::default();
    (Requester { requests, pending: pending.clone(), ids: AtomicI64::new(0) }, InMemory { inbound, pending })
}

/// The requests without a response.
#[derive(Debug, Clone, Default)]
struct Pending(Arc<Mutex<HashMap<RequestId, oneshot::Sender<Response>>>>);

impl Pending {
    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, oneshot::Sender<Response>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends requests to a server on an in-memory transport.
#[derive(Debug)]
pub(super) struct Requester {
    requests: mpsc::UnboundedSender<RxJsonRpcMessage<RoleServer>>,
    pending: Pending,
    ids: AtomicI64,
}

impl Requester {
    /// Returns whether the server has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// Calls a tool. Returns `None` if the server has ended.
    pub(super) fn call_tool(&self, request: CallToolRequest) -> Option<PendingCall> {
        let id = RequestId::Number(self.ids.fetch_add(1, Ordering::Relaxed));
        let (sender, response) = oneshot::channel();
        let message = JsonRpcMessage::request(ClientRequest::CallToolRequest(request), id.clone());
        // Locked until it is sent: a transport that ends removes what it has received.
        let mut pending = self.pending.lock();
        self.requests.send(message).ok()?;
        pending.insert(id.clone(), sender);
        drop(pending);
        Some(PendingCall { id, response, requests: self.requests.clone(), pending: self.pending.clone() })
    }
}

/// A call without a response. Dropping it cancels the call.
#[derive(Debug)]
pub(super) struct PendingCall {
    id: RequestId,
    response: oneshot::Receiver<Response>,
    requests: mpsc::UnboundedSender<RxJsonRpcMessage<RoleServer>>,
    pending: Pending,
}

impl Future for PendingCall {
    /// `None` if the server has ended.
    type Output = Option<Response>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.response).poll(cx).map(Result::ok)
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        if self.pending.lock().remove(&self.id).is_some() {
            let cancelled = CancelledNotificationParam::new(Some(self.id.clone()), None);
            let cancelled = ClientNotification::CancelledNotification(CancelledNotification::new(cancelled));
            let _ = self.requests.send(JsonRpcMessage::notification(cancelled));
        }
    }
}

/// The transport that the server is served on.
#[derive(Debug)]
pub(super) struct InMemory {
    inbound: mpsc::UnboundedReceiver<RxJsonRpcMessage<RoleServer>>,
    pending: Pending,
}

impl InMemory {
    fn end(&mut self) {
        self.inbound.close();
        self.pending.lock().clear();
    }
}

impl Transport<RoleServer> for InMemory {
    type Error = Infallible;

    /// Passes a response on. Notifications are dropped, because there is no client; rmcp itself refuses to send requests
    /// to a peer with the protocol version of this one.
    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
        let (id, response) = match item {
            JsonRpcMessage::Response(response) => (Some(response.id), Ok(response.result)),
            JsonRpcMessage::Error(error) => (error.id, Err(error.error)),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => return ready(Ok(())),
        };
        let sender = id.and_then(|id| self.pending.lock().remove(&id));
        if let Some(sender) = sender {
            let _ = sender.send(response);
        }
        ready(Ok(()))
    }

    fn receive(&mut self) -> impl Future<Output = Option<RxJsonRpcMessage<RoleServer>>> + Send {
        poll_fn(|cx| self.inbound.poll_recv(cx))
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Infallible>> + Send {
        self.end();
        ready(Ok(()))
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        self.end();
    }
}
