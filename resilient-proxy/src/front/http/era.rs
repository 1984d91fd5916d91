//! The era of a request: with sessions, which `initialize` begins, or without, where each request has its own metadata.

use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use resilient_client::{Message, MessageKind};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::front::http::access::only;
use crate::front::http::refusal::{HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, Refusal, UNSUPPORTED_VERSION};
use crate::front::http::request::{Messages, Meta};

pub(super) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The versions with sessions.
const WITH_SESSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// The first version without sessions. Later ones are assumed to be like it.
const WITHOUT_SESSIONS: &str = "2026-07-28";

/// The methods of sessions that the service itself would answer. The versions without sessions have removed them.
const REMOVED: [&str; 2] = ["initialize", "ping"];

/// The era of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    Sessions,
    /// Without sessions.
    Modern {
        /// Whether the request lacks metadata that this era requires. The server answers it; a response of
        /// `-32602` then has the status 400.
        lacks_metadata: bool,
    },
}

/// Reads the header of the protocol version.
pub(super) fn version(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let malformed = || Refusal::bad_request(INVALID_REQUEST, "expected at most one `MCP-Protocol-Version`");
    let value = only(headers, &PROTOCOL_VERSION).map_err(|()| malformed())?;
    value.map(|value| value.to_str().map_err(|_| malformed())).transpose()
}

impl Era {
    /// Returns the era that a version means, without a message. Any request without a version is of a session.
    pub(super) fn of_version(version: Option<&str>) -> Result<Self, Refusal> {
        match version {
            None => Ok(Self::Sessions),
            Some(version) if WITH_SESSIONS.contains(&version) => Ok(Self::Sessions),
            Some(version) if is_without_sessions(version) => Ok(Self::Modern { lacks_metadata: false }),
            Some(version) => {
                let supported: Vec<_> = WITH_SESSIONS.into_iter().chain([WITHOUT_SESSIONS]).collect();
                let refusal = Refusal::bad_request(UNSUPPORTED_VERSION, "Unsupported protocol version");
                Err(refusal.with_data(json!({ "requested": version, "supported": supported })))
            }
        }
    }

    /// Returns the era of messages, and checks that the headers agree with them.
    pub(super) fn of(headers: &HeaderMap, messages: &Messages) -> Result<Self, Refusal> {
        let version = version(headers)?;
        let era = Self::of_messages(version, messages).map_err(|refusal| refusal.with_id(messages.first_id()))?;
        if version.is_some_and(|version| version >= WITHOUT_SESSIONS) {
            for message in &messages.all {
                let checked = check_standard_headers(headers, message);
                checked.map_err(|text| Refusal::bad_request(HEADER_MISMATCH, text).with_id(message.id()))?;
                let removed = message.method().filter(|method| era != Self::Sessions && REMOVED.contains(method));
                if let (Some(method), MessageKind::Request) = (removed, message.kind()) {
                    return Err(Refusal::method_not_found(method).with_id(message.id()));
                }
            }
        }
        Ok(era)
    }

    fn of_messages(version: Option<&str>, messages: &Messages) -> Result<Self, Refusal> {
        // With the metadata of a version without sessions, `initialize` is like any method that does not exist there.
        let opens_session = |initialize: &Message| {
            messages.is_batch || !Meta::of(initialize).protocol_version().is_some_and(|v| is_without_sessions(&v))
        };
        if messages.initialize().is_some_and(opens_session) {
            Self::of_version(version)?;
            return Ok(Self::Sessions);
        }
        if messages.is_batch {
            return match Self::of_version(version)? {
                Self::Sessions => Ok(Self::Sessions),
                Self::Modern { .. } => {
                    Err(Refusal::bad_request(INVALID_REQUEST, "this protocol version has no batches"))
                }
            };
        }
        match messages.all.first() {
            Some(message) if message.kind() == MessageKind::Request => Self::of_request(version, message),
            _ => Self::of_version(version),
        }
    }

