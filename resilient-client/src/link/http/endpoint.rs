//! The address of a server, and the headers of every request to it.

use std::fmt;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// The headers that the transport sets.
const RESERVED: [&str; 10] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "transfer-encoding",
];

/// The address of a server that is reached over streamable HTTP, and the headers of every request to it.
///
/// Values of headers, and the parts of the URL that may contain secrets, appear neither in logs nor in errors: of the
/// URL, only the scheme, host and port are shown.
///
/// ```
/// use resilient_client::Endpoint;
///
/// let endpoint = Endpoint::new("https://example.org/mcp")?.header("Authorization", "Bearer abc")?;
/// assert!(!format!("{endpoint:?}").contains("abc"));
/// assert!(Endpoint::new("ftp://example.org").is_err());
/// # Ok::<(), resilient_client::InvalidEndpoint>(())
/// ```
#[derive(Clone)]
pub struct Endpoint {
    url: Url,
    headers: HeaderMap,
}

/// The error for a URL or a header that cannot be used. Its text contains no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidEndpoint(String);

impl Endpoint {
    /// Creates an endpoint without headers of your own. A user name and a password in the URL are sent as basic
    /// authentication.
    ///
    /// # Errors
    /// [`InvalidEndpoint`], if the text is not a URL that begins with `http://` or `https://`.
    pub fn new(url: &str) -> Result<Self, InvalidEndpoint> {
        let mut url = Url::parse(url.trim()).map_err(|why| InvalidEndpoint(format!("the URL is not valid: {why}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidEndpoint("expected a URL that begins with `http://` or `https://`".into()));
        }
        url.set_fragment(None);
        Ok(Self { url, headers: HeaderMap::new() })
    }

    /// Adds a header to every request. A second value for the same name replaces the first one.
    ///
    /// # Errors
    /// [`InvalidEndpoint`], if the name or the value contains characters that a header cannot have, or if the transport
    /// sets this header itself.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, InvalidEndpoint> {
        let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err(InvalidEndpoint("the name of a header contains characters that it cannot have".into()));
        };
        if RESERVED.contains(&header.as_str()) || header.as_str().starts_with("mcp-param-") {
            return Err(InvalidEndpoint(format!("the header `{header}` is set by the transport")));
        }
        let Ok(mut value) = HeaderValue::from_str(value) else {
            return Err(InvalidEndpoint(format!(
                "the value of the header `{header}` contains characters that it cannot have"
            )));
        };
        value.set_sensitive(true);
        self.headers.insert(header, value);
        Ok(self)
    }

    pub(super) const fn url(&self) -> &Url {
        &self.url
    }

    pub(super) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the scheme, host and port.
    pub(super) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Returns the host.
    #[cfg(feature = "rmcp")]
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Returns whether the server is on this host.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        address.map_or_else(|_| host == "localhost" || host.ends_with(".localhost"), |address| address.is_loopback())
    }
}

impl fmt::Debug for Endpoint {
    /// Shows the origin of the URL and the names of the headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        f.debug_struct("Endpoint")
            .field("origin", &self.url.origin().ascii_serialization())
            .field("headers", &names)
            .finish()
    }
}
