//! Responses that are event streams.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::select;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::front::http::outbox::Reader;
use crate::front::http::queue::{Event, EventId};
use crate::front::http::request::EVENT_STREAM;

/// The time without an event after which a comment shows that the connection works, and finds out whether it does.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// An event stream.
pub(super) struct EventStream {
    pub(super) reader: Reader,
    /// An event without a message, so that the client knows from where to resume.
    pub(super) opening: Option<EventId>,
    /// An event that was read before.
    pub(super) first: Option<Event>,
    pub(super) has_ids: bool,
    /// Ends the stream.
    pub(super) end: CancellationToken,
    /// What handles the request. It is aborted if the client disconnects, but not after the last response.
    pub(super) task: Option<AbortOnDropHandle<()>>,
    /// Dropped when the stream ends, or when the client disconnects.
    pub(super) _held: Box<dyn Send>,
}

impl EventStream {
    pub(super) fn into_response(self) -> Response {
        let body = Body::from_stream(unfold(self, |mut stream| async move {
            let frame = stream.next().await?;
            Some((Ok::<_, Infallible>(frame), stream))
        }));
        let headers = [(CONTENT_TYPE, EVENT_STREAM), (CACHE_CONTROL, "no-cache")];
        // Buffering proxies such as nginx would keep the events back.
        let unbuffered = [("x-accel-buffering", "no")];
        (headers, unbuffered, body).into_response()
    }

    async fn next(&mut self) -> Option<Bytes> {
        if let Some(id) = self.opening.take() {
            return Some(format!("id: {id}\ndata:\n\n").into());
        }
        if let Some(first) = self.first.take() {
            return Some(self.frame(&first));
        }
        select! {
            biased;
            event = self.reader.next() => {
                let frame = event.map(|event| self.frame(&event));
                if let Some(task) = self.task.take_if(|_| frame.is_none()) {
                    drop(task.detach());
                }
                frame
            }
            () = self.end.cancelled() => None,
            () = sleep(KEEP_ALIVE) => Some(Bytes::from_static(b":\n\n")),
        }
    }

    fn frame(&self, event: &Event) -> Bytes {
        let text = event.message.text();
        let mut frame = String::with_capacity(text.len() + 48);
        if self.has_ids {
            // Writing to a string does not fail.
            let _ = writeln!(frame, "id: {}", event.id);
        }
        // A line break in JSON is white space; a line of an event ends there.
        for line in text.split(['\n', '\r']).filter(|line| !line.is_empty()) {
            frame.push_str("data: ");
            frame.push_str(line);
            frame.push('\n');
        }
        frame.push('\n');
        frame.into()
    }
}
