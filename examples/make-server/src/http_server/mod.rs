//! `http-server`: the tools of [`make-server`](crate::server) over HTTP, with health checks, metrics and graceful
//! shutdown.

use std::{error::Error, ffi::OsString, io, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use axum::{Router, http::HeaderName, middleware::from_fn_with_state, serve::ListenerExt};
use resilient_redis::Redis;
use resilient_runtime::{Registry, health::Health, http, startup::Handle};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tokio::{
    net::TcpListener,
    select,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{
    args::{Command, HELP, Options, parse},
    gate::Gate,
    settings::Settings,
    webhooks::Secret,
};
use crate::{
    api::MakeApi,
    http::install_tls_provider,
    nowhere, or_demo,
    process::{Signals, USAGE, block_on, fail, log_failure, print, start},
    server::MakeServer,
    settings::exit_code_of_store,
    store,
    upstream::no_delay,
};

mod alerting;
mod args;
mod check;
mod gate;
mod healthcheck;
mod settings;
#[cfg(unix)]
mod systemd;
mod user;
mod warnings;
mod webhooks;

/// The prefix of its error messages.
const NAME: &str = "http-server";

/// The time to send the last responses, and then to close connections.
const MARGIN: Duration = Duration::from_secs(2);

/// The time without a request, after the last response, after which connections are closed.
const QUIET: Duration = Duration::from_millis(200);

/// The interval at which the file of `RESILIENT_CONFIG` is compared with what was read last.
const RELOAD_EVERY: Duration = Duration::from_secs(10);

/// The assumed maximum duration of a call whose policies are disabled.
const UNGUARDED: Duration = Duration::from_secs(30);

/// Runs `http-server` with the arguments after the program's name.
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
        Ok(Command::Print(printed)) => printed.print(NAME, known),
        Ok(Command::Serve(options)) => {
            // The exporter of traces is an HTTP client too.
            install_tls_provider();
            start(NAME, async move || serve(options).await)
        }
        Err(error) => fail(NAME, &error, USAGE),
    }
}

/// Serves until a signal arrives.
async fn serve(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let mut signals = Signals::listen()?;
    let Settings { make, webhook_secret, alerts, redis, resilience } = match Settings::read(&options) {
        Ok(settings) => settings,
        Err(error) => return Ok(log_failure(NAME, &error, USAGE)),
    };
    let (make, _upstream) = or_demo(make).await?;
    let api = MakeApi::new(&make)?;
    let health = Health::new().check(check::make(api.clone()));
    let health = Arc::new(match &redis {
        Some(redis) => health.check(redis.health_check()),
        None => health,
    });
    let for_deliveries = MakeServer::new(api.clone());
    let for_deliveries = move || for_deliveries.clone();
    let resilience = if webhook_secret.is_some() { resilience.guard(&webhooks::WORK) } else { resilience };
    let resilience = resilience.tools(MakeServer::tools);
    // The replicas accept and deliver the runs of all. A single one uses a file.
    let (deferring, _folder) = match &redis {
        Some(redis) => (resilience.deferred(redis.deferred_store(), for_deliveries), None),
        None => match store::open(options.demo) {
            Ok((store, folder)) => (resilience.deferred(store, for_deliveries), folder),
            Err(error) => return Ok(log_failure(NAME, error.as_ref(), exit_code_of_store(error.as_ref()))),
        },
    };
    // Before any router is built, so that tools that are switched off are not listed.
    let settings = match deferring.health(&health).alerts(alerts).start() {
        Ok(running) => running,
        Err(error) => return Ok(log_failure(NAME, &error, USAGE)),
    };
    #[cfg(unix)]
    settings.reload_on_hangup()?;
    settings.reload_every(RELOAD_EVERY)?;

    let listener = TcpListener::bind(options.bind).await?;
    let address = listener.local_addr()?;
    let admin = match options.admin {
        Some(admin) => Some(serve_admin(admin, Arc::clone(&health), &settings).await?),
        None => None,
    };
    let (gate, end) = (Gate::default(), CancellationToken::new());
    let mcp = config(address, options.hosts, redis.as_ref()).with_cancellation_token(end.clone());
    let app = app(mcp, options.user_header, api, webhook_secret, &health, &gate);
    let serving = axum::serve(listener.tap_io(no_delay), app).with_graceful_shutdown(end.clone().cancelled_owned());
    let serving = tokio::spawn(serving.into_future());
    let watching = tokio::spawn({
        let health = Arc::clone(&health);
        async move { health.watch().await }
    });
    warnings::log(address, redis.is_some());
    let admin = admin.map(|admin| format!("http://{admin}"));
    tracing::info!(event = "server.start", address = format!("http://{address}"), admin);
    #[cfg(unix)]
    {
        systemd::ready(address);
        tokio::spawn(systemd::watchdog(address));
    }

    let signal = signals.next().await;
    // Before the stop is announced, so that the announcement is true.
    health.drain();
    gate.close();
    #[cfg(unix)]
    systemd::stopping(gate.inside());
    let patience = longest_answer() + MARGIN;
    let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(event = "server.stopping", signal, requests = gate.inside(), calls = running(), patience_ms);
    select! {
        () = stop(&gate, patience, &end, serving, settings) => tracing::info!(event = "server.stopped"),
        signal = signals.next() => {
            tracing::warn!(event = "server.aborted", signal, requests = gate.inside(), calls = running());
        }
    }
    watching.abort();
    Ok(ExitCode::SUCCESS)
}

