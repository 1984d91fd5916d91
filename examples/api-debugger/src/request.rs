//! The arguments of the tool, and their validation.

use std::{collections::BTreeMap, fmt};

use reqwest::{
    Method, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ApiError;

/// Headers that belong to the HTTP client: they decide where the request goes and where it ends.
const NOT_YOURS: [&str; 11] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The maximum length of a URL in bytes, close to the limit of the HTTP client.
const LONGEST_URL: usize = 60_000;

/// Arguments of `test_api`.
// No `Debug`: headers and bodies contain secrets.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TestApi {
    /// The whole address, with `http` or `https`, and without a user name or password.
    pub(super) url: String,
    /// The HTTP method.
    #[serde(default)]
    pub(super) method: Verb,
    /// Headers to send, by name. `Host`, `Content-Length` and those about the connection are set by the server.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// The body to send, as it is. Say its type in the header `Content-Type`.
    pub(super) body: Option<String>,
}

/// The methods that can be sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Verb {
    #[default]
    Get,
    Head,
    Options,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    pub(super) const fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Head => Method::HEAD,
            Self::Options => Method::OPTIONS,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method().as_str())
    }
}

impl TestApi {
    /// The host, for the log. Empty if the URL has none.
    pub(super) fn host(&self) -> String {
        Url::parse(&self.url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Scheme, host and port, for the breaker. Empty if the URL is invalid.
    pub(super) fn origin(&self) -> String {
        Url::parse(&self.url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }

    /// Parses and checks the URL.
    pub(super) fn target(&self) -> Result<Url, ApiError> {
        // Without the parser's message, which may contain parts of the URL.
        let url = Url::parse(&self.url).map_err(|_| ApiError::BadUrl { problem: "cannot be read" })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ApiError::BadUrl { problem: "is neither http nor https" });
        }
        if url.as_str().len() > LONGEST_URL {
            return Err(ApiError::BadUrl { problem: "is longer than 60,000 bytes" });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ApiError::BadUrl {
                problem: "holds a user name or password, which belong into the header Authorization",
            });
        }
        Ok(url)
    }

    /// Parses and checks the headers.
    pub(super) fn header_map(&self) -> Result<HeaderMap, ApiError> {
        self.headers.iter().map(|(name, value)| header(name, value)).collect()
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), ApiError> {
    // An invalid name is not repeated: it may be a whole header with its value.
    let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| ApiError::BadHeader {
        header: "with a name that is none".to_owned(),
        problem: "holds characters that no name has; put what follows the colon into its value",
    })?;
    let refused = |problem| ApiError::BadHeader { header: format!("`{known}`"), problem };
    if NOT_YOURS.contains(&known.as_str()) {
        return Err(refused("is set by the server itself"));
    }
    let mut value =
        HeaderValue::from_str(value).map_err(|_| refused("has a value with characters that no header can hold"))?;
    // `{:?}` does not print it.
    value.set_sensitive(true);
    Ok((known, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, headers: &[(&str, &str)]) -> TestApi {
        let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        TestApi { url: url.to_owned(), method: Verb::Get, headers, body: None }
    }

    #[test]
    fn only_http_without_a_user_is_sent_to() {
        assert!(request("https://api.example.com/x?y=1", &[]).target().is_ok());
        let long = format!("http://api.test/{}", "é".repeat(20_000));
        for (url, problem) in [
            (long.as_str(), "longer than 60,000 bytes"),
            ("/orders", "cannot be read"),
            ("http://", "cannot be read"),
            ("http://127.0.0.1.1.1/", "cannot be read"),
            ("file:///etc/passwd", "neither http nor https"),
            ("ftp://api.example.com/", "neither http nor https"),
            ("unix:/run/x.sock", "neither http nor https"),
            ("https://ann@api.example.com/", "user name or password"),
            ("https://:pw@api.example.com/", "user name or password"),
        ] {
            let error = request(url, &[]).target().unwrap_err().to_string();
            assert!(error.contains(problem), "{url}: {error}");
        }
    }

    #[test]
    fn headers_that_steer_the_connection_are_refused_by_name() {
        for name in
            ["Host", "CONNECTION", "Transfer-Encoding", "te", "Upgrade", "Content-Length", "Proxy-Authorization"]
        {
            let error = request("http://api.test/", &[(name, "x")]).header_map().unwrap_err().to_string();
            assert!(error.contains(&name.to_lowercase()) && error.contains("set by the server"), "{error}");
        }
        assert_eq!(request("http://api.test/", &[("Accept", "a"), ("X-Id", "7")]).header_map().unwrap().len(), 2);
    }

    #[test]
    fn no_error_about_a_header_shows_its_value() {
        for (name, value) in [("Authorization", "Bearer secret\n"), ("Host", "secret"), ("Authorization: secret", "")] {
            let error = request("http://api.test/", &[(name, value)]).header_map().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
        let headers = request("http://api.test/", &[("X-Key", "secret")]).header_map().unwrap();
        assert!(!format!("{headers:?}").contains("secret"));
    }
}
