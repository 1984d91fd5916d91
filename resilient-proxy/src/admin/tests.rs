use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::health::Health;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{AdminServer, AdminSettings};

fn settings(address: &str, has_token: bool) -> AdminSettings {
    AdminSettings { address: address.parse().unwrap(), has_token, allowed_hosts: vec!["ops.example.org".to_owned()] }
}

/// The status and the body.
async fn get(address: SocketAddr, path: &str, host: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = String::new();
    stream.read_to_string(&mut read).await.unwrap();
    let (head, body) = read.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn probes_metrics_and_the_routes_for_operators_answer_until_the_end() {
    let server = AdminServer::bind(settings("127.0.0.1:0", false), Arc::new(Health::new()), None).await.unwrap();
    let (address, stop) = (server.address(), CancellationToken::new());
    let task = tokio::spawn(server.serve(stop.clone()));
    for path in ["/livez", "/readyz", "/healthz", "/metrics", "/status", "/errors", "/breakers", "/policies"] {
        for host in [&*address.to_string(), "ops.example.org"] {
            assert_eq!(get(address, path, host).await.0, 200, "{path} {host}");
        }
    }
    assert!(get(address, "/livez", "localhost").await.1.contains("\"alive\":true"));
    assert_eq!(get(address, "/status", "example.org").await.0, 421);
    assert_eq!(get(address, "/mcp", "localhost").await.0, 404);
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(20), task).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_address_that_is_not_of_loopback_needs_the_token_of_the_runtime() {
    let bind = |has_token| AdminServer::bind(settings("0.0.0.0:0", has_token), Arc::new(Health::new()), None);
    let error = bind(false).await.err().unwrap().to_string();
    assert!(error.contains("set RESILIENT_ADMIN_TOKEN"), "{error}");
    assert!(bind(true).await.is_ok());
}
