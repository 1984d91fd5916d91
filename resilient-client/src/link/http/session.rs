//! What a link knows of its session: the id, the protocol version, and the annotations of tools.

use reqwest::header::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::link::http::headers::{self, Addressed};
use crate::link::http::parameters::Parameters;
use crate::message::Message;

/// The session of a link. In the modern era, it has no id.
#[derive(Default)]
pub(super) struct Session {
    id: Option<HeaderValue>,
    /// The version that `initialize` negotiated, or the last one that a request named.
    version: Option<String>,
    is_initialized: bool,
    parameters: Parameters,
}

/// The headers of one message.
pub(super) struct Prepared {
    pub(super) headers: HeaderMap,
    pub(super) has_session: bool,
    pub(super) is_modern: bool,
}

#[derive(Deserialize)]
struct Initialized {
    #[serde(rename = "protocolVersion")]
    version: String,
}

#[derive(Deserialize)]
struct Page<'m> {
    #[serde(borrow, default)]
    cursor: Option<&'m RawValue>,
}

impl Session {
    /// Returns the headers for a message. `initialize` begins a new session, so it has none of the old one.
    pub(super) fn prepare(&mut self, message: &Message) -> Prepared {
        let mut prepared = Prepared { headers: HeaderMap::new(), has_session: false, is_modern: false };
        if message.method() == Some("initialize") {
            return prepared;
        }
        let parts = Addressed::of(message);
        let named = parts.version();
        if !self.is_initialized && named.is_some() {
            self.version.clone_from(&named);
        }
        let version = named.or_else(|| self.version.clone());
        if let Some(version) = &version {
            headers::add(&mut prepared.headers, headers::PROTOCOL_VERSION, version);
        }
        if version.is_some_and(|version| headers::is_modern(&version)) {
            prepared.is_modern = true;
            if let Some(method) = message.method() {
                let name = parts.name(method);
                headers::add_standard(&mut prepared.headers, method, name.as_deref());
                if let Some(tool) = name.filter(|_| method == "tools/call") {
                    self.parameters.add(&mut prepared.headers, &tool, message);
                }
            }
        }
        if let Some(id) = &self.id {
            prepared.headers.insert(headers::SESSION_ID, id.clone());
            prepared.has_session = true;
        }
        prepared
    }

    /// Returns the headers for a request without a message, and whether there is a session.
    pub(super) fn headers(&self) -> (HeaderMap, bool) {
        let mut headers = HeaderMap::new();
        if let Some(version) = &self.version {
            headers::add(&mut headers, headers::PROTOCOL_VERSION, version);
        }
        if let Some(id) = &self.id {
            headers.insert(headers::SESSION_ID, id.clone());
        }
        (headers, self.id.is_some())
    }

    /// Begins a session with the headers of the response to `initialize`.
    pub(super) fn begin(&mut self, response: &HeaderMap) {
        let id = response.get(headers::SESSION_ID).cloned();
        let id = id.map(|mut id| {
            id.set_sensitive(true);
            id
        });
        *self = Self { id, ..Self::default() };
    }

    /// Learns from the response to a request.
    pub(super) fn learn(&mut self, request: &Message, response: &Message) {
        match request.method() {
            Some("initialize") => {
                let initialized = response.read_result::<Initialized>();
                self.is_initialized = initialized.is_some();
                self.version = initialized.map(|result| result.version);
            }
            Some("tools/list") if self.version.as_deref().is_some_and(headers::is_modern) => {
                let page = request.read_params::<Page<'_>>();
                self.parameters.learn(response, page.and_then(|page| page.cursor).is_none());
            }
            _ => {}
        }
    }

    /// Returns whether messages of the server can come outside of the responses to requests.
    pub(super) fn has_stream(&self) -> bool {
        self.is_initialized && !self.version.as_deref().is_some_and(headers::is_modern)
    }
}
