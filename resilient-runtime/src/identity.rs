//! The id that connects a response with its log lines.

use std::fmt;
use std::sync::Arc;

use crate::redact;

/// The maximum length of an id that a client chose.
const LONGEST: usize = 128;

/// A correlation id: the trace id of the request, an id that the client chose, or a random one.
///
/// It is formatted only when it is displayed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::{CallContext, ResilienceError, resilient};
///
/// #[resilient]
/// async fn which() -> Result<String, ResilienceError> {
///     Ok(CallContext::current().map(|call| call.correlation_id().to_string()).unwrap_or_default())
/// }
/// assert_eq!(which().await.unwrap().len(), 32); // random, since there is no request
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CorrelationId(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    /// The upper and the lower half of a number. A `u128` has a larger alignment and would make each context bigger,
    /// and every poll moves the context.
    Number(u64, u64),
    Text(Arc<str>),
}

impl From<u128> for Repr {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    fn from(number: u128) -> Self {
        Self::Number((number >> 64) as u64, number as u64)
    }
}

/// The origin of a correlation id.
///
/// ```
/// assert_eq!(resilient_runtime::identity::CorrelationSource::Trace.as_str(), "trace");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CorrelationSource {
    /// The trace id of a valid `traceparent`.
    Trace,
    /// An id that the client chose, in the `_meta` of the request.
    Client,
    /// A random id, since the request has none.
    Generated,
}

impl CorrelationSource {
    /// Returns the word used in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Client => "client",
            Self::Generated => "generated",
        }
    }
}

impl CorrelationId {
    /// Returns whether it is a number, which has nothing to drop.
    pub(crate) const fn is_number(&self) -> bool {
        matches!(self.0, Repr::Number(..))
    }

    /// Returns a random id. It identifies a call; it is not secret and must not be used as a secret.
    #[inline]
    pub(crate) fn random() -> Self {
        Self(fastrand::u128(..).into())
    }

    /// Returns the trace id of a W3C `traceparent`, if it is valid.
    pub(crate) fn from_traceparent(header: &str) -> Option<Self> {
        crate::trace::id(header).map(|id| Self(id.into()))
    }

    /// Returns the id of a trace, unless it is the invalid all-zero id.
    #[cfg(all(feature = "otel", feature = "rmcp"))]
    pub(crate) fn from_trace(id: u128) -> Option<Self> {
        (id != 0).then_some(Self(id.into()))
    }

    /// Returns an id that the client chose, if it is valid: 1 to 128 characters of `[A-Za-z0-9._-]`. An id that looks
    /// like a secret is rejected, because the response would expose what the log masks.
    pub(crate) fn from_client(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let is_valid = (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain) && redact::text(text) == text;
        is_valid.then(|| Self(Repr::Text(text.into())))
    }
}

#[cfg(feature = "deferred")]
impl CorrelationId {
    /// Returns the id of a call whose id was stored as text.
    pub(crate) fn stored(text: &str) -> Self {
        Self(Repr::Text(text.into()))
    }
}

#[cfg(feature = "rmcp")]
impl CorrelationId {
    /// Returns the id as text, like `to_string` but with a tenth of its instructions.
    pub(crate) fn to_text(&self) -> String {
        match &self.0 {
            Repr::Number(upper, lower) => Hex::of(*upper, *lower).as_str().to_owned(),
            Repr::Text(text) => (**text).to_owned(),
        }
    }
}

/// The 32 digits of a number.
struct Hex([u8; 32]);

impl Hex {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    fn of(upper: u64, lower: u64) -> Self {
        let mut digits = [0; 32];
        let parts = [(upper >> 32) as u32, upper as u32, (lower >> 32) as u32, lower as u32];
        for (digits, part) in digits.chunks_exact_mut(8).zip(parts) {
            digits.copy_from_slice(&eight_digits(part).to_be_bytes());
        }
        Self(digits)
    }

    fn as_str(&self) -> &str {
        // They are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Returns the hexadecimal digits of a number, one in each byte: all eight at once.
const fn eight_digits(number: u32) -> u64 {
    let mut spread = number as u64;
    spread = (spread << 16 | spread) & 0x0000_ffff_0000_ffff;
    spread = (spread << 8 | spread) & 0x00ff_00ff_00ff_00ff;
    spread = (spread << 4 | spread) & 0x0f0f_0f0f_0f0f_0f0f;
    // One in each byte whose digit is a letter.
    let letters = (spread + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    spread + 0x3030_3030_3030_3030 + letters * (b'a' - b'0' - 10) as u64
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Number(upper, lower) => f.write_str(Hex::of(*upper, *lower).as_str()),
            Repr::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The principal whose data a call is about. Cached responses are stored and served per principal.
///
/// An application that knows its users inserts one into the extensions of the request: those of rmcp, or, in a
/// layer of an HTTP server, those of the HTTP request. Otherwise, the principal over HTTP is a keyed hash of the
/// `Authorization` header, and over stdio there is only one. A server with several clients over another transport has
/// to set the principal: as soon as a second client is detected, all principals are unknown.
///
/// ```
/// use resilient_runtime::identity::Principal;
///
/// // In a layer that has authenticated the user:
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(Principal::new("user 4711"));
/// # assert_eq!(request.extensions().get::<Principal>().unwrap().as_str(), "user 4711");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal(Arc<str>);

impl Principal {
    /// Creates the principal of this name.
    #[must_use]
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(name.as_ref().into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Debug output must not reveal the user.
        f.write_str("Principal(..)")
    }
}

/// Where the principal of a request comes from.
#[cfg(feature = "rmcp")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PrincipalSource {
    /// It is not known.
    Unknown,
    /// The application has set it.
    Application,
    /// The `Authorization` header, which changes with each new token.
    Credentials,
    /// The only client of a process without HTTP.
    Local,
}

/// Returns the user of the operating system, as a store stores it.
#[cfg(feature = "deferred")]
pub(crate) fn local_owner() -> String {
    #[cfg(target_os = "linux")]
    return format!("u:{}", rustix::process::getuid().as_raw());
    #[cfg(not(target_os = "linux"))]
    return "u:local".to_owned();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_taken_from_a_valid_traceparent_only() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let read = |header: &str| CorrelationId::from_traceparent(header).map(|id| id.to_string());
        assert_eq!(read(&format!("00-{trace}-00f067aa0ba902b7-01")).as_deref(), Some(trace));
        assert_eq!(read(&format!("cc-{trace}-00f067aa0ba902b7-01-more")).as_deref(), Some(trace));
        for bad in [
            format!("00-{trace}-0000000000000000-01"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01".into(),
            format!("ff-{trace}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()),
            format!("00-{trace}-00f067aa0ba902b7-01-more"),
            format!("00-{trace}-00f067aa0ba902b7"),
            "+0-1-2-3".into(),
            String::new(),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_number_is_displayed_with_all_its_digits() {
        for number in [0, 1, 0x9a, 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210, u128::MAX, 0xa0 << 64, 9 << 60] {
            let id = CorrelationId(number.into());
            assert_eq!(id.to_string(), format!("{number:032x}"));
            #[cfg(feature = "rmcp")]
            assert_eq!(id.to_text(), id.to_string());
        }
    }

    #[test]
    fn a_clients_id_is_short_and_plain() {
        assert!(CorrelationId::from_client("order-4711_a.b").is_some());
        for bad in [
            "sk-12345678",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
            "",
            "a b",
            "a\nb",
            "é",
            &"x".repeat(129),
        ] {
            assert!(CorrelationId::from_client(bad).is_none(), "{bad}");
        }
    }
}
