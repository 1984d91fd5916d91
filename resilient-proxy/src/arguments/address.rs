//! Addresses to listen on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const EXPECTED: &str = "expected a port such as `8080`, or an address such as `127.0.0.1:8080`";

/// Reads a port of this machine (`8080`) or an address (`127.0.0.1:8080`, `localhost:8080`, `[::1]:8080`).
///
/// # Errors
/// Returns a sentence that says what is wrong. Names are not looked up, because the start must not wait for a network.
pub(super) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let Some((host, port)) = text.rsplit_once(':') else { return Err(EXPECTED.into()) };
    let Ok(port) = port.parse::<u16>() else { return Err(EXPECTED.into()) };
    if host.is_empty() {
        return Err(format!("write `{port}` for this machine alone, or `0.0.0.0:{port}` for every address"));
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    Err(format!("{EXPECTED}; write the IP address instead of a name, and an IPv6 address in brackets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_one_of_this_machine() {
        for (text, expected) in [
            ("8080", "127.0.0.1:8080"),
            ("0", "127.0.0.1:0"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("LocalHost:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(parse_address(text).map(|address| address.to_string()).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_rejected() {
        for (text, part) in [
            ("", "expected a port"),
            ("65536", "expected a port"),
            ("127.0.0.1", "expected a port"),
            ("127.0.0.1:x", "expected a port"),
            ("http://127.0.0.1", "expected a port"),
            (":8080", "write `8080` for this machine alone, or `0.0.0.0:8080` for every address"),
            ("example.com:80", "instead of a name"),
            ("::1:80", "in brackets"),
        ] {
            let error = parse_address(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
