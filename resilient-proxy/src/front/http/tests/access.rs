//! Who may send requests.

use std::ffi::OsString;
use std::net::SocketAddr;

use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;
use serde_json::json;

use super::{Server, error_of, initialize};
use crate::front::http::access::Access;
use crate::front::http::{HttpFront, HttpSettings, StartError, Token};

const TOKEN: &str = "0123456789abcdef";

/// The status of a refused request, or 200.
fn status(access: &Access, target: &str, headers: &[(&'static str, &str)]) -> u16 {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    let checked = access.check(&target.parse::<Uri>().unwrap(), &map);
    checked.map_or_else(|refusal| refusal.into_response().status().as_u16(), |()| 200)
}

fn access(bound: &str, hosts: &[&str]) -> Access {
    let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
    Access::new(bound.parse().unwrap(), &hosts, None).unwrap()
}

#[test]
fn only_hosts_of_this_machine_the_bound_address_and_allowed_ones_are_served() {
    let access = access("192.0.2.7:8080", &["proxy.example.org", "one.example.org:8443", "fd00::7"]);
    for (host, expected) in [
        ("localhost", 200),
        ("LOCALHOST:9000", 200),
        ("127.0.0.1:9000", 200),
        ("[::1]:9000", 200),
        ("192.0.2.7:8080", 200),
        ("192.0.2.7:8081", 403),
        ("proxy.example.org", 200),
        ("proxy.example.org:1", 200),
        ("one.example.org:8443", 200),
        ("one.example.org", 403),
        ("[fd00::7]:1", 200),
        ("localhost.example.org", 403),
        ("localhost.", 403),
        ("127.0.0.2", 403),
        ("example.org", 403),
        ("localhost@example.org", 400),
        ("localhost:", 400),
        ("localhost:99999", 400),
        ("localhost/x", 400),
        ("", 400),
    ] {
        assert_eq!(status(&access, "/mcp", &[("host", host)]), expected, "{host}");
    }
    assert_eq!(status(&access, "/mcp", &[]), 400);
    assert_eq!(status(&access, "/mcp", &[("host", "localhost"), ("host", "localhost")]), 400);
    assert_eq!(status(&access, "http://example.org/mcp", &[("host", "localhost")]), 403);
    assert_eq!(status(&access, "http://localhost/mcp", &[("host", "example.org")]), 403);
}

#[test]
fn an_unspecified_address_allows_no_host() {
    let access = access("0.0.0.0:8080", &[]);
    assert_eq!(status(&access, "/mcp", &[("host", "0.0.0.0:8080")]), 403);
    assert_eq!(status(&access, "/mcp", &[("host", "localhost:8080")]), 200);
}

#[test]
fn an_origin_is_absent_or_an_allowed_host() {
    let access = access("127.0.0.1:8080", &["one.example.org:443"]);
    for (origin, expected) in [
        ("http://localhost:3000", 200),
        ("https://127.0.0.1", 200),
        ("http://[::1]:1", 200),
        ("https://one.example.org", 200),
        ("http://one.example.org", 403),
        ("http://example.org", 403),
        ("http://localhost.example.org", 403),
        ("http://x@localhost", 403),
        ("http://localhost/path", 403),
        ("file://localhost", 403),
        ("null", 403),
        ("", 403),
    ] {
        assert_eq!(status(&access, "/mcp", &[("host", "localhost"), ("origin", origin)]), expected, "{origin}");
    }
    let twice = [("host", "localhost"), ("origin", "http://localhost"), ("origin", "http://localhost")];
    assert_eq!(status(&access, "/mcp", &twice), 403);
}

#[tokio::test]
async fn a_foreign_host_or_origin_opens_no_session() {
    let server = Server::start().await;
    for (name, value) in [("host", "example.org"), ("origin", "http://example.org")] {
        let response = server.post(&initialize()).header(name, value).send().await.unwrap();
        assert_eq!(error_of(response).await, (403, -32_000, json!(null)), "{name}");
    }
    assert_eq!(server.service.count("opened"), 0);
}

#[tokio::test]
async fn an_allowed_host_is_served() {
    let server = Server::start_with(None, &["proxy.example.org"]).await;
    let response = server.post(&initialize()).header("host", "proxy.example.org").send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn with_a_token_each_request_needs_it() {
    let server = Server::start_with(Some(TOKEN), &[]).await;
    let longer = format!("Bearer {TOKEN}0");
    for value in [None, Some(""), Some("Bearer"), Some("Bearer 0123456789abcdeF"), Some(&*longer), Some("Basic x")] {
        let mut request = server.post(&initialize());
        if let Some(value) = value {
            request = request.header("authorization", value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["www-authenticate"]),
            (401, &"Bearer".parse().unwrap())
        );
    }
    assert_eq!(server.http.get(&server.url).send().await.unwrap().status(), 401);
    assert_eq!(server.service.count("opened"), 0);
    let response = server.post(&initialize()).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[test]
fn a_variable_without_a_usable_token_is_an_error_that_names_it() {
    assert!(Token::from_variable(None).unwrap().is_none());
    assert!(Token::from_variable(Some(TOKEN.into())).unwrap().unwrap().is(TOKEN));
    let mut values: Vec<OsString> =
        ["", "0123456789abcde", "0123456789abcdef\n", "0123456789 abcdef", "0123456789abcdéf"].map(Into::into).into();
    #[cfg(unix)]
    values.push(std::os::unix::ffi::OsStringExt::from_vec(b"0123456789abcdef\xff".to_vec()));
    for value in values {
        let error = Token::from_variable(Some(value.clone())).unwrap_err().to_string();
        assert!(error.contains("RESILIENT_PROXY_TOKEN") && !error.contains("0123"), "{value:?}: {error}");
    }
}

#[test]
fn a_token_is_not_shown() {
    let token = Token::from_variable(Some(TOKEN.into())).unwrap();
    assert!(!format!("{token:?}").contains("0123"));
}

#[tokio::test]
async fn an_address_that_is_not_of_loopback_needs_a_token() {
    let address: SocketAddr = "0.0.0.0:0".parse().unwrap();
    let settings = |token| HttpSettings { address, token, allowed_hosts: Vec::new() };
    let error = HttpFront::bind(settings(None)).await.err().unwrap();
    assert!(matches!(error, StartError::NeedsToken { .. }));
    let text = error.to_string();
    assert!(text.contains("0.0.0.0:0") && text.contains("set RESILIENT_PROXY_TOKEN"), "{text}");
    let token = Token::from_variable(Some(TOKEN.into())).unwrap();
    assert!(HttpFront::bind(settings(token)).await.is_ok());
}

#[tokio::test]
async fn a_malformed_host_and_an_address_in_use_are_errors_that_name_them() {
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let settings = |address, hosts: &[&str]| HttpSettings {
        address,
        token: None,
        allowed_hosts: hosts.iter().map(ToString::to_string).collect(),
    };
    let error = HttpFront::bind(settings(address, &["http://x"])).await.err().unwrap().to_string();
    assert!(error.contains("`http://x` is not a host"), "{error}");
    let first = HttpFront::bind(settings(address, &[])).await.unwrap();
    let error = HttpFront::bind(settings(first.address(), &[])).await.err().unwrap().to_string();
    assert!(error.contains(&first.address().to_string()), "{error}");
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let server = Server::start().await;
    for path in ["", "/", "/mcp/", "/mcp/x", "/status"] {
        let response = server.http.get(format!("http://{}{path}", server.address)).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
    }
    let response = server.http.put(&server.url).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (405, &"GET, POST, DELETE".parse().unwrap())
    );
}
