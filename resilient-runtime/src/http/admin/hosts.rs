//! The hosts by which the router may be addressed, and the origins of web pages that may address it.

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};

use super::refusal::Refusal;
use crate::statistics::AdminRefusal;

/// The names and addresses that `Host` may have, each with any port or one.
#[derive(Debug)]
pub(super) struct AllowedHosts(Vec<(String, Option<u16>)>);

impl Default for AllowedHosts {
    /// Returns the hosts that always refer to this machine.
    fn default() -> Self {
        Self(["localhost", "127.0.0.1", "[::1]"].map(|host| (host.to_owned(), None)).into())
    }
}

impl AllowedHosts {
    pub(super) fn add(&mut self, host: &str) {
        // An address of IP version 6 needs brackets in a URL.
        let host = if host.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() };
        if let Some(authority) = authority(&host) {
            self.0.push((authority.host().to_owned(), authority.port_u16()));
        } else {
            tracing::warn!(
                event = "config.warning",
                host,
                "no request can have this host; expected a name or an address, with or without a port"
            );
        }
    }

    fn allow(&self, authority: &Authority) -> bool {
        self.0.iter().any(|(host, port)| {
            host.eq_ignore_ascii_case(authority.host()) && port.is_none_or(|port| authority.port_u16() == Some(port))
        })
    }

    /// Checks `Host` and `Origin`.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let ambiguous = || {
            let expected = "expected exactly one `Host` with a name or an address";
            Refusal::new(AdminRefusal::Host, StatusCode::BAD_REQUEST, expected)
        };
        let host = match one(headers, HOST) {
            One::None => None,
            One::Is(host) => Some(host.to_str().ok().and_then(authority).ok_or_else(ambiguous)?),
            One::Several => return Err(ambiguous()),
        };
        // The target of the request takes precedence (RFC 9112, 3.2.2); HTTP/2 has only that.
        let target = uri.authority().or(host.as_ref()).filter(|target| is_whole(target)).ok_or_else(ambiguous)?;
        if ![Some(target), host.as_ref()].into_iter().flatten().all(|host| self.allow(host)) {
            let foreign = "this host is not served here; the server's author allows hosts";
            return Err(Refusal::new(AdminRefusal::Host, StatusCode::MISDIRECTED_REQUEST, foreign));
        }
        let is_same = match one(headers, ORIGIN) {
            One::None => true,
            One::Is(origin) => is_same(origin, target),
            One::Several => false,
        };
        if is_same {
            Ok(())
        } else {
            let foreign = "a page of another site must not send requests to this one";
            Err(Refusal::new(AdminRefusal::Origin, StatusCode::FORBIDDEN, foreign))
        }
    }
}

enum One<'h> {
    None,
    Is(&'h HeaderValue),
    Several,
}

fn one(headers: &HeaderMap, name: HeaderName) -> One<'_> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => One::None,
        (Some(value), None) => One::Is(value),
        (Some(_), Some(_)) => One::Several,
    }
}

fn authority(host: &str) -> Option<Authority> {
    host.parse().ok().filter(is_whole)
}

/// Returns whether there is a host, and nothing else but perhaps a valid port.
fn is_whole(authority: &Authority) -> bool {
    let port = authority.as_str().strip_prefix(authority.host());
    port.is_some_and(|port| port.is_empty() || port.strip_prefix(':').is_some_and(|_| authority.port_u16().is_some()))
}

/// Whether an origin is the host that a request is sent to. The scheme is unknown behind a proxy that ends TLS.
fn is_same(origin: &HeaderValue, host: &Authority) -> bool {
    let Some((scheme, origin)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else { return false };
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    authority(origin).is_some_and(|origin| {
        let port = |of: &Authority| of.port_u16().unwrap_or(default);
        origin.host().eq_ignore_ascii_case(host.host()) && port(&origin) == port(host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(allowed: &[&str], target: &str, headers: &[(&'static str, &str)]) -> Option<(AdminRefusal, u16)> {
        let mut hosts = AllowedHosts::default();
        for host in allowed {
            hosts.add(host);
        }
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let refusal = hosts.check(&target.parse().unwrap(), &map).err()?;
        Some((refusal.reason, refusal.status.as_u16()))
    }

    #[test]
    fn hosts_of_this_machine_and_allowed_ones_are_served() {
        let misdirected = Some((AdminRefusal::Host, 421));
        let bad = Some((AdminRefusal::Host, 400));
        for (host, expected) in [
            ("localhost", None),
            ("LOCALHOST:9000", None),
            ("127.0.0.1:9000", None),
            ("[::1]:9000", None),
            ("ops.example.org", None),
            ("OPS.example.org:8443", None),
            ("one.example.org:8443", None),
            ("[fd00::7]:1", None),
            ("one.example.org:8444", misdirected),
            ("one.example.org", misdirected),
            ("localhost.", misdirected),
            ("localhost.example.org", misdirected),
            ("127.0.0.2", misdirected),
            ("example.org", misdirected),
            ("localhost@example.org", bad),
            ("", bad),
            ("a b", bad),
            ("localhost/x", bad),
            ("localhost:", bad),
            ("localhost:x", bad),
            ("localhost:99999", bad),
            ("localhost:80:80", bad),
            ("[::1]x", bad),
            ("[::1]:99999", bad),
            ("ops2.example.org:80", misdirected),
        ] {
            let allowed = [
                "ops.example.org",
                "one.example.org:8443",
                "fd00::7",
                "http://wrong.example.org",
                "ops2.example.org:99999",
            ];
            assert_eq!(refused(&allowed, "/status", &[("host", host)]), expected, "{host}");
        }
        assert_eq!(refused(&[], "/status", &[]), bad);
        assert_eq!(refused(&[], "/status", &[("host", "localhost"), ("host", "localhost")]), bad);
        // HTTP/2, and a target in absolute form.
        assert_eq!(refused(&[], "http://localhost/status", &[]), None);
        assert_eq!(refused(&[], "http://example.org/status", &[("host", "localhost")]), misdirected);
        assert_eq!(refused(&[], "http://localhost/status", &[("host", "example.org")]), misdirected);
    }

    #[test]
    fn an_origin_is_absent_or_the_host() {
        for (host, origin, is_served) in [
            ("localhost:9000", "http://localhost:9000", true),
            ("localhost:9000", "HTTP://localhost:9000", false),
            ("localhost:9000", "http://LOCALHOST:9000", true),
            ("localhost", "http://localhost", true),
            ("localhost:80", "http://localhost", true),
            ("localhost", "https://localhost", true),
            ("localhost", "https://localhost:443", true),
            ("localhost", "http://localhost:443", false),
            ("localhost:9000", "http://localhost", false),
            ("localhost:9000", "http://127.0.0.1:9000", false),
            ("localhost:9000", "http://localhost:9001", false),
            ("localhost:9000", "http://example.org", false),
            ("localhost:9000", "null", false),
            ("localhost:9000", "", false),
            ("localhost:9000", "file://", false),
            ("localhost:9000", "http://x@localhost:9000", false),
            ("localhost:9000", "http://localhost:9000/path", false),
        ] {
            let expected = (!is_served).then_some((AdminRefusal::Origin, 403));
            assert_eq!(refused(&[], "/status", &[("host", host), ("origin", origin)]), expected, "{host} {origin}");
        }
        let twice = [("host", "localhost"), ("origin", "http://localhost"), ("origin", "http://localhost")];
        assert_eq!(refused(&[], "/status", &twice), Some((AdminRefusal::Origin, 403)));
    }
}
