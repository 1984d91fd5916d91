//! One message that the link sends, and what comes back.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::select;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::lines::MAX_MESSAGE;
use crate::link::http::body::{self, Body, is_event_stream};
use crate::link::http::client::root;
use crate::link::http::events::{Event, Events};
use crate::link::http::failure;
use crate::link::http::session::Prepared;
use crate::link::http::wire::{Wire, is_response_to, read};
use crate::link::{Receive, SendError};
use crate::message::{Message, MessageKind};

/// How much of a body without JSON is read to explain a status.
const EXPLANATION: usize = 4096;

/// How long the rest of a stream may take after the response. After its end the connection can be used again.
const REST_TIMEOUT: Duration = Duration::from_millis(250);

/// How often a stream is resumed that brings nothing new.
const MOST_TRIES: u32 = 3;
/// How long the link tries to resume a stream, after the first wait.
const RESUME_TIMEOUT: Duration = Duration::from_secs(10);
/// The wait before the first try. It doubles with each one, unless the server sets it.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait that a server can set.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Sends a message. Returns after its response was passed to the receiver, or the server has accepted it.
pub(super) async fn exchange<R: Receive>(wire: &Arc<Wire<R>>, message: &Message) -> Result<(), SendError> {
    let Prepared { headers, has_session, is_modern } = wire.session().prepare(message);
    let sent = wire.post(message, headers).await;
    let response = sent.map_err(|error| failure::transport(&wire.origin(), &error))?;
    if !response.status().is_success() {
        return refused(wire, message, response, has_session).await;
    }
    if message.kind() != MessageKind::Request {
        return Ok(());
    }
    if message.method() == Some("initialize") {
        wire.session().begin(response.headers());
    }
    if is_event_stream(&response) {
        streamed(wire, message, response, !is_modern).await
    } else {
        whole(wire, message, response).await
    }
}

/// Reads a body that is one message or a batch.
async fn whole<R: Receive>(wire: &Wire<R>, request: &Message, mut response: Response) -> Result<(), SendError> {
    let status = response.status();
    let received = body::read(&mut response, MAX_MESSAGE).await;
    match received.map_err(|error| failure::transport(&wire.origin(), &error))? {
        Body::TooLong { start, bytes } => {
            wire.pass_junk(&start, bytes).await;
            Err(failure::too_long())
        }
        Body::Whole(data) if data.is_empty() => Err(failure::unanswered(status, &data)),
        Body::Whole(data) => match read(data) {
            Ok(messages) => {
                let is_answered = wire.pass_messages(messages, Some(request)).await;
                is_answered.then_some(()).ok_or_else(|| failure::unanswered(status, b""))
            }
            Err(data) => {
                wire.pass_junk(&data, data.len()).await;
                Err(failure::unanswered(status, &data))
            }
        },
    }
}

/// Reads a stream of events up to the response. Resumes it, if the server supports that.
async fn streamed<R: Receive>(
    wire: &Arc<Wire<R>>,
    request: &Message,
    response: Response,
    can_resume: bool,
) -> Result<(), SendError> {
    let mut events = Events::new(response, MAX_MESSAGE);
    let (mut last_id, mut retry): (Option<Vec<u8>>, _) = (None, None);
    let mut tries = 0;
    loop {
        let begun = Instant::now();
        let why = loop {
            match events.next().await {
                Ok(Some(Event::Data(data))) => {
                    if wire.pass(data, Some(request)).await {
                        read_rest(wire, events);
                        return Ok(());
                    }
                }
                Ok(Some(event @ Event::TooLong { .. })) => {
                    wire.pass_event(event).await;
                    return Err(failure::too_long());
                }
                Ok(None) => break "the server closed it".to_owned(),
                Err(error) => break root(&error),
            }
        };
        let is_progress = events.last_id().is_some() || begun.elapsed() > RESUME_TIMEOUT;
        if is_progress {
            tries = 0;
        }
        last_id = events.last_id().map(<[u8]>::to_vec).or(last_id);
        retry = events.retry().or(retry);
        let resumed = match &last_id {
            Some(id) if can_resume => resume(wire, id, retry, &mut tries).await,
            _ => return Err(failure::lost(&why)),
        };
        events = resumed.ok_or_else(|| failure::lost(&format!("{why}, and it could not be resumed")))?;
    }
}

