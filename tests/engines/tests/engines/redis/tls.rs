//! Connections over TLS.

use std::{path::Path, process};

use tokio::process::Command;

use super::RedisServer;
use crate::{SERVERS, run};

/// Creates an authority and a certificate of 127.0.0.1 in a folder.
fn create_certificates(folder: &Path) {
    let script = "
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=authority' \
            -keyout ca.key -out ca.pem
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=redis' -keyout redis.key -out redis.csr
        printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' > extensions
        openssl x509 -req -in redis.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions \
            -out redis.pem
    ";
    let output = process::Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_server_with_a_certificate_of_a_trusted_authority_is_used() {
    let folder = tempfile::tempdir().unwrap();
    create_certificates(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key, authority) = (file("redis.pem"), file("redis.key"), file("ca.pem"));
    let server = RedisServer::start(&[
        "--port",
        "0",
        "--tls-port",
        "PORT",
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authority,
    ]);
    let permit = |host: &str| {
        let mut command = Command::new(SERVERS);
        command.arg("permit").arg(format!("rediss://{host}:{}", server.port()));
        command
    };
    let mut trusting = permit("127.0.0.1");
    trusting.env("SSL_CERT_FILE", &authority);
    let (success, _, text) = run(trusting, "").await;
    assert!(success && text.contains("Granted"), "{text}");
    let (success, _, text) = run(permit("127.0.0.1"), "").await;
    assert!(!success && text.contains("certificate"), "{text}");
    // The certificate is of another name.
    let mut other = permit("localhost");
    other.env("SSL_CERT_FILE", &authority);
    let (success, _, text) = run(other, "").await;
    assert!(!success && text.contains("certificate"), "{text}");
}
