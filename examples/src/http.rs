//! Where HTTP clients come from: the TLS provider, and what a client of the demo's upstream must not depend on.

use reqwest::{Client, ClientBuilder};

/// Lets every client of the process speak TLS with ring: the choice of this package's executables, as the libraries make none.
pub(crate) fn provide_tls() {
    // An error means that a provider was installed before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client that speaks TLS.
pub(crate) fn client() -> ClientBuilder {
    provide_tls();
    Client::builder()
}

/// A client for plain HTTP on loopback: past the proxy of the environment, and without the machine's certificates, which may not exist.
pub fn loopback_client() -> ClientBuilder {
    client().no_proxy().tls_certs_only([])
}
