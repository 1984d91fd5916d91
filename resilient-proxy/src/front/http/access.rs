//! Who may send requests: by `Host`, `Origin` and the token.

use std::net::SocketAddr;

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};

use crate::front::http::refusal::Refusal;
use crate::front::http::settings::{StartError, Token};

/// Decides which requests are served.
pub(super) struct Access {
    /// Names and addresses, each with any port or one.
    hosts: Vec<(String, Option<u16>)>,
    token: Option<Token>,
}

impl Access {
    /// Allows the names of this machine, the bound address, and these hosts.
    pub(super) fn new(bound: SocketAddr, hosts: &[String], token: Option<Token>) -> Result<Self, StartError> {
        let mut allowed: Vec<_> = ["localhost", "127.0.0.1", "[::1]"].map(|host| (host.to_owned(), None)).into();
        if !bound.ip().is_unspecified() {
            let bound = SocketAddr::new(bound.ip().to_canonical(), bound.port()).to_string();
            allowed.extend(host_and_port(&bound));
        }
        for host in hosts {
            // An address of IP version 6 needs brackets in a URL.
            let is_ip6 = host.parse::<std::net::Ipv6Addr>().is_ok();
            let read = if is_ip6 { Some((format!("[{host}]"), None)) } else { host_and_port(host) };
            allowed.push(read.ok_or_else(|| StartError::Host(host.clone()))?);
        }
        Ok(Self { hosts: allowed, token })
    }

    /// Checks a request.
    ///
    /// `Host` must be allowed, which defends against web pages that reach a local address by DNS rebinding. `Origin`,
    /// which browsers send, must be absent or name an allowed host. With a token, the request must present it.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let expected =
            || Refusal::new(StatusCode::BAD_REQUEST, "expected exactly one `Host` with a name or an address");
        let host = only(headers, &HOST).map_err(|()| expected())?;
        let host = host.map(|host| host.to_str().ok().and_then(authority).ok_or_else(expected)).transpose()?;
        // The target takes precedence (RFC 9112, 3.2.2); HTTP/2 has only that.
        let named = [uri.authority(), host.as_ref()];
        let mut named = named.into_iter().flatten().peekable();
        named.peek().ok_or_else(expected)?;
        if !named.all(|host| self.allows(host.host(), host.port_u16())) {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "this host is not served here"));
        }
        let origin_is_allowed = match only(headers, &ORIGIN) {
            Ok(None) => true,
            Ok(Some(origin)) => self.allows_origin(origin),
            Err(()) => false,
        };
        if !origin_is_allowed {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "a page of another site must not send requests to this one",
            ));
        }
        match &self.token {
            Some(token) if !presents(headers, token) => {
                let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "expected `Authorization: Bearer` with the token");
                Err(refusal.with_header("www-authenticate", "Bearer"))
            }
            _ => Ok(()),
        }
    }

    fn allows(&self, host: &str, port: Option<u16>) -> bool {
        let is = |(name, only): &(String, Option<u16>)| {
            name.eq_ignore_ascii_case(host) && only.is_none_or(|only| port == Some(only))
        };
        self.hosts.iter().any(is)
    }

    fn allows_origin(&self, origin: &HeaderValue) -> bool {
        let Some((scheme, host)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else {
            return false;
        };
        let default = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return false,
        };
        authority(host).is_some_and(|host| self.allows(host.host(), Some(host.port_u16().unwrap_or(default))))
    }
}

/// Whether there is exactly one `Authorization`, with this token.
fn presents(headers: &HeaderMap, token: &Token) -> bool {
    let Ok(Some(value)) = only(headers, &AUTHORIZATION) else { return false };
    let Some((scheme, presented)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else { return false };
    scheme.eq_ignore_ascii_case("bearer") && token.is(presented.trim())
}

/// Returns the value of a header that must not be repeated.
pub(super) fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(()),
    }
}

fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    authority(text).map(|host| (host.host().to_owned(), host.port_u16()))
}

/// Reads a host, with a valid port or none, and nothing else.
fn authority(text: &str) -> Option<Authority> {
    let authority: Authority = text.parse().ok()?;
    let port = text.strip_prefix(authority.host())?;
    (port.is_empty() || port.starts_with(':') && authority.port_u16().is_some()).then_some(authority)
}
