//! The kinds of errors of `reqwest`, with both of its versions.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use resilient_runtime::sources::classify;
use resilient_runtime::{Classify, ErrorKind};

/// An upstream on this machine that answers one request with this text.
fn upstream(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("a connection");
        let _ = connection.read(&mut [0; 4096]);
        let _ = connection.write_all(answer.as_bytes());
    });
    address
}

const REDIRECT: &str = "HTTP/1.1 302 Found\r\nlocation: ftp://127.0.0.1/a\r\ncontent-length: 0\r\n\r\n";
const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

macro_rules! tests {
    ($reqwest:ident) => {
        mod $reqwest {
            use super::*;

            async fn get(url: &str) -> ::$reqwest::Result<::$reqwest::Response> {
                // An error means that a provider is already installed, which is sufficient.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let client = ::$reqwest::Client::builder().no_proxy().build().expect("a client");
                client.get(url).send().await?.error_for_status()
            }

            #[tokio::test]
            async fn a_redirect_to_another_scheme_is_a_bad_response_and_a_wrong_url_internal() {
                let error = get(&format!("http://{}", upstream(REDIRECT))).await.expect_err("a redirect to ftp");
                assert_eq!(error.kind(), ErrorKind::BadResponse);
                for url in ["no url", "localhost:80/a", "mailto:ann@localhost"] {
                    assert_eq!(get(url).await.expect_err("no URL").kind(), ErrorKind::Internal, "{url}");
                }
            }

            #[tokio::test]
            async fn a_status_and_a_connection_are_found_among_the_sources() {
                let error = get(&format!("http://{}", upstream(UNAVAILABLE))).await.expect_err("503");
                let wrapped = std::io::Error::other(error);
                assert_eq!(classify(&wrapped).map(|found| found.kind()), Some(ErrorKind::Unavailable));
                assert_eq!(Classify::kind(&wrapped), ErrorKind::Unavailable);
                let error = get("http://127.0.0.1:1").await.expect_err("nothing listens");
                assert_eq!(classify(&error).map(|found| found.kind()), Some(ErrorKind::Connection));
            }
        }
    };
}

tests!(reqwest);
tests!(reqwest_012);
