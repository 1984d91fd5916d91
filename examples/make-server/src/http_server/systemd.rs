//! Messages to systemd, for a unit of `Type=notify`: when the server serves, when it stops, and that it does not hang.
//! Without `NOTIFY_SOCKET` nothing is sent.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use reqwest::Client;
use sd_notify::NotifyState;
use tokio::time::{Instant, sleep_until};

use crate::http::loopback_client;

/// Reports that the server serves.
pub(super) fn ready(address: SocketAddr) {
    send(&[NotifyState::Ready, NotifyState::Status(&format!("Serving at http://{address}"))]);
}

/// Reports that the server stops, after the running requests.
pub(super) fn stopping(requests: usize) {
    send(&[NotifyState::Stopping, NotifyState::Status(&format!("Stopping; {requests} requests were running"))]);
}

/// Sends a message every half of `WATCHDOG_USEC`, for as long as the server responds.
///
/// A timer alone would show that one thread of the runtime works. So each message follows a request of `/livez` on a new
/// connection over loopback: if there is no message, then the runtime, the listener or the router does nothing any more, and
/// a restart helps. It does not request `/readyz`, because no restart mends what makes a server not ready, such as Make.
///
/// Ends at once if systemd expects no messages.
pub(super) async fn watchdog(address: SocketAddr) {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else { return };
    // A response that is late by less than a quarter of the limit does not end the server.
    let client = loopback_client().timeout(limit / 4).pool_max_idle_per_host(0).build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return tracing::error!(event = "config.error", "no watchdog messages: {error}"),
    };
    let url = format!("http://{}/livez", reachable(address));
    loop {
        let begun = Instant::now();
        let pause = if lives(&client, &url).await {
            send(&[NotifyState::Watchdog]);
            limit / 2
        } else {
            tracing::warn!(event = "watchdog.silent", "the server does not respond to itself");
            limit / 10
        };
        sleep_until(begun + pause.max(Duration::from_millis(1))).await;
    }
}

async fn lives(client: &Client, url: &str) -> bool {
    client.get(url).send().await.is_ok_and(|response| response.status().is_success())
}

/// An address of this machine under which the listener is reachable.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    address
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(event = "systemd.unreachable", "cannot send to NOTIFY_SOCKET: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_reachable_over_loopback() {
        for (address, expected) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.7:80", "10.0.0.7:80")]
        {
            assert_eq!(reachable(address.parse().unwrap()), expected.parse().unwrap());
        }
    }
}
