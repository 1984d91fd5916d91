//! `make-server`: [Make](https://www.make.com) for MCP clients.
//!
//! [`server`] is the part to read: four tools and their policies. [`bare`] is the same without them, [`api`] the client that both use.

use std::{
    error::Error,
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use resilient_runtime::Resilience;
use rmcp::{ServerHandler, ServiceExt, transport::io::stdio_pipes};

pub use self::args::Mode;
use self::{
    api::MakeApi,
    args::{Command, HELP, parse},
    bare::BareServer,
    server::MakeServer,
    settings::Settings,
};
use crate::{
    http::provide_tls,
    upstream::{DEMO_SEED, DEMO_TOKEN, Upstream},
};

pub mod api;
mod args;
pub mod bare;
pub mod error;
pub mod server;
pub mod settings;
pub mod types;

/// The exit code of a server that was called wrongly or is not configured.
const USAGE: u8 = 2;

/// `main` of `make-server`, for every executable that can be one. The arguments are those after the program's name.
#[must_use]
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(args) {
        Ok(Command::Help) => tell(io::stdout(), HELP.trim_end(), ExitCode::SUCCESS),
        Ok(Command::Version) => tell(io::stdout(), env!("CARGO_PKG_VERSION"), ExitCode::SUCCESS),
        Err(error) => fail(&error, USAGE),
        Ok(Command::Serve(mode)) => {
            // Whatever exports traces is an HTTP client too.
            provide_tls();
            // Dropped after everything else has ended.
            let _logging = resilient_runtime::init();
            // Before anything is guarded, so that all of it runs under the same settings.
            match Resilience::from_env().tools(MakeServer::tool_router).start() {
                Ok(()) => serve_blocking(mode),
                Err(error) => fail(&error, USAGE),
            }
        }
    }
}

fn serve_blocking(mode: Mode) -> ExitCode {
    let settings = if mode.demo { None } else { Some(Settings::from_env()) };
    let settings = match settings.transpose() {
        Ok(settings) => settings,
        Err(error) => return fail(&error, USAGE),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    let ended = runtime.block_on(serve(mode, settings));
    // A read of stdin or a call without an end must not keep the process alive after its client has gone.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error.as_ref(), 1),
    }
}

/// Serves over stdio until the client has gone. Without settings, on an embedded upstream.
async fn serve(mode: Mode, settings: Option<Settings>) -> Result<(), Box<dyn Error>> {
    let (settings, _upstream) = or_demo(settings).await?;
    let api = MakeApi::new(&settings)?;
    if mode.bare { converse(BareServer::new(api)).await } else { converse(MakeServer::new(api)).await }
}

/// These settings, or without any those of an embedded upstream, which lasts as long as it is kept.
pub(crate) async fn or_demo(settings: Option<Settings>) -> Result<(Settings, Option<Upstream>), Box<dyn Error>> {
    if let Some(settings) = settings {
        return Ok((settings, None));
    }
    let upstream = Upstream::start(DEMO_TOKEN, DEMO_SEED).await?;
    // Whoever started this process reads the address here, and may steer.
    tracing::info!(upstream = upstream.origin(), "the demo's upstream is up");
    Ok((Settings::for_demo(&upstream.base_url(), DEMO_TOKEN)?, Some(upstream)))
}

async fn converse(server: impl ServerHandler) -> Result<(), Box<dyn Error>> {
    server.serve(stdio_pipes()).await?.waiting().await?;
    Ok(())
}

fn fail(error: &dyn Error, code: u8) -> ExitCode {
    let mut text = format!("make-server: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    tell(io::stderr(), &text, ExitCode::from(code))
}

/// Writes a line; that nobody reads it is no reason to end otherwise.
fn tell(mut to: impl Write, text: &str, code: ExitCode) -> ExitCode {
    let _ = writeln!(to, "{text}");
    code
}
