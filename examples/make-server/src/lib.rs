//! `make-server`: [Make](https://www.make.com) for MCP clients.
//!
//! Start reading at [`server`]: four tools and their policies. [`bare`] has the same tools without policies, [`api`]
//! the client that both use, [`http_server`] serves the tools over HTTP, and [`demo`] compares both builds while their
//! [`upstream`] fails.

use std::{error::Error, ffi::OsString, io, process::ExitCode, time::Duration};

use resilient_runtime::Resilience;

pub use self::args::Mode;
use self::{
    api::MakeApi,
    args::{Command, HELP, parse},
    bare::BareServer,
    server::MakeServer,
    settings::Settings,
};
use crate::{
    http::install_tls_provider,
    process::{Signals, USAGE, fail, log_failure, print, start},
    upstream::{DEMO_SEED, DEMO_TOKEN, Upstream},
};

pub mod api;
mod args;
pub mod bare;
pub mod demo;
pub mod error;
mod http;
pub mod http_server;
mod operations;
mod process;
mod schema;
pub mod server;
pub mod settings;
mod stdio;
mod store;
pub mod types;
pub mod upstream;

/// How long the end of the server waits for a reload that is running.
const PATIENCE: Duration = Duration::from_secs(1);

/// The prefix of its error messages.
const NAME: &str = "make-server";

/// Runs `make-server` with the arguments after the program's name.
#[must_use]
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(args) {
        Ok(Command::Help) => print(io::stdout(), HELP.trim_end(), 0),
        Ok(Command::Version) => print(io::stdout(), env!("CARGO_PKG_VERSION"), 0),
        Err(error) => fail(NAME, &error, USAGE),
        Ok(Command::Print(printed)) => printed.print(NAME, known),
        Ok(Command::Serve(mode)) => {
            // The exporter of traces is an HTTP client too.
            install_tls_provider();
            start(NAME, async move || serve(mode).await)
        }
    }
}

/// Makes the tools known, with the settings of the environment. Nothing is called or delivered: the store is a new one.
async fn known() -> Result<(), Box<dyn Error>> {
    let (store, _folder) = store::temporary()?;
    let server = nowhere()?;
    resilience().tools(MakeServer::tools).deferred(store, move || server.clone()).start()?;
    Ok(())
}

/// The policies and switches. A server over stdio has one client, and shares nothing.
fn resilience() -> Resilience {
    Resilience::from_env().single_replica()
}

/// A server that calls nothing.
pub(crate) fn nowhere() -> Result<MakeServer, Box<dyn Error>> {
    Ok(MakeServer::new(MakeApi::new(&Settings::for_demo("http://127.0.0.1:9", DEMO_TOKEN)?)?))
}

/// Serves over stdio until the client disconnects.
async fn serve(mode: Mode) -> Result<ExitCode, Box<dyn Error>> {
    let signals = Signals::listen()?;
    let settings = match Settings::unless_demo(mode.demo) {
        Ok(settings) => settings,
        Err(error) => return Ok(log_failure(NAME, &error, USAGE)),
    };
    let (settings, _upstream) = or_demo(settings).await?;
    let api = MakeApi::new(&settings)?;
    if mode.bare {
        return stdio::serve(BareServer::new(api), signals).await;
    }
    let (store, _folder) = match store::open(mode.demo) {
        Ok(opened) => opened,
        Err(error) => return Ok(log_failure(NAME, error.as_ref(), settings::exit_code_of_store(error.as_ref()))),
    };
    let server = MakeServer::new(api);
    let for_deliveries = server.clone();
    // Before the first request, so that every guarded tool runs under these settings.
    let settings = resilience().tools(MakeServer::tools).deferred(store, move || for_deliveries.clone());
    let running = match settings.start() {
        Ok(running) => running,
        Err(error) => return Ok(log_failure(NAME, &error, USAGE)),
    };
    #[cfg(unix)]
    if mode.reload_on_hangup {
        running.reload_on_hangup()?;
    }
    let ended = stdio::serve(server, signals).await;
    // A file system that does not answer keeps a reload waiting.
    let _ = tokio::time::timeout(PATIENCE, running.shutdown()).await;
    ended
}

/// Returns the settings. Without any it starts an embedded upstream, which stops when it is dropped.
pub(crate) async fn or_demo(settings: Option<Settings>) -> Result<(Settings, Option<Upstream>), Box<dyn Error>> {
    if let Some(settings) = settings {
        return Ok((settings, None));
    }
    let upstream = Upstream::start(DEMO_TOKEN, DEMO_SEED).await?;
    // The parent process reads the address from the log, to control the upstream.
    tracing::info!(upstream = upstream.origin(), "the demo's upstream is up");
    Ok((Settings::for_demo(&upstream.base_url(), DEMO_TOKEN)?, Some(upstream)))
}
