//! The routes for operators: probes, metrics, and what can be switched while the proxy runs.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::serve::ListenerExt;
use resilient_runtime::health::Health;
use resilient_runtime::http;
use resilient_runtime::startup::Handle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::front::http::StartError;

/// The variable of the token, which the settings of the runtime read.
const TOKEN_VARIABLE: &str = "RESILIENT_ADMIN_TOKEN";

/// What the server for operators is started with.
pub(crate) struct AdminSettings {
    /// The address to bind: of loopback, unless `has_token`. With port 0, the system chooses the port.
    pub(crate) address: SocketAddr,
    /// Whether the settings of the runtime have a token.
    pub(crate) has_token: bool,
    /// Hosts that requests may be addressed to, besides those of loopback and the bound address.
    pub(crate) allowed_hosts: Vec<String>,
}

/// The server for operators, bound to its address.
pub(crate) struct AdminServer {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl AdminServer {
    /// Binds the address. Call it after [`Resilience::start`](resilient_runtime::Resilience::start), which reads the
    /// token. With `settings`, operators can have the settings read again.
    ///
    /// # Errors
    /// [`StartError`] if the address needs a token and there is none, or if it cannot be bound.
    pub(crate) async fn bind(
        admin: AdminSettings,
        health: Arc<Health>,
        settings: Option<&Handle>,
    ) -> Result<Self, StartError> {
        let AdminSettings { address, has_token, allowed_hosts } = admin;
        if !address.ip().to_canonical().is_loopback() && !has_token {
            return Err(StartError::NeedsToken { address, variable: TOKEN_VARIABLE });
        }
        let failed = |error| StartError::Bind { address, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let mut operators = http::Admin::new(Arc::clone(&health)).allowed_hosts(allowed_hosts);
        if !address.ip().is_unspecified() {
            operators = operators.allowed_hosts([address.to_string()]);
        }
        if let Some(settings) = settings {
            operators = operators.settings(settings);
        }
        let router = http::router(health).merge(operators.router());
        Ok(Self { listener, address, router })
    }

    /// Returns the address, with the port that the system chose.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves operators until `stop`; then requests in flight are still answered.
    pub(crate) async fn serve(self, stop: CancellationToken) {
        // Without `TCP_NODELAY`, the second of two small writes waits up to 40 ms for an acknowledgement.
        let listener = self.listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        // The server ends only by `stop`: errors of single connections are not returned.
        let _ = axum::serve(listener, self.router).with_graceful_shutdown(stop.cancelled_owned()).await;
    }
}

#[cfg(test)]
mod tests;
