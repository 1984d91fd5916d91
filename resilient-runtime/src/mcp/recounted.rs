//! An error that an answer tells of: what a tool without a policy of its own has made of it. The error
//! itself is gone by then; what clients are told of it is left.

use std::borrow::Cow;
use std::fmt;

use resilient_policy::ErrorKind;
use rmcp::model::CallToolResponse;

use super::wire::ERROR_META;
use crate::{Classify, ToolError};

/// An error, as clients were told of it.
#[derive(Debug)]
pub(super) struct Recounted<'a> {
    code: &'a str,
    kind: ErrorKind,
    text: &'a str,
}

impl<'a> Recounted<'a> {
    /// The error that this answer tells of, if it is one of ours.
    pub(super) fn of(answer: &'a CallToolResponse) -> Option<Self> {
        let CallToolResponse::Complete(result) = answer else { return None };
        let told = result.meta.as_ref()?.0.get(ERROR_META)?;
        let text = result.content.first().and_then(|block| block.as_text()).map_or("", |block| &block.text);
        Some(Self { code: told.get("code")?.as_str()?, kind: told.get("kind")?.as_str()?.parse().ok()?, text })
    }
}

impl fmt::Display for Recounted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl std::error::Error for Recounted<'_> {}

impl Classify for Recounted<'_> {
    fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl ToolError for Recounted<'_> {
    fn code(&self) -> Cow<'static, str> {
        self.code.to_owned().into()
    }

    fn public_message(&self) -> Cow<'_, str> {
        self.text.into()
    }
}
