//! The route `/mcp`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use resilient_client::{Message, MessageKind};
use tokio::select;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::front::http::access::{Access, only};
use crate::front::http::era::{Era, version};
use crate::front::http::events::EventStream;
use crate::front::http::exchange::{Answer, Exchange, Handling, Kind, LONGEST_SILENCE};
use crate::front::http::outbox::{MOST_REQUESTS, Outbox, Rejected, Requests};
use crate::front::http::parameters::Parameters;
use crate::front::http::refusal::{INVALID_REQUEST, Refusal};
use crate::front::http::request::{Accepts, Messages, Meta};
use crate::front::http::sessions::{ClientSession, MOST_SESSIONS, NoSession, SessionId, Sessions};
use crate::service::{Service, Session};

/// The path that is served.
pub(super) const PATH: &str = "/mcp";
const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The first version whose clients understand an event without a message.
const WITH_OPENING: &str = "2025-11-25";

/// What all requests share.
pub(super) struct Shared {
    pub(super) access: Access,
    pub(super) service: Arc<dyn Service>,
    pub(super) sessions: Sessions,
    /// The requests without a session that may be in flight.
    pub(super) modern: Arc<Semaphore>,
    /// Which arguments of tools have headers in requests without a session.
    parameters: Arc<Parameters>,
    /// Cancelled when the front begins to stop: the streams of `GET` end.
    pub(super) stop: CancellationToken,
    /// Cancelled when the requests in flight have had their time.
    pub(super) ending: CancellationToken,
}

/// Serves a request.
pub(super) async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    shared.respond(request).await.unwrap_or_else(IntoResponse::into_response)
}

impl Shared {
    pub(super) fn new(access: Access, service: Arc<dyn Service>, stop: CancellationToken) -> Self {
        let ending = CancellationToken::new();
        let sessions = Sessions::new(ending.clone());
        let modern = Arc::new(Semaphore::new(MOST_SESSIONS));
        Self { access, service, sessions, modern, parameters: Arc::default(), stop, ending }
    }

