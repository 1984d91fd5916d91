//! The body of a response, read up to a limit.

use std::time::Duration;

use reqwest::Response;
use resilient_runtime::CallContext;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use crate::schema::plain_numbers;

/// The maximum number of bytes that are read.
const LONGEST: usize = 64 * 1024;

/// Reading stops this long before the call's deadline, so that the beginning of the body is returned.
const SPARE: Duration = Duration::from_millis(300);

/// What came after the headers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
pub(super) struct Body {
    /// How many bytes were read.
    bytes: usize,
    /// The body, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Why it is not there, or not whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Body {
    /// Reads to the end or to the limit. A body that breaks off or never ends is a result, because it may be the fault
    /// to be found.
    pub(super) async fn read(mut response: Response) -> Self {
        let end = CallContext::current().and_then(|call| call.deadline()?.checked_sub(SPARE));
        // If the policies are disabled, the call has no deadline.
        let end = end.unwrap_or_else(|| Instant::now() + Duration::from_secs(10));
        let mut bytes = Vec::new();
        let note = loop {
            match timeout_at(end, response.chunk()).await {
                Err(_) => break Some("there was more to come when the time was over".to_owned()),
                Ok(Ok(None)) => break None,
                Ok(Ok(Some(chunk))) => {
                    let room = LONGEST - bytes.len();
                    bytes.extend(chunk.iter().take(room));
                    if chunk.len() > room {
                        break Some(format!("cut after {LONGEST} bytes"));
                    }
                }
                Ok(Err(_)) => break Some("the connection broke off here".to_owned()),
            }
        };
        Self::new(&bytes, note)
    }

    fn new(bytes: &[u8], note: Option<String>) -> Self {
        let text = text(bytes).map(str::to_owned);
        let binary = text.is_none().then(|| "binary, not shown".to_owned());
        let notes: Vec<String> = binary.into_iter().chain(note).collect();
        Self { bytes: bytes.len(), text, note: (!notes.is_empty()).then(|| notes.join("; ")) }
    }
}

/// Decodes the bytes, without a last character that was cut in two.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    (!text.contains('\0')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_is_utf8_and_has_no_zero_bytes() {
        assert_eq!(text(b""), Some(""));
        assert_eq!(text("naïve\n".as_bytes()), Some("naïve\n"));
        assert_eq!(text(&"naïve".as_bytes()[..3]), Some("na"));
        assert_eq!(text(b"\x89PNG\r\n"), None);
        assert_eq!(text(b"a\0b"), None);
    }

    #[test]
    fn a_note_says_all_that_is_missing() {
        let body = Body::new(b"\xff\xff", Some("cut".to_owned()));
        assert_eq!((body.bytes, body.text, body.note.as_deref()), (2, None, Some("binary, not shown; cut")));
        assert_eq!(Body::new(b"all", None).note, None);
    }
}
