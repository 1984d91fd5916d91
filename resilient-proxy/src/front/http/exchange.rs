//! The answer to a `POST` with requests.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use resilient_client::Message;
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::select;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::front::http::events::EventStream;
use crate::front::http::outbox::Reader;
use crate::front::http::queue::Event;
use crate::front::http::refusal::{
    HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, UNSUPPORTED_VERSION,
};
use crate::service::Boxed;

/// The time for the first message, after which the client gets an event stream, whose comments show that the
/// connection works.
pub(super) const LONGEST_SILENCE: Duration = Duration::from_secs(5);
const MISSING_CAPABILITY: i32 = -32_021;

/// The handling of requests by the service.
pub(super) struct Handling {
    future: Option<Boxed<'static, ()>>,
    /// Whether it continues if it is dropped: a client with a session that disconnects has not cancelled its request.
    continues: bool,
}

impl Handling {
    /// Handles requests until `end`. The future is polled in place, because a task would cost two switches for each
    /// request.
    pub(super) fn new(
        future: impl Future<Output = ()> + Send + 'static,
        end: CancellationToken,
        continues: bool,
    ) -> Self {
        let future = Box::pin(async move { end.run_until_cancelled_owned(future).await.unwrap_or(()) });
        Self { future: Some(future), continues }
    }
}

impl Future for Handling {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(future) = &mut self.future {
            ready!(future.as_mut().poll(context));
            self.future = None;
        }
        Poll::Ready(())
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        if let (true, Some(future), Ok(runtime)) = (self.continues, self.future.take(), Handle::try_current()) {
            runtime.spawn(future);
        }
    }
}

/// A `POST` with requests that the service handles.
pub(super) struct Exchange {
    pub(super) reader: Reader,
    pub(super) handling: Handling,
    /// Whether the client accepts an event stream. Else it gets the responses alone.
    pub(super) takes_events: bool,
    pub(super) is_batch: bool,
    pub(super) kind: Kind,
    /// Ends the event stream.
    pub(super) end: CancellationToken,
    /// Dropped after the answer, or when the client disconnects.
    pub(super) held: Box<dyn Send>,
}

/// What the answer looks like.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// The client can resume the event stream.
    Session {
        /// Whether the client understands an event without a message.
        takes_opening: bool,
    },
    /// Errors have the status that the protocol version without sessions gives them.
    Modern {
        /// Whether the request lacks metadata.
        lacks_metadata: bool,
    },
}

/// What the client gets.
pub(super) enum Answer {
    /// The response of one request.
    Response(Event),
    /// All responses of a client that does not accept event streams.
    Responses(Vec<Event>),
    /// An event stream.
    Stream(Option<Event>),
    /// The requests were cancelled, or the session has ended.
    Nothing,
}

impl Exchange {
    /// Waits until it is clear what the client gets.
    pub(super) async fn answer(&mut self) -> Answer {
        if !self.takes_events {
            return self.responses().await;
        }
        let first = select! {
            biased;
            first = self.reader.next() => first,
            () = &mut self.handling => self.reader.next().await,
            () = sleep(LONGEST_SILENCE) => return Answer::Stream(None),
        };
        match first {
            Some(event) if event.is_response() && !self.is_batch => {
                // What the service still does after its response is not to be cancelled.
                self.handling.continues = true;
                Answer::Response(event)
            }
            Some(event) => Answer::Stream(Some(event)),
            None => Answer::Nothing,
        }
    }

    async fn responses(&mut self) -> Answer {
        let mut responses = Vec::new();
        let mut is_handled = false;
        loop {
            select! {
                biased;
                event = self.reader.next() => match event {
                    Some(event) => responses.push(event),
                    None => break,
                },
                () = &mut self.handling, if !is_handled => is_handled = true,
            }
        }
        match responses.pop() {
            Some(only) if !self.is_batch => Answer::Response(only),
            Some(last) => {
                responses.push(last);
                Answer::Responses(responses)
            }
            None => Answer::Nothing,
        }
    }

    /// Builds the HTTP response.
    pub(super) fn respond(self, answer: Answer) -> Response {
        match answer {
            Answer::Response(event) => {
                let status = match self.kind {
                    Kind::Session { .. } => StatusCode::OK,
                    Kind::Modern { lacks_metadata } => status_of(&event.message, lacks_metadata),
                };
                json(status, Bytes::from_owner(Text(event)))
            }
            Answer::Responses(events) => {
                let texts: Vec<_> = events.iter().map(|event| event.message.text()).collect();
                json(StatusCode::OK, format!("[{}]", texts.join(",")).into())
            }
            Answer::Stream(first) => self.stream(first),
            Answer::Nothing if self.takes_events => self.stream(None),
            Answer::Nothing => StatusCode::NO_CONTENT.into_response(),
        }
    }

    fn stream(self, first: Option<Event>) -> Response {
        let Self { reader, handling, kind, end, held, .. } = self;
        match kind {
            Kind::Session { takes_opening } => {
                reader.make_resumable(first.as_ref());
                let opening = (takes_opening && first.is_none()).then(|| reader.position());
                // It continues in a task: the client may read slowly, or disconnect and resume.
                drop(handling);
                EventStream { reader, opening, first, has_ids: true, end, task: None, _held: held }
            }
            Kind::Modern { .. } => {
                // If the client disconnects, the task is aborted, which cancels the request.
                let task = Some(AbortOnDropHandle::new(tokio::spawn(handling)));
                EventStream { reader, opening: None, first, has_ids: false, end, task, _held: held }
            }
        }
        .into_response()
    }
}

fn json(status: StatusCode, body: Bytes) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
}

/// A message as the body of a response, without a copy.
struct Text(Event);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.message.text().as_bytes()
    }
}

/// Returns the status of a response in the era without sessions.
fn status_of(response: &Message, lacks_metadata: bool) -> StatusCode {
    #[derive(Deserialize)]
    struct Code {
        code: i32,
    }
    let code = response.error().and_then(|error| serde_json::from_str::<Code>(error).ok());
    match code.map(|read| read.code) {
        Some(PARSE_ERROR | INVALID_REQUEST | HEADER_MISMATCH | MISSING_CAPABILITY | UNSUPPORTED_VERSION) => {
            StatusCode::BAD_REQUEST
        }
        Some(INVALID_PARAMS) if lacks_metadata => StatusCode::BAD_REQUEST,
        Some(METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    }
}