    async fn respond(self: Arc<Self>, request: Request) -> Result<Response, Refusal> {
        self.access.check(request.uri(), request.headers())?;
        if request.uri().path() != PATH {
            return Err(Refusal::new(StatusCode::NOT_FOUND, "the path is /mcp"));
        }
        let (parts, body) = request.into_parts();
        match parts.method {
            Method::POST => {
                let accepts = Accepts::of(&parts.headers);
                if !accepts.json {
                    let text = "expected `Accept: application/json, text/event-stream`";
                    return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, text));
                }
                let messages = Messages::read(&parts.headers, body).await?;
                match Era::of(&parts.headers, &messages)? {
                    Era::Sessions => self.post(&parts, messages, accepts).await,
                    Era::Modern { lacks_metadata } => {
                        for message in &messages.all {
                            self.parameters.check(&parts.headers, message)?;
                        }
                        self.post_modern(messages, accepts, lacks_metadata).await
                    }
                }
            }
            Method::GET => self.get(&parts),
            Method::DELETE => self.delete(&parts).await,
            _ => Err(method_not_allowed("GET, POST, DELETE")),
        }
    }

    /// Handles messages of a session, or opens one.
    async fn post(&self, parts: &Parts, messages: Messages, accepts: Accepts) -> Result<Response, Refusal> {
        let has_id = parts.headers.contains_key(SESSION_ID);
        if !has_id && messages.initialize().is_some() {
            return self.open(messages, accepts).await;
        }
        let session = self.session(&parts.headers).map_err(|refusal| refusal.with_id(messages.first_id()))?;
        session.outbox.touch();
        let takes_opening = version(&parts.headers)?.is_some_and(|version| version >= WITH_OPENING);
        if messages.first_id().is_none() {
            deliver(&session.session, messages.all).await;
            return Ok(StatusCode::ACCEPTED.into_response());
        }
        let mut exchange = session.exchange(messages, accepts, takes_opening)?;
        let answer = exchange.answer().await;
        self.respond_in(&session, exchange, answer)
    }

    /// Opens a session with `initialize`. If the client disconnects or gets an error, the session ends: the client does
    /// not know its id.
    async fn open(&self, messages: Messages, accepts: Accepts) -> Result<Response, Refusal> {
        let id = messages.first_id().map(Box::<str>::from);
        if messages.is_batch {
            let text = "`initialize` must not be part of a batch";
            return Err(Refusal::bad_request(INVALID_REQUEST, text).with_id(id.as_deref()));
        }
        let session = self.sessions.open(&*self.service).map_err(|error| no_session(error).with_id(id.as_deref()))?;
        let mut unknown = EndOnDrop { sessions: &self.sessions, session: Some(session.id) };
        let mut exchange = session.exchange(messages, accepts, false)?;
        let answer = exchange.answer().await;
        let has_failed = match &answer {
            Answer::Response(event) => event.message.error().is_some(),
            Answer::Nothing => true,
            Answer::Stream(_) | Answer::Responses(_) => false,
        };
        let mut response = self.respond_in(&session, exchange, answer)?;
        if !has_failed {
            unknown.session = None;
            if let Ok(id) = HeaderValue::from_str(&session.id.to_string()) {
                response.headers_mut().insert(SESSION_ID, id);
            }
        }
        Ok(response)
    }

    fn respond_in(&self, session: &ClientSession, exchange: Exchange, answer: Answer) -> Result<Response, Refusal> {
        if matches!(answer, Answer::Nothing) && session.ended.is_cancelled() {
            return Err(if self.ending.is_cancelled() { stopping() } else { unknown_session() });
        }
        Ok(exchange.respond(answer))
    }

    /// Handles one message without a session. If the client disconnects, the request is cancelled.
    async fn post_modern(
        &self,
        messages: Messages,
        accepts: Accepts,
        lacks_metadata: bool,
    ) -> Result<Response, Refusal> {
        let requests = requests_of(&messages.all);
        if messages.all.iter().any(|message| message.kind() == MessageKind::Response) {
            let text = "this protocol version has no responses of clients";
            return Err(Refusal::bad_request(INVALID_REQUEST, text));
        }
        let first_id = messages.first_id().map(Box::<str>::from);
        let permit = Arc::clone(&self.modern).try_acquire_owned();
        let permit = permit.map_err(|_| no_session(NoSession::Full).with_id(first_id.as_deref()))?;
        let outbox = Outbox::new();
        let output = self.parameters.output_for(messages.all.first(), Arc::clone(&outbox) as _);
        let session = self.service.open(output);
        let held = (CloseOnDrop(Arc::clone(&session)), permit);
        if requests.ids.is_empty() {
            deliver(&session, messages.all).await;
            return Ok(StatusCode::ACCEPTED.into_response());
        }
        let started = outbox.start(requests, accepts.events);
        let (reader, in_flight) = started.map_err(|error| rejected(error).with_id(first_id.as_deref()))?;
        let future = async move {
            handle(&session, messages.all).await;
            drop(in_flight);
        };
        let mut exchange = Exchange {
            reader,
            handling: Handling::new(future, self.ending.clone(), false),
            takes_events: accepts.events,
            is_batch: false,
            kind: Kind::Modern { lacks_metadata },
            end: self.ending.clone(),
            held: Box::new(held),
        };
        let answer = exchange.answer().await;
        if matches!(answer, Answer::Nothing) && self.ending.is_cancelled() {
            return Err(stopping());
        }
        Ok(exchange.respond(answer))
    }

    /// Opens the stream for messages that belong to no request, or resumes one.
    fn get(&self, parts: &Parts) -> Result<Response, Refusal> {
        let session = self.session_without_message(parts)?;
        if !Accepts::of(&parts.headers).events {
            return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, "expected `Accept: text/event-stream`"));
        }
        let last = parts.headers.get(LAST_EVENT_ID).map(|last| last.to_str().ok().and_then(|last| last.parse().ok()));
        let reader = match last {
            None => session.outbox.listen().ok_or_else(|| {
                Refusal::new(StatusCode::CONFLICT, "this session already has a stream; it has one at a time")
            })?,
            Some(Some(last)) => session.outbox.resume(last),
            Some(None) => {
                let text = "`Last-Event-ID` is not an id of an event of this server";
                return Err(Refusal::bad_request(INVALID_REQUEST, text));
            }
        };
        let takes_opening = version(&parts.headers)?.is_some_and(|version| version >= WITH_OPENING);
        let opening = (takes_opening && last.is_none()).then(|| reader.position());
        let end = self.stop.clone();
        let stream = EventStream { reader, opening, first: None, has_ids: true, end, task: None, _held: Box::new(()) };
        Ok(stream.into_response())
    }

    /// Ends a session.
    async fn delete(&self, parts: &Parts) -> Result<Response, Refusal> {
        let session = self.session_without_message(parts)?;
        if let Some(ending) = self.sessions.end(session.id) {
            // The session has ended also if its task failed.
            let _ = ending.await;
        }
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    fn session_without_message(&self, parts: &Parts) -> Result<Arc<ClientSession>, Refusal> {
        match Era::of_version(version(&parts.headers)?)? {
            Era::Sessions => self.session(&parts.headers),
            Era::Modern { .. } => Err(method_not_allowed("POST")),
        }
    }

    fn session(&self, headers: &HeaderMap) -> Result<Arc<ClientSession>, Refusal> {
        let expected = || Refusal::bad_request(INVALID_REQUEST, "expected one `Mcp-Session-Id`");
        let id = only(headers, &SESSION_ID).map_err(|()| expected())?.ok_or_else(expected)?;
        let id: Option<SessionId> = id.to_str().ok().and_then(|id| id.parse().ok());
        id.and_then(|id| self.sessions.get(id)).ok_or_else(unknown_session)
    }
}

