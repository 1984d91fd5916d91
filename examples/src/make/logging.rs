//! JSON lines on stderr. Stdout belongs to MCP: one stray line there ends the session.

use std::{io, panic};

use tracing_subscriber::EnvFilter;

/// Without `RUST_LOG`. At `info`, rmcp logs every notification.
const DEFAULT: &str = "info,rmcp=warn";

/// Starts logging as `RUST_LOG` says. In the demo the line that tells the upstream's address is logged whatever it says.
pub(super) fn init(demo: bool) {
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    if demo && let Ok(directive) = "resilient_examples=info".parse() {
        filter = filter.add_directive(directive);
    }
    let subscriber =
        tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_writer(io::stderr);
    // A test that started the server in its own process may have a subscriber already.
    let _ = subscriber.try_init();

    // The default hook writes text among the JSON, and the panic's own words, which may hold anything.
    panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string);
        tracing::error!(location, "a panic");
    }));
}
