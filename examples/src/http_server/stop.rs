//! When to stop: SIGTERM and SIGINT, and Ctrl-C where there are no signals.

use std::io;

/// Listens from now on; the future ends with the signal's name.
#[cfg(unix)]
pub(super) fn told() -> io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// Listens from when the future is polled first.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "as where there are signals")]
pub(super) fn told() -> io::Result<impl Future<Output = &'static str>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    })
}