impl ClientSession {
    fn exchange(&self, messages: Messages, accepts: Accepts, takes_opening: bool) -> Result<Exchange, Refusal> {
        let Messages { all, is_batch } = messages;
        let requests = requests_of(&all);
        let first_id = requests.ids.first().cloned();
        let started = self.outbox.start(requests, accepts.events);
        let (reader, in_flight) = started.map_err(|error| rejected(error).with_id(first_id.as_deref()))?;
        let session = Arc::clone(&self.session);
        let future = async move {
            handle(&session, all).await;
            drop(in_flight);
        };
        Ok(Exchange {
            reader,
            handling: Handling::new(future, self.ended.clone(), true),
            takes_events: accepts.events,
            is_batch,
            kind: Kind::Session { takes_opening },
            end: self.ended.clone(),
            held: Box::new(()),
        })
    }
}

fn requests_of(messages: &[Message]) -> Requests {
    let mut requests = Requests::default();
    for message in messages.iter().filter(|message| message.kind() == MessageKind::Request) {
        requests.ids.extend(message.id().map(Into::into));
        requests.tokens.extend(Meta::of(message).progress_token.map(|token| token.get().into()));
    }
    requests
}

/// Handles messages concurrently; they are first polled in their order.
async fn handle(session: &Arc<dyn Session>, messages: Vec<Message>) {
    join_all(messages.into_iter().map(|message| session.handle(message))).await;
}

/// Passes on notifications and responses. The client waits at most for [`LONGEST_SILENCE`]; then a task continues.
async fn deliver(session: &Arc<dyn Session>, messages: Vec<Message>) {
    let session = Arc::clone(session);
    let never = CancellationToken::new();
    let mut handling = Handling::new(async move { handle(&session, messages).await }, never, true);
    select! {
        biased;
        () = &mut handling => {}
        () = sleep(LONGEST_SILENCE) => {}
    }
}

/// Ends a session whose client does not get its id.
struct EndOnDrop<'s> {
    sessions: &'s Sessions,
    session: Option<SessionId>,
}

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session {
            drop(self.sessions.end(session));
        }
    }
}

/// Closes the session of a single request.
struct CloseOnDrop(Arc<dyn Session>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        let session = Arc::clone(&self.0);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { session.close().await });
        }
    }
}

fn rejected(error: Rejected) -> Refusal {
    match error {
        Rejected::Duplicate => Refusal::bad_request(INVALID_REQUEST, "a request in flight has the same id"),
        Rejected::TooMany => {
            let text = format!("a session has at most {MOST_REQUESTS} requests in flight");
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, text)
        }
        Rejected::Closed => unknown_session(),
    }
}

fn no_session(error: NoSession) -> Refusal {
    let text = match error {
        NoSession::Full => "there are too many clients, and all are in use",
        NoSession::NoRandomness => "the system has no random numbers for the id of a session",
    };
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text).with_header("retry-after", "60")
}

fn unknown_session() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "this session is unknown or has ended; initialize a new one")
}

fn stopping() -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the proxy stops")
}

fn method_not_allowed(allowed: &'static str) -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("expected {allowed}")).with_header("allow", allowed)
}
