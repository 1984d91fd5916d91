//! One attempt to connect: a link and its handshake. And the check of a connection that may hang.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use resilient_runtime::ErrorKind;
use serde_json::json;
use tokio::time::timeout;

use super::Events;
use super::inner::{Inner, Receiver};
use crate::failure::Failure;
use crate::link::any::{Link, Target};
use crate::message::Message;

/// How long a connection has to last until it counts as a success, if it is not used.
const PROVEN_AFTER: Duration = Duration::from_secs(10);

/// Connects, and waits until the connection is proven: it has answered a request, or lasts. Returns its number.
///
/// # Errors
/// If there is no connection, or if it is lost before it is proven.
pub(super) async fn connect<E: Events>(inner: &Arc<Inner<E>>) -> Result<u64, Failure> {
    let closed = || Failure::not_sent(ErrorKind::Cancelled, "the connection is closed");
    let generation = inner.state().begin().ok_or_else(closed)?;
    inner.change();
    inner.shown.connecting();
    inner.is_proven.store(false, Ordering::Relaxed);
    let receiver = Receiver { inner: Arc::downgrade(inner), generation };
    let link = Arc::new(Link::open(&inner.target, Arc::new(receiver))?);
    if !inner.state().open(generation, &link) {
        return Err(closed());
    }
    let again = handshake(inner, &link, generation);
    match timeout(inner.settings.handshake, again).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => return Err(failure),
        Err(_) => return Err(Failure::no_handshake(inner.settings.handshake)),
    }
    if !inner.state().ready(generation) {
        return Err(inner.state().failure());
    }
    inner.change();
    inner.shown.up();
    tracing::info!(event = "server.connected", server = &*inner.name, connection = generation);
    let has_waiting_client = inner.replay().has_waiting_client();
    if has_waiting_client {
        inner.events.reconnected();
    }
    drop(link);
    prove(inner, generation).await.map(|()| generation)
}

/// Waits until the connection is proven or lost.
async fn prove<E: Events>(inner: &Inner<E>, generation: u64) -> Result<(), Failure> {
    let mut changed = inner.changed.subscribe();
    let lasts = tokio::time::sleep(PROVEN_AFTER);
    tokio::pin!(lasts);
    loop {
        if !inner.is_open(generation) {
            return Err(inner.state().failure());
        }
        if inner.is_proven.load(Ordering::Relaxed) {
            return Ok(());
        }
        tokio::select! {
            () = &mut lasts => return Ok(()),
            // The sender is in `inner`.
            _ = changed.changed() => {}
        }
    }
}

/// Repeats the handshake of the client, its log level and its subscriptions.
async fn handshake<E: Events>(
    inner: &Arc<Inner<E>>,
    link: &Arc<Link<Receiver<E>>>,
    generation: u64,
) -> Result<(), Failure> {
    let replay = inner.replay().clone();
    let Some(initialize) = replay.initialize() else { return Ok(()) };
    let sent = inner.exchange(link, generation, &initialize.with_id(&inner.own_id())).await;
    let response = match sent {
        Ok(answered) => answered?,
        Err(error) => return Err(inner.not_delivered(generation, error).await),
    };
    if let Some(error) = response.error() {
        let error = resilient_runtime::redact::text(&error.chars().take(300).collect::<String>());
        return Err(Failure::not_sent(ErrorKind::Unavailable, format!("the server refused the handshake: {error}")));
    }
    inner.replay().initialized_again(response, generation);
    inner.announce(link, generation).await;
    for (method, params) in replay.rest() {
        let request = Message::request(&inner.own_id(), method, &params);
        let response = inner.exchange(link, generation, &request).await??;
        if response.error().is_some() {
            tracing::warn!(
                event = "server.not_restored",
                server = &*inner.name,
                method,
                "refused after a new handshake"
            );
        }
    }
    Ok(())
}

/// Replaces a server process that sends nothing, if it has no other request: a server that runs one request at a time may
/// be busy with that one.
pub(super) fn probe<E: Events>(inner: &Arc<Inner<E>>) {
    let Some((generation, link)) = inner.state().up() else { return };
    if !matches!(inner.target, Target::Command(_)) || inner.is_probing.swap(true, Ordering::Relaxed) {
        return;
    }
    let inner = Arc::clone(inner);
    tokio::spawn(async move {
        inner.was_heard.store(false, Ordering::Relaxed);
        let ping = Message::request(&inner.own_id(), "ping", &json!({}));
        let answer = timeout(inner.settings.silence, inner.exchange(&link, generation, &ping)).await;
        inner.is_probing.store(false, Ordering::Relaxed);
        let is_silent = answer.is_err() && !inner.was_heard.load(Ordering::Relaxed);
        if is_silent && inner.pending.is_idle() {
            let silence = inner.settings.silence.as_secs();
            let message = format!("the server process sent nothing for {silence} s and was replaced");
            inner.lose(generation, &Failure::sent(ErrorKind::Timeout, message));
        }
    });
}
