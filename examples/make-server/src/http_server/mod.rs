//! `http-server`: the tools of [`make-server`](crate::server) over HTTP, with health, metrics and an end that loses no call.

use std::{error::Error, ffi::OsString, io, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use axum::{Router, middleware::from_fn_with_state, serve::ListenerExt};
use resilient_runtime::{Registry, Resilience, health::Health, http};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tokio::{
    net::TcpListener,
    select,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{
    args::{Command, HELP, Options, parse},
    gate::Gate,
};
use crate::{
    api::MakeApi,
    http::install_tls_provider,
    or_demo,
    process::{Signals, USAGE, block_on, fail, log_failure, print, start},
    server::MakeServer,
    settings::Settings,
    upstream::no_delay,
};

mod admin;
mod args;
mod check;
mod gate;
mod healthcheck;

/// Begins every line that it writes itself.
const NAME: &str = "http-server";

/// What is left to the network after the last answer, and to connections after that.
const MARGIN: Duration = Duration::from_secs(2);

/// After the last answer, the time without a request after which connections are closed.
const QUIET: Duration = Duration::from_millis(200);

/// How long a call may take where its guards are switched off.
const UNGUARDED: Duration = Duration::from_secs(30);

/// `main` of `http-server`. The arguments are those after the program's name.
#[must_use]
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(args) {
        Ok(Command::Help) => print(io::stdout(), HELP.trim_end(), 0),
        Ok(Command::Version) => print(io::stdout(), env!("CARGO_PKG_VERSION"), 0),
        Ok(Command::Healthcheck { url }) => block_on(async {
            Ok(match healthcheck::ask(&url).await {
                Ok(line) => print(io::stdout(), &line, 0),
                Err(line) => print(io::stderr(), &line, 1),
            })
        })
        .unwrap_or_else(|error| fail(NAME, error.as_ref(), 1)),
        Ok(Command::Serve(options)) => {
            // The exporter of traces is an HTTP client too.
            install_tls_provider();
            let settings = Resilience::from_env().tools(MakeServer::tool_router);
            start(NAME, settings, async move || serve(options).await)
        }
        Err(error) => fail(NAME, &error, USAGE),
    }
}

/// Serves until it is told to stop.
async fn serve(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let mut signals = Signals::listen()?;
    let settings = match Settings::unless_demo(options.demo) {
        Ok(settings) => settings,
        Err(error) => return Ok(log_failure(NAME, &error, USAGE)),
    };
    let (settings, _upstream) = or_demo(settings).await?;
    let api = MakeApi::new(&settings)?;
    let health = Arc::new(Health::new().check(check::make(api.clone())));

    let listener = TcpListener::bind(options.bind).await?;
    let address = listener.local_addr()?;
    let admin = match options.admin {
        Some(admin) => Some(serve_admin(admin, Arc::clone(&health)).await?),
        None => None,
    };
    let (gate, end) = (Gate::default(), CancellationToken::new());
    let mcp = StreamableHttpService::new(
        move || Ok(MakeServer::new(api.clone())),
        Arc::new(LocalSessionManager::default()),
        config(address, options.hosts).with_cancellation_token(end.clone()),
    );
    let app = Router::new()
        .route_service("/mcp", mcp)
        .layer(from_fn_with_state(gate.clone(), gate::pass))
        // Behind no gate: they tell that it is closed.
        .merge(http::router(Arc::clone(&health)))
        .layer(from_fn_with_state(gate.clone(), gate::close_connection));
    let serving = axum::serve(listener.tap_io(no_delay), app).with_graceful_shutdown(end.clone().cancelled_owned());
    let serving = tokio::spawn(serving.into_future());
    let watching = tokio::spawn({
        let health = Arc::clone(&health);
        async move { health.watch().await }
    });
    if !address.ip().is_loopback() {
        let warning = "everybody who reaches this address can use the tools: put something in front that says who may";
        tracing::warn!(event = "config.warning", "{warning}");
    }
    let admin = admin.map(|admin| format!("http://{admin}"));
    tracing::info!(event = "server.start", address = format!("http://{address}"), admin);

    let signal = signals.next().await;
    let patience = longest_answer() + MARGIN;
    let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(event = "server.stopping", signal, requests = gate.inside(), calls = running(), patience_ms);
    health.drain();
    gate.close();
    let stopped = async {
        if timeout(patience, all_answered(&gate)).await.is_err() {
            tracing::warn!(event = "server.abandoned", requests = gate.inside(), calls = running());
        }
        // A client that has not seen `Connection: close` yet gets 503 with it, and not the end of its connection.
        let _ = timeout(MARGIN / 2, gate.quiet(QUIET)).await;
        // Sessions and the streams that they hold open end, then the connections.
        end.cancel();
        let _ = timeout(MARGIN / 2, serving).await;
        tracing::info!(event = "server.stopped");
    };
    select! {
        () = stopped => {}
        signal = signals.next() => {
            tracing::warn!(event = "server.aborted", signal, requests = gate.inside(), calls = running());
        }
    }
    watching.abort();
    Ok(ExitCode::SUCCESS)
}

/// Waits until nothing is answered any more. A call of a session goes on when its client has lost the
/// connection, so that the client can come back for the answer: the requests alone do not tell.
async fn all_answered(gate: &Gate) {
    const PAUSE: Duration = Duration::from_millis(20);
    gate.empty().await;
    while running() > 0 {
        sleep(PAUSE).await;
    }
}

/// How many calls of tools run.
fn running() -> u64 {
    Registry::global().tools().iter().map(|(_, tool)| tool.in_flight).sum()
}

/// Serves the routes for operators until the process ends.
async fn serve_admin(address: SocketAddr, health: Arc<Health>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener.tap_io(no_delay), admin::router(health)).into_future());
    Ok(address)
}

/// Clients with sessions and those without are served alike. A page in a browser is let in by neither its
/// host (DNS rebinding) nor its origin.
fn config(address: SocketAddr, hosts: Vec<String>) -> StreamableHttpServerConfig {
    let mut config = StreamableHttpServerConfig::default().with_json_response(true).enforce_origin_validation();
    if !address.ip().is_unspecified() {
        config.allowed_hosts.push(address.to_string());
    }
    config.allowed_hosts.extend(hosts);
    config
}

/// The time after which every call that runs has its answer.
fn longest_answer() -> Duration {
    let policies = Registry::global().policies();
    policies.iter().map(|policy| policy.latest_answer().unwrap_or(UNGUARDED)).max().unwrap_or(UNGUARDED)
}