    fn of_request(version: Option<&str>, request: &Message) -> Result<Self, Refusal> {
        let meta = Meta::of(request);
        let Some(in_body) = meta.protocol_version() else {
            let needs_it = request.method() == Some("server/discover");
            return match Self::of_version(version)? {
                Self::Sessions if !needs_it => Ok(Self::Sessions),
                _ => Err(lacks_metadata(&meta)),
            };
        };
        match version {
            None => Err(Refusal::bad_request(
                HEADER_MISMATCH,
                "request _meta protocolVersion requires MCP-Protocol-Version header",
            )),
            Some(version) if version != in_body => Err(Refusal::bad_request(
                HEADER_MISMATCH,
                format!(
                    "MCP-Protocol-Version header ({version}) does not match request _meta protocolVersion ({in_body})"
                ),
            )),
            Some(version) if WITH_SESSIONS.contains(&version) && !meta.has_client_capabilities() => Ok(Self::Sessions),
            // Also for a version that is unknown here: the server says which ones it supports.
            Some(_) => Ok(Self::Modern { lacks_metadata: !meta.has_client_capabilities() }),
        }
    }
}

fn lacks_metadata(meta: &Meta<'_>) -> Refusal {
    let mut missing = vec!["io.modelcontextprotocol/protocolVersion"];
    if !meta.has_client_capabilities() {
        missing.push("io.modelcontextprotocol/clientCapabilities");
    }
    let missing = missing.join(", ");
    let text = format!("Invalid params: request _meta is missing or has malformed required fields: {missing}");
    Refusal::bad_request(INVALID_PARAMS, text)
}

/// Whether this is a date from the first version without sessions on.
fn is_without_sessions(version: &str) -> bool {
    let bytes = version.as_bytes();
    let has_form = bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() });
    has_form
        && (1..=12).contains(&version[5..7].parse::<u8>().unwrap_or(0))
        && (1..=31).contains(&version[8..].parse::<u8>().unwrap_or(0))
        && version >= WITHOUT_SESSIONS
}

#[derive(Deserialize)]
struct Named<'m> {
    #[serde(borrow, default)]
    name: Option<&'m RawValue>,
    #[serde(borrow, default)]
    uri: Option<&'m RawValue>,
    #[serde(borrow, default, rename = "taskId")]
    task_id: Option<&'m RawValue>,
}

/// Checks `Mcp-Method` and `Mcp-Name`, which must agree with the message. Proxies route by them without reading the
/// body. `Mcp-Param-*` is checked later, because that needs the schema of the tool.
fn check_standard_headers(headers: &HeaderMap, message: &Message) -> Result<(), String> {
    let Some(method) = message.method() else { return Ok(()) };
    match text_of(headers, &METHOD, "Mcp-Method")? {
        // Clients send these headers after the version was negotiated.
        None if method == "initialize" => return Ok(()),
        None => return Err("missing required Mcp-Method header".to_owned()),
        Some(value) if value != method => {
            return Err(format!("Mcp-Method header `{value}` does not match body method `{method}`"));
        }
        Some(_) => {}
    }
    let Some(expected) = name_of(message, method) else { return Ok(()) };
    let Some(value) = text_of(headers, &NAME, "Mcp-Name")? else {
        return Err(format!("missing required Mcp-Name header for `{method}`"));
    };
    let value = decoded(value).ok_or("Mcp-Name header is not valid Base64")?;
    if value == expected {
        Ok(())
    } else {
        Err(format!("Mcp-Name header `{value}` does not match body value `{expected}`"))
    }
}

/// Returns what `Mcp-Name` repeats, if the method has it.
fn name_of(message: &Message, method: &str) -> Option<String> {
    let named: Named<'_> = message.read_params()?;
    let value = match method {
        "tools/call" | "prompts/get" => named.name,
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => named.uri,
        "tasks/get" | "tasks/update" | "tasks/cancel" => named.task_id,
        _ => None,
    };
    serde_json::from_str(value?.get()).ok()
}

fn text_of<'h>(headers: &'h HeaderMap, name: &HeaderName, shown: &str) -> Result<Option<&'h str>, String> {
    let value = only(headers, name).map_err(|()| format!("duplicate {shown} header"))?;
    let invalid = |_| format!("{shown} header contains invalid characters");
    value.map(|value| value.to_str().map_err(invalid)).transpose()
}

/// Decodes the form for texts that a header cannot carry.
fn decoded(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|inner| inner.strip_suffix("?=")) {
        Some(inner) => STANDARD.decode(inner).ok().and_then(|bytes| String::from_utf8(bytes).ok()),
        None => Some(value.to_owned()),
    }
}
