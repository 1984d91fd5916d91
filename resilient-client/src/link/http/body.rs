//! Bodies of responses that are not event streams.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio::time::timeout;

use crate::link::http::events::SHOWN;

/// How long the link waits for a body that only explains a status.
const EXPLANATION_TIMEOUT: Duration = Duration::from_secs(5);

/// A body.
pub(super) enum Body {
    Whole(Vec<u8>),
    /// A body that exceeded the limit: its first bytes, and how many bytes had been received by then.
    TooLong {
        start: Vec<u8>,
        bytes: usize,
    },
}

/// Reads a body up to a limit.
pub(super) async fn read(response: &mut Response, limit: usize) -> reqwest::Result<Body> {
    let mut data = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        data.extend_from_slice(&chunk);
        if data.len() > limit {
            let bytes = data.len();
            data.truncate(SHOWN);
            return Ok(Body::TooLong { start: data, bytes });
        }
    }
    Ok(Body::Whole(data))
}

/// Reads the beginning of a body: what the server has sent before the limit, an error, or some seconds.
pub(super) async fn read_beginning(response: &mut Response, limit: usize) -> Vec<u8> {
    let mut data = Vec::new();
    let reading = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            data.extend_from_slice(&chunk);
            if data.len() > limit {
                break;
            }
        }
    };
    // What was received until then is enough.
    let _ = timeout(EXPLANATION_TIMEOUT, reading).await;
    data.truncate(limit);
    data
}

/// Returns whether the body has this media type.
pub(super) fn is_type(response: &Response, expected: &str) -> bool {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(expected)
}

/// Returns whether the body is a stream of events.
pub(super) fn is_event_stream(response: &Response) -> bool {
    is_type(response, "text/event-stream")
}
