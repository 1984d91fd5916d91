//! `scenario-sync`: changes of scenarios for a service that resolves conflicts and may be down.
//!
//! Start reading at [`server`]: a write that is accepted for later. [`sync`] has the synchronisation itself, [`client`]
//! the service's API, [`demo`] a simulation of it.

use std::{error::Error, ffi::OsString, io, process::ExitCode, time::Duration};

use resilient_runtime::Resilience;
use resilient_sqlite::SqliteStore;
use tempfile::TempDir;

use self::{client::ScenarioApi, server::ScenarioSync, settings::Settings};
use crate::{
    demo::Service,
    embedded::Embedded,
    operations::Printed,
    process::{Signals, USAGE, fail, log_failure, print, start},
};

pub mod client;
pub mod demo;
mod embedded;
pub mod error;
mod http;
mod operations;
mod process;
mod schema;
pub mod server;
pub mod settings;
mod stdio;
mod store;
pub mod sync;
pub mod types;

/// The prefix of its error messages.
const NAME: &str = "scenario-sync";

/// A base URL for a client that sends nothing.
const NOWHERE: &str = "http://127.0.0.1:9";

const HELP: &str = "\
scenario-sync: changes of scenarios for MCP clients, over stdio. While the service is down, changes are stored, and
made later

Usage: scenario-sync [--demo]
       scenario-sync rules | dashboard

  --demo     use an embedded simulation of the service (no account needed). A synchronisation with an id such as
             `outage-20s-1` takes it down for 20 s
  --version  print the version
  --help     print this

  rules      print the rules of the alerts, for Prometheus
  dashboard  print a dashboard of the metrics, for Grafana

Environment:
  SCENARIOS_API_TOKEN      the token of your account (required without --demo)
  SCENARIOS_BASE_URL       the service (required without --demo)
  RESILIENT_DEFERRED_PATH  the file of the changes that are made later, in a folder that only this user can write
                           (required without --demo, whose file is deleted at its end)
  RESILIENT__TOOL__SYNC_SCENARIOS__DEFERRED__BASE=5s, ..
                           when they are made, and all other policies
  RUST_LOG                 log filter; the log is JSON lines on stderr; default info,rmcp=warn
";

/// How long the end of the server waits for its background tasks.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs `scenario-sync` with the arguments after the program's name.
#[must_use]
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter().peekable();
    let printed = args.peek().and_then(|arg| Printed::parse(arg.to_str()?));
    if printed.is_some() {
        args.next();
    }
    let mut demo = false;
    for arg in args {
        match arg.to_str() {
            Some("--demo") if printed.is_none() => demo = true,
            Some("--help" | "-h") => return print(io::stdout(), HELP.trim_end(), 0),
            Some("--version" | "-V") => return print(io::stdout(), env!("CARGO_PKG_VERSION"), 0),
            _ => return fail(NAME, &UnknownArgument(arg.to_string_lossy().into_owned()), USAGE),
        }
    }
    match printed {
        Some(printed) => printed.print(NAME, known),
        None => start(NAME, async move || serve(demo).await),
    }
}

/// Makes the tools known, with the settings of the environment. Nothing is called or delivered: the store is a new one.
async fn known() -> Result<(), Box<dyn Error>> {
    let (store, _folder) = store::temporary()?;
    let server = ScenarioSync::new(ScenarioApi::new(&Settings::for_demo(NOWHERE)?)?);
    Resilience::from_env().tools(ScenarioSync::tools).deferred(store, move || server.clone()).start()?;
    Ok(())
}

/// What the server needs. Dropping the last two stops the demo's service and deletes its folder.
struct Parts {
    server: ScenarioSync,
    store: SqliteStore,
    _service: Option<Embedded>,
    _folder: Option<TempDir>,
}

impl Parts {
    async fn prepare(demo: bool) -> Result<Self, Box<dyn Error>> {
        let (settings, service) = if demo {
            let service = Embedded::start(Service::new().routes()).await?;
            (Settings::for_demo(&service.origin())?, Some(service))
        } else {
            (Settings::from_env()?, None)
        };
        let (store, folder) = store::open(demo)?;
        Ok(Self { server: ScenarioSync::new(ScenarioApi::new(&settings)?), store, _service: service, _folder: folder })
    }
}

/// Serves over stdio until the client disconnects.
async fn serve(demo: bool) -> Result<ExitCode, Box<dyn Error>> {
    let signals = Signals::listen()?;
    let parts = match Parts::prepare(demo).await {
        Ok(parts) => parts,
        Err(error) => return Ok(log_failure(NAME, error.as_ref(), USAGE)),
    };
    // The worker makes deferred calls with its own clone of the server, from now on: those of an earlier process too.
    let for_deliveries = parts.server.clone();
    let settings = Resilience::from_env().tools(ScenarioSync::tools);
    let running = match settings.deferred(parts.store.clone(), move || for_deliveries.clone()).start() {
        Ok(running) => running,
        Err(error) => return Ok(log_failure(NAME, &error, USAGE)),
    };
    let ended = stdio::serve(parts.server.clone(), signals).await;
    // A delivery that is running is made again by the next process.
    let _ = tokio::time::timeout(PATIENCE, running.shutdown()).await;
    ended
}

#[derive(Debug, thiserror::Error)]
#[error("unknown argument `{0}`, expected `--demo`, `rules`, `dashboard`, `--version` or `--help`")]
struct UnknownArgument(String);
