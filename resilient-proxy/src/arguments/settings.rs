//! What the command line sets.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use resilient_client::Transport;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Write the help text to stdout.
    Help,
    /// Write the version to stdout.
    Version,
    /// Validate all settings, and exit with 0 or 2.
    Check(Arguments),
    /// Serve.
    Serve(Arguments),
}

/// The settings of the command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) upstream: Upstream,
    /// `--policy`. If it is not given, `RESILIENT_CONFIG` may name a file.
    pub(crate) policy: Option<PathBuf>,
    /// `--http`: serve clients over HTTP instead of stdio.
    pub(crate) http: Option<SocketAddr>,
    /// `--admin`: serve metrics and the status page.
    pub(crate) admin: Option<SocketAddr>,
    /// `--allow-host`: hosts that requests may name besides those of this machine, in lower case.
    pub(crate) allowed_hosts: Vec<String>,
    /// `--timeout`: the timeout of a call. A server in a file may have another one.
    pub(crate) timeout: Duration,
    /// `--child-per-session`: each session over HTTP has its own child process.
    pub(crate) is_child_per_session: bool,
}

/// The servers behind the proxy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// One server: a command or a URL.
    One {
        /// The name in texts and metrics.
        name: String,
        transport: Transport,
        /// Whether the annotations of tools decide which calls may be repeated.
        trust_annotations: bool,
    },
    /// The servers of a file.
    Config(PathBuf),
}