/// Opens the stream again after an event. Returns `None`, if that does not succeed.
async fn resume<R: Receive>(
    wire: &Wire<R>,
    last_id: &[u8],
    retry: Option<Duration>,
    tries: &mut u32,
) -> Option<Events> {
    let mut deadline = None;
    while *tries < MOST_TRIES {
        let wait = retry.unwrap_or_else(|| FIRST_WAIT * 2_u32.pow(*tries)).clamp(FIRST_WAIT, LONGEST_WAIT);
        *tries += 1;
        sleep(wait).await;
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + RESUME_TIMEOUT);
        match timeout_at(deadline, wire.get(Some(last_id))).await.ok()? {
            Ok(response) if response.status().is_success() => {
                return is_event_stream(&response).then(|| Events::new(response, MAX_MESSAGE));
            }
            Ok(response) if !response.status().is_server_error() => return None,
            Ok(_) | Err(_) => {}
        }
    }
    None
}

/// Reads what follows a response. A connection that is dropped before the end of a body cannot be used again.
fn read_rest<R: Receive>(wire: &Arc<Wire<R>>, mut events: Events) {
    let wire = Arc::clone(wire);
    tokio::spawn(async move {
        let rest = async {
            while let Ok(Some(event)) = events.next().await {
                wire.pass_event(event).await;
            }
        };
        select! {
            _ = timeout(REST_TIMEOUT, rest) => {}
            () = wire.stop().cancelled() => {}
        }
    });
}

/// Handles the status of an error. It may be an answer nevertheless: a JSON-RPC response.
async fn refused<R: Receive>(
    wire: &Wire<R>,
    message: &Message,
    mut response: Response,
    has_session: bool,
) -> Result<(), SendError> {
    let status = response.status();
    let limit = if body::is_type(&response, "application/json") { MAX_MESSAGE } else { EXPLANATION };
    let data = body::read_beginning(&mut response, limit).await;
    // For these, the status says more than the body: that nothing was processed, and what to do.
    let is_by_status = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::NOT_FOUND => has_session,
        _ => false,
    };
    let is_about_session = status == StatusCode::BAD_REQUEST && has_session && failure::is_about_session(&data);
    if !is_by_status && let Some(answer) = answer(message, status, is_about_session, &data) {
        wire.pass_messages(answer, Some(message)).await;
        return Ok(());
    }
    Err(failure::refused(status, response.headers(), &data, has_session))
}

/// Returns the messages in the body of an error, if they answer the request.
fn answer(request: &Message, status: StatusCode, is_about_session: bool, body: &[u8]) -> Option<Vec<Message>> {
    let id = request.id()?;
    if request.kind() != MessageKind::Request {
        return None;
    }
    if let Ok(messages) = read(body.to_vec())
        && messages.iter().any(|message| is_response_to(message, request))
    {
        return Some(messages);
    }
    if !status.is_client_error() {
        return None;
    }
    // A server of the legacy era rejects this request before it reads its id. The client needs the rejection, because
    // it says that `initialize` is expected.
    let needs_rejection = request.method() == Some("server/discover");
    let rejection = match Rejection::of(body) {
        Some(rejection) if needs_rejection || (rejection.has_no_id() && !is_about_session) => rejection.response(id),
        _ => None,
    };
    let rejection = rejection.or_else(|| {
        let text = format!("the server rejected the request (HTTP status {})", status.as_u16());
        needs_rejection.then(|| Message::error_of(id, -32600, &text, None))
    });
    rejection.map(|rejection| vec![rejection])
}

/// The error of a server that has rejected a request before it read the id.
#[derive(Deserialize)]
struct Rejection<'b> {
    #[serde(borrow, default)]
    id: Option<&'b RawValue>,
    #[serde(borrow)]
    error: &'b RawValue,
}

impl<'b> Rejection<'b> {
    /// Reads a body. Returns `None` if it has no JSON-RPC error.
    fn of(body: &'b [u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Complete<'b> {
            #[serde(rename = "code")]
            _code: i64,
            #[serde(borrow, rename = "message")]
            _message: Cow<'b, str>,
        }
        let rejection: Self = serde_json::from_slice(body).ok()?;
        serde_json::from_str::<Complete<'_>>(rejection.error.get()).is_ok().then_some(rejection)
    }

    /// Whether the error names no request. The Python SDK writes `server-error` in place of an unknown id.
    fn has_no_id(&self) -> bool {
        self.id.is_none_or(|id| matches!(id.get(), "null" | "\"server-error\""))
    }

    /// Returns the error as the response to a request.
    fn response(&self, id: &str) -> Option<Message> {
        read(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{}}}"#, self.error.get()).into_bytes()).ok()?.pop()
    }
}