/// Makes everything that is guarded known, with the settings of the environment. Nothing is called or delivered: the store
/// is a new one.
async fn known() -> Result<(), Box<dyn Error>> {
    let (store, _folder) = store::temporary()?;
    let server = nowhere()?;
    let redis = settings::redis(None)?;
    let resilience = settings::resilience(redis.as_ref())?.guard(&webhooks::WORK).tools(MakeServer::tools);
    resilience.deferred(store, move || server.clone()).start()?;
    Ok(())
}

/// All routes except those for operators.
fn app(
    config: StreamableHttpServerConfig,
    user_header: Option<HeaderName>,
    api: MakeApi,
    webhook_secret: Option<Secret>,
    health: &Arc<Health>,
    gate: &Gate,
) -> Router {
    let for_clients = api.clone();
    let mcp = StreamableHttpService::new(
        move || Ok(MakeServer::new(for_clients.clone())),
        Arc::new(LocalSessionManager::default()),
        config,
    );
    let mut app = Router::new().route_service("/mcp", mcp);
    if let Some(header) = user_header {
        app = app.layer(from_fn_with_state(header, user::identify));
    }
    if let Some(secret) = webhook_secret {
        app = app.merge(webhooks::router(api, secret));
    }
    app.layer(from_fn_with_state(gate.clone(), gate::pass))
        // Outside of the gate, so that readiness is available during shutdown.
        .merge(http::router(Arc::clone(health)))
        .layer(from_fn_with_state(gate.clone(), gate::close_connection))
}

/// Waits for the running calls, then ends sessions, connections and background tasks.
async fn stop(
    gate: &Gate,
    patience: Duration,
    end: &CancellationToken,
    serving: JoinHandle<io::Result<()>>,
    settings: Handle,
) {
    if timeout(patience, all_answered(gate)).await.is_err() {
        tracing::warn!(event = "server.abandoned", requests = gate.inside(), calls = running());
    }
    // Clients that have not received `Connection: close` yet receive it with a 503.
    let _ = timeout(MARGIN / 2, gate.quiet(QUIET)).await;
    // Ends sessions and their streams, then connections.
    end.cancel();
    let _ = timeout(MARGIN / 2, serving).await;
    // A file system that does not answer keeps a reload waiting.
    let _ = timeout(MARGIN / 2, settings.shutdown()).await;
}

/// Waits until no request and no call is running. The call of a session continues after its client has lost the
/// connection, so that the client can resume, so counting requests is not enough.
async fn all_answered(gate: &Gate) {
    const PAUSE: Duration = Duration::from_millis(20);
    gate.empty().await;
    while running() > 0 {
        sleep(PAUSE).await;
    }
}

/// The number of running tool calls.
fn running() -> u64 {
    Registry::global().tools().iter().map(|(_, tool)| tool.in_flight).sum()
}

/// Serves the routes for operators until the process ends.
async fn serve_admin(address: SocketAddr, health: Arc<Health>, settings: &Handle) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let operators = http::Admin::new(health).allowed_hosts([address.to_string()]).settings(settings).router();
    tokio::spawn(axum::serve(listener.tap_io(no_delay), operators).into_future());
    Ok(address)
}

/// Supports clients with and without sessions. Requests of web pages are rejected by `Host` (DNS rebinding) and
/// `Origin`. With Redis, a session continues on another replica.
fn config(address: SocketAddr, hosts: Vec<String>, redis: Option<&Redis>) -> StreamableHttpServerConfig {
    let mut config = StreamableHttpServerConfig::default().with_json_response(true).enforce_origin_validation();
    if !address.ip().is_unspecified() {
        config.allowed_hosts.push(address.to_string());
    }
    config.allowed_hosts.extend(hosts);
    if let Some(redis) = redis {
        config.session_store = Some(Arc::new(redis.sessions()));
    }
    config
}

/// The time after which every running call has its response.
fn longest_answer() -> Duration {
    let policies = Registry::global().policies();
    policies.iter().map(|policy| policy.latest_answer().unwrap_or(UNGUARDED)).max().unwrap_or(UNGUARDED)
}
