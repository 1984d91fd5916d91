//! Recovers an error from the response of a tool without a policy. The original error value no longer exists there,
//! only what the client receives.

use std::borrow::Cow;
use std::fmt;

use resilient_policy::ErrorKind;
use rmcp::model::{CallToolResponse, CallToolResult};

use super::wire::ERROR_META;
use crate::{Classify, ToolError};

/// An error in the form in which clients receive it.
#[derive(Debug)]
pub(super) struct WireError<'a> {
    code: &'a str,
    kind: ErrorKind,
    text: &'a str,
}

impl<'a> WireError<'a> {
    /// Reads the error from a response, if it is one of this crate's errors.
    pub(super) fn of(answer: &'a CallToolResponse) -> Option<Self> {
        let CallToolResponse::Complete(result) = answer else { return None };
        Self::of_result(result)
    }

    /// Reads the error from a result, if it is one of this crate's errors.
    pub(super) fn of_result(result: &'a CallToolResult) -> Option<Self> {
        let meta = result.meta.as_ref()?.0.get(ERROR_META)?;
        let text = result.content.first().and_then(|block| block.as_text()).map_or("", |block| &block.text);
        Some(Self { code: meta.get("code")?.as_str()?, kind: meta.get("kind")?.as_str()?.parse().ok()?, text })
    }
}

impl fmt::Display for WireError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl std::error::Error for WireError<'_> {}

impl Classify for WireError<'_> {
    fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl ToolError for WireError<'_> {
    fn code(&self) -> Cow<'static, str> {
        self.code.to_owned().into()
    }

    fn public_message(&self) -> Cow<'_, str> {
        self.text.into()
    }
}
