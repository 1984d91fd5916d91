//! What a request contains: the types that it accepts, and its messages.

use axum::body::{Body, Bytes};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use futures_util::StreamExt;
use resilient_client::{Message, MessageKind};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::front::http::refusal::{INVALID_REQUEST, PARSE_ERROR, Refusal};

/// The maximum size of a body.
pub(super) const MOST_BODY_BYTES: usize = 16 << 20;
const JSON: &str = "application/json";
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// The types that a client accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accepts {
    pub(super) json: bool,
    pub(super) events: bool,
}

impl Accepts {
    /// Reads `Accept`. Only types that are named count, not ranges such as `*/*`, and not those with `q=0`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut accepts = Self { json: false, events: false };
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for entry in values.flat_map(|value| value.split(',')) {
            let mut parts = entry.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let is_excluded = |part: &str| {
                let weight = part.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
                weight.is_some_and(|(_, weight)| weight.trim().parse() == Ok(0.0))
            };
            if !parts.any(is_excluded) {
                accepts.json |= name.eq_ignore_ascii_case(JSON);
                accepts.events |= name.eq_ignore_ascii_case(EVENT_STREAM);
            }
        }
        accepts
    }
}

/// The messages of a `POST`.
#[derive(Debug)]
pub(super) struct Messages {
    /// At least one.
    pub(super) all: Vec<Message>,
    pub(super) is_batch: bool,
}

impl Messages {
    /// Reads the body of a `POST`.
    pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Refusal> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default();
        if !essence.trim().eq_ignore_ascii_case(JSON) {
            let text = "expected `Content-Type: application/json`";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
        let bytes = bytes_of(body).await?;
        let text =
            std::str::from_utf8(&bytes).map_err(|_| Refusal::bad_request(PARSE_ERROR, "the body is not UTF-8"))?;
        let is_batch = text.trim_start().starts_with('[');
        let read =
            if is_batch { Message::parse_batch(text) } else { Message::parse(text).map(|message| vec![message]) };
        match read {
            Ok(all) if !all.is_empty() => Ok(Self { all, is_batch }),
            Ok(_) => Err(Refusal::bad_request(INVALID_REQUEST, "the batch is empty")),
            Err(_) if serde_json::from_str::<IgnoredAny>(text).is_err() => {
                Err(Refusal::bad_request(PARSE_ERROR, "the body is not JSON"))
            }
            Err(_) => Err(Refusal::bad_request(INVALID_REQUEST, "the body is not a JSON-RPC message")),
        }
    }

    /// Returns the message that begins a session.
    pub(super) fn initialize(&self) -> Option<&Message> {
        self.all.iter().find(|message| message.kind() == MessageKind::Request && message.method() == Some("initialize"))
    }

    /// Returns the id of the first request, for errors.
    pub(super) fn first_id(&self) -> Option<&str> {
        self.all.iter().find(|message| message.kind() == MessageKind::Request).and_then(Message::id)
    }
}

async fn bytes_of(body: Body) -> Result<Bytes, Refusal> {
    let too_long = || Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the body has more than 16 MiB");
    let mut frames = body.into_data_stream();
    let mut first = Bytes::new();
    // Most bodies have one frame, which is then not copied.
    let mut all = Vec::new();
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|_| Refusal::bad_request(PARSE_ERROR, "the body did not arrive completely"))?;
        if first.len() + all.len() + frame.len() > MOST_BODY_BYTES {
            return Err(too_long());
        }
        if first.is_empty() && all.is_empty() {
            first = frame;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&frame);
    }
    Ok(if all.is_empty() { first } else { all.into() })
}

/// What the front reads of the metadata of a request.
#[derive(Deserialize, Default)]
pub(super) struct Meta<'m> {
    /// The progress token as JSON.
    #[serde(borrow, default, rename = "progressToken")]
    pub(super) progress_token: Option<&'m RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/protocolVersion")]
    protocol_version: Option<&'m RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/clientCapabilities")]
    client_capabilities: Option<&'m RawValue>,
}

#[derive(Deserialize)]
struct Params<'m> {
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<Meta<'m>>,
}

impl<'m> Meta<'m> {
    /// Reads the metadata of a request; malformed metadata as if there were none.
    pub(super) fn of(message: &'m Message) -> Self {
        message.read_params::<Params<'_>>().and_then(|params| params.meta).unwrap_or_default()
    }

    pub(super) fn protocol_version(&self) -> Option<String> {
        serde_json::from_str(self.protocol_version?.get()).ok()
    }

    pub(super) fn has_client_capabilities(&self) -> bool {
        self.client_capabilities.is_some_and(|value| value.get().starts_with('{'))
    }
}
