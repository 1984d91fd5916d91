//! The byte stream to a Redis.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;

use crate::address::Endpoint;

/// A stream of any kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connects to an endpoint. The caller limits the time.
pub(crate) async fn open(endpoint: &Endpoint) -> io::Result<Box<dyn Stream>> {
    match endpoint {
        #[cfg(unix)]
        Endpoint::Unix(path) => Ok(Box::new(tokio::net::UnixStream::connect(path).await?)),
        #[cfg(not(unix))]
        Endpoint::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        Endpoint::Tcp { host, port, is_tls } => {
            let stream = tcp(host, *port).await?;
            stream.set_nodelay(true)?;
            if *is_tls { encrypted(host, stream).await } else { Ok(Box::new(stream)) }
        }
    }
}

/// Connects to all addresses of a host at once and uses the first that answers: one that does not must not use up the
/// time for the others.
async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    for address in lookup_host((host, port)).await? {
        attempts.spawn(TcpStream::connect(address));
    }
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    while let Some(attempt) = attempts.join_next().await {
        match attempt.unwrap_or_else(|ended| Err(io::Error::other(ended))) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Encrypts a stream. The provider of cryptography is that of the process, or else ring: the choice for the whole process
/// belongs to the application.
#[cfg(feature = "tls")]
async fn encrypted(host: &str, stream: TcpStream) -> io::Result<Box<dyn Stream>> {
    use std::sync::Arc;

    use rustls::crypto::{CryptoProvider, ring};
    use rustls::pki_types::ServerName;
    use rustls_platform_verifier::BuilderVerifierExt;

    let provider = CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(io::Error::other)?
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    Ok(Box::new(connector.connect(name, stream).await?))
}

#[cfg(not(feature = "tls"))]
fn encrypted(_host: &str, _stream: TcpStream) -> impl Future<Output = io::Result<Box<dyn Stream>>> {
    std::future::ready(Err(io::Error::other("TLS needs the feature `tls` of `resilient-redis`")))
}
