//! Checks of what names a server over HTTP: its URL and the headers of requests. Messages contain no values.

use std::fmt;

/// Checks that a text is a URL of `http` or `https` with a host.
///
/// # Errors
/// Returns a sentence that says what is wrong. It does not contain the URL, which may contain credentials.
///
/// ```
/// use resilient_client::check_url;
///
/// assert!(check_url("https://mcp.example.com/mcp").is_ok());
/// assert_eq!(check_url("ftp://example.com").unwrap_err(), "expected a URL that begins with `https://` or `http://`");
/// ```
pub fn check_url(url: &str) -> Result<(), String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err("expected a URL that begins with `https://` or `http://`".into());
    };
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err("expected a URL that begins with `https://` or `http://`".into());
    }
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("a URL must not contain spaces or line breaks".into());
    }
    let address = address_of(rest);
    let (host, port) = match address.rsplit_once(':') {
        // The colons of an IPv6 address are in brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (address, None),
    };
    if host.is_empty() || host == "[]" {
        return Err("the URL has no host".into());
    }
    if host.starts_with('[') && !host.ends_with(']') {
        return Err("the host of the URL has no closing `]`".into());
    }
    if !host.starts_with('[') && host.contains(':') {
        return Err("an IPv6 address in a URL is written in brackets".into());
    }
    match port {
        Some(port) if port.parse::<u16>().is_err() => Err("the port of the URL is not a number up to 65535".into()),
        _ => Ok(()),
    }
}

/// Checks the name of a header: letters, digits and some punctuation.
///
/// # Errors
/// Returns a sentence that says what is wrong.
pub fn check_header_name(name: &str) -> Result<(), String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() {
        return Err("the name of a header must not be empty".into());
    }
    if name.bytes().all(is_allowed) { Ok(()) } else { Err("expected the name of a header, without spaces".into()) }
}

/// Checks the value of a header: printable ASCII, spaces and tabs.
///
/// # Errors
/// Returns a sentence that says what is wrong. It does not contain the value.
pub fn check_header_value(value: &str) -> Result<(), String> {
    if value.contains(['\n', '\r']) {
        return Err("the value of a header must not contain line breaks".into());
    }
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
        return Ok(());
    }
    Err("the value of a header has only printable ASCII characters".into())
}

/// Returns the host of a URL without its port, or an empty text.
#[must_use]
pub fn host_of(url: &str) -> &str {
    let address = address_of(url.split_once("://").map_or("", |(_, rest)| rest));
    match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => address,
    }
}

/// Returns the host and the port of what follows the scheme, without credentials.
fn address_of(rest: &str) -> &str {
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, address)| address)
}

/// Shows the scheme and the host of a URL. Credentials, the path and the query may be secrets.
pub(crate) struct MaskedUrl<'u>(pub(crate) &'u str);

impl fmt::Debug for MaskedUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.split_once("://").map_or("", |(scheme, _)| scheme);
        write!(f, "{scheme}://{}/***", host_of(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_http_with_a_host_are_accepted() {
        for (url, host) in [
            ("https://example.com", "example.com"),
            ("HTTPS://example.com/mcp?a=b:c@d#e", "example.com"),
            ("http://localhost:3000/mcp", "localhost"),
            ("http://127.0.0.1:1", "127.0.0.1"),
            ("http://[::1]:8080/mcp", "[::1]"),
            ("http://[::1]/mcp", "[::1]"),
            ("https://me:s3cret@example.com:443/", "example.com"),
        ] {
            assert_eq!(check_url(url), Ok(()), "{url}");
            assert_eq!(host_of(url), host, "{url}");
        }
    }

    #[test]
    fn other_urls_are_rejected() {
        for (url, part) in [
            ("", "begins with `https://`"),
            ("example.com/mcp", "begins with `https://`"),
            ("ws://example.com", "begins with `https://`"),
            ("file:///etc/passwd", "begins with `https://`"),
            ("https://", "no host"),
            ("https:///mcp", "no host"),
            ("https://:80/mcp", "no host"),
            ("https://me@/mcp", "no host"),
            ("https://[]/mcp", "no host"),
            ("https://[::1/mcp", "no closing `]`"),
            ("https://[::1:80/mcp", "no closing `]`"),
            ("https://::1/mcp", "brackets"),
            ("https://a b/", "spaces"),
            ("https://a/\n", "line breaks"),
            ("https://a:b/", "port"),
            ("https://a:65536/", "port"),
        ] {
            let error = check_url(url).expect_err(url);
            assert!(error.contains(part), "{url}: {error}");
        }
    }

    #[test]
    fn headers_are_names_and_printable_values() {
        assert_eq!(check_header_name("X-Api-Key"), Ok(()));
        for name in ["", "a b", "a:", "\u{fc}", "a\n"] {
            assert!(check_header_name(name).is_err(), "{name}");
        }
        assert_eq!(check_header_value("Bearer a\tb ~"), Ok(()));
        for value in ["a\nb", "a\r", "\u{0}", "\u{fc}", "\u{7f}"] {
            assert!(check_header_value(value).is_err(), "{value}");
        }
    }

    #[test]
    fn the_debug_form_of_a_url_shows_only_its_host() {
        let shown = format!("{:?}", MaskedUrl("https://me:s3cret@example.com/path/s3cret?key=s3cret"));
        assert_eq!(shown, "https://example.com/***");
    }
}
