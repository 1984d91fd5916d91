//! The stream in which the server sends messages that belong to no request.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::sleep;

use crate::lines::MAX_MESSAGE;
use crate::link::Receive;
use crate::link::http::body::is_event_stream;
use crate::link::http::client::root;
use crate::link::http::events::Events;
use crate::link::http::failure::retry_after;
use crate::link::http::wire::Wire;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The shortest and longest wait that a server can set.
const REQUESTED_WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(300));

/// Passes the messages of the stream to the receiver, and connects again after each loss. Returns, if the server does
/// not offer such a stream or has ended the session.
pub(super) async fn listen<R: Receive>(wire: &Wire<R>) {
    let mut last_id: Option<Vec<u8>> = None;
    let mut retry = None;
    let mut wait = FIRST_WAIT;
    let mut is_offered = false;
    loop {
        let mut requested: Option<Duration> = retry;
        let mut is_progress = false;
        match wire.get(last_id.as_deref()).await {
            Ok(response) if response.status().is_success() => {
                if !is_event_stream(&response) {
                    return;
                }
                is_offered = true;
                let mut events = Events::new(response, MAX_MESSAGE);
                let lost = loop {
                    match events.next().await {
                        Ok(Some(event)) => {
                            is_progress = true;
                            wire.pass_event(event).await;
                        }
                        Ok(None) => break None,
                        Err(error) => break Some(root(&error)),
                    }
                };
                tracing::debug!(why = lost, "the stream of the server ended");
                last_id = events.last_id().map(<[u8]>::to_vec).or(last_id);
                retry = events.retry().or(retry);
                requested = retry;
            }
            Ok(response) if is_temporary(response.status()) => requested = retry_after(response.headers()).or(retry),
            // The server may not know the event any more, and starts a new stream.
            Ok(response) if response.status() == StatusCode::BAD_REQUEST && last_id.is_some() => last_id = None,
            Ok(response) => {
                // A server without such a stream may also answer with these.
                if is_offered && response.status() == StatusCode::NOT_FOUND {
                    let status = response.status().as_u16();
                    wire.pass_loss(&format!("the server does not know the session (HTTP status {status})")).await;
                }
                return;
            }
            Err(error) => tracing::debug!(why = root(&error), "the stream of the server cannot be opened"),
        }
        let requested = requested.map(|requested| requested.clamp(REQUESTED_WAITS.0, REQUESTED_WAITS.1));
        if is_progress {
            wait = FIRST_WAIT;
            sleep(requested.unwrap_or(wait)).await;
        } else {
            sleep(requested.unwrap_or(wait).max(wait)).await;
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

fn is_temporary(status: StatusCode) -> bool {
    let may_pass = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED || may_pass.contains(&status)
}
