//! The headers `Mcp-Param-*` of calls without a session, which must agree with the arguments.
//!
//! The front learns which arguments have headers from the lists of tools that it passes to clients. Calls of tools that
//! no list has named yet are not checked.

use std::sync::{Arc, PoisonError, RwLock};

use axum::http::HeaderMap;
use resilient_client::{HeaderParameters, Message, MessageKind};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::front::http::refusal::{HEADER_MISMATCH, Refusal};
use crate::service::{Boxed, Output};

/// The annotations of the tools that the front has passed to clients.
#[derive(Default)]
pub(super) struct Parameters(RwLock<HeaderParameters>);

#[derive(Deserialize)]
struct Page<'m> {
    #[serde(borrow, default)]
    cursor: Option<&'m RawValue>,
}

impl Parameters {
    /// Checks the headers of a message.
    pub(super) fn check(&self, headers: &HeaderMap, message: &Message) -> Result<(), Refusal> {
        let checked = self.0.read().unwrap_or_else(PoisonError::into_inner).check(headers, message);
        checked.map_err(|text| Refusal::bad_request(HEADER_MISMATCH, text).with_id(message.id()))
    }

    /// Returns the output for the response to a message. If it is a list of tools, its annotations are learned before
    /// the client gets it, and can use it.
    pub(super) fn output_for(self: &Arc<Self>, message: Option<&Message>, output: Arc<dyn Output>) -> Arc<dyn Output> {
        match message {
            Some(message) if message.method() == Some("tools/list") => {
                let page = message.read_params::<Page<'_>>();
                let is_first_page = page.is_none_or(|page| page.cursor.is_none());
                Arc::new(Learning { parameters: Arc::clone(self), output, is_first_page })
            }
            _ => output,
        }
    }
}

/// The output for a list of tools.
struct Learning {
    parameters: Arc<Parameters>,
    output: Arc<dyn Output>,
    is_first_page: bool,
}

impl Output for Learning {
    fn send(&self, message: Message) -> Boxed<'_, ()> {
        if message.kind() == MessageKind::Response {
            let mut parameters = self.parameters.0.write().unwrap_or_else(PoisonError::into_inner);
            parameters.learn(&message, self.is_first_page);
        }
        self.output.send(message)
    }
}
