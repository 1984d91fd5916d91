//! Runs the proxy: arguments, settings, servers, fronts, signals.

use std::ffi::OsString;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use resilient_client::base_policies;
use resilient_runtime::health::Health;
use resilient_runtime::startup::Handle;
use resilient_runtime::{Resilience, logging};
use tokio_util::sync::CancellationToken;

use crate::admin::{AdminServer, AdminSettings};
use crate::arguments::{Action, Arguments, help, parse};
use crate::bridge::Bridge;
use crate::front::http::{HttpFront, HttpSettings, TOKEN_VARIABLE, Token};
use crate::front::stdio;
use crate::merge::Merge;
use crate::per_session::PerSession;
use crate::service::Service;
use crate::setup::{Prepared, Problems, Servers, prepare};

/// The exit code for wrong arguments or settings.
const WRONG: u8 = 2;

/// How long requests may take to be answered once standard input has ended.
const REST: Duration = Duration::from_secs(10);

/// Runs the proxy.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match parse(arguments, |name| std::env::var_os(name)) {
        Ok(Action::Help) => print(&help()),
        Ok(Action::Version) => print(concat!("resilient-proxy ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Action::Check(arguments)) => start(&arguments, true),
        Ok(Action::Serve(arguments)) => start(&arguments, false),
        Err(error) => wrong(&[error.to_string()]),
    }
}

/// Writes a text to standard output, which is not MCP's before a front serves there.
fn print(text: &str) -> ExitCode {
    let written = std::io::stdout().write_all(text.as_bytes());
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reports what is wrong.
fn wrong(problems: &[String]) -> ExitCode {
    report(problems);
    ExitCode::from(WRONG)
}

fn report(problems: &[String]) {
    for problem in problems {
        eprintln!("resilient-proxy: {problem}");
    }
}

/// Checks everything, and serves unless only the check was asked for.
fn start(arguments: &Arguments, only_check: bool) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return wrong(&[format!("the system refuses what the proxy needs to run: {error}")]),
    };
    let code = runtime.block_on(start_in_runtime(arguments, only_check));
    // A thread that still reads standard input must not delay the exit.
    runtime.shutdown_background();
    code
}

async fn start_in_runtime(arguments: &Arguments, only_check: bool) -> ExitCode {
    let _logging = logging::init();
    let mut problems = Problems::default();
    let servers = prepare(arguments, &mut problems);
    let token = match Token::from_variable(std::env::var_os(TOKEN_VARIABLE)) {
        Ok(token) => token,
        Err(error) => {
            problems.fatal.push(error.to_string());
            None
        }
    };
    let health = Arc::new(Health::new().version(env!("CARGO_PKG_VERSION")));
    let settings = match settings(arguments, &health) {
        Ok(settings) => Some(settings),
        Err(problem) => {
            problems.fatal.push(problem);
            None
        }
    };
    let (Some(servers), Some(settings), true) = (servers, settings, problems.fatal.is_empty()) else {
        problems.fatal.extend(problems.of_servers);
        return wrong(&problems.fatal);
    };
    if only_check {
        return if problems.of_servers.is_empty() { ExitCode::SUCCESS } else { wrong(&problems.of_servers) };
    }
    // The other servers run.
    report(&problems.of_servers);
    serve(arguments, servers, token, &health, &settings).await
}

/// Applies the settings of tools: those of the file of `--policy`, else of `RESILIENT_CONFIG`, and of variables. A file in
/// the working directory is not read.
fn settings(arguments: &Arguments, health: &Arc<Health>) -> Result<Handle, String> {
    let mut variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    if let Some(policy) = &arguments.policy {
        variables.retain(|(name, _)| name != "RESILIENT_CONFIG");
        variables.push(("RESILIENT_CONFIG".into(), policy.into()));
    }
    let resilience = Resilience::from_variables(variables).tools_found_later(&base_policies(arguments.timeout));
    resilience.health(health).start().map_err(|error| error.to_string())
}

async fn serve(
    arguments: &Arguments,
    servers: Servers,
    token: Option<Token>,
    health: &Arc<Health>,
    settings: &Handle,
) -> ExitCode {
    let stop = CancellationToken::new();
    stop_on_signals(&stop, arguments.http.is_none());
    // Everything is bound before a server starts.
    let (http, admin) = match bind(arguments, token, health, settings).await {
        Ok(bound) => bound,
        Err(problem) => return wrong(&[problem]),
    };
    if let Some(admin) = admin {
        listening("admin.listening", admin.address());
        tokio::spawn(admin.serve(stop.clone()));
    }
    let started = Started::start(servers, arguments);
    let code = match http {
        Some(front) => {
            listening("front.listening", front.address());
            front.serve(started.service(), stop.clone()).await;
            ExitCode::SUCCESS
        }
        None => match stdio::serve(started.service(), stop.clone(), arguments.timeout.min(REST)).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => wrong(&[format!("standard input and output cannot be used: {error}")]),
        },
    };
    health.drain();
    stop.cancel();
    started.stop().await;
    settings.shutdown().await;
    code
}

async fn bind(
    arguments: &Arguments,
    token: Option<Token>,
    health: &Arc<Health>,
    settings: &Handle,
) -> Result<(Option<HttpFront>, Option<AdminServer>), String> {
    let allowed_hosts = &arguments.allowed_hosts;
    let http = match arguments.http {
        Some(address) => {
            let front = HttpFront::bind(HttpSettings { address, token, allowed_hosts: allowed_hosts.clone() }).await;
            Some(front.map_err(|error| error.to_string())?)
        }
        None => None,
    };
    let admin = match arguments.admin {
        Some(address) => {
            let has_token = std::env::var_os("RESILIENT_ADMIN_TOKEN").is_some();
            let admin = AdminSettings { address, has_token, allowed_hosts: allowed_hosts.clone() };
            let server = AdminServer::bind(admin, Arc::clone(health), Some(settings)).await;
            Some(server.map_err(|error| error.to_string())?)
        }
        None => None,
    };
    Ok((http, admin))
}

fn listening(event: &'static str, address: SocketAddr) {
    tracing::info!(event, %address, "listening");
}

/// Stops the proxy on `SIGTERM` and on `SIGINT`, and over stdio on `SIGHUP`: the terminal of the client is gone.
fn stop_on_signals(stop: &CancellationToken, is_stdio: bool) {
    let stopped = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stopped.cancel();
        }
    });
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [Some(SignalKind::terminate()), is_stdio.then(SignalKind::hangup)];
        for mut signals in kinds.into_iter().flatten().filter_map(|kind| signal(kind).ok()) {
            let stop = stop.clone();
            tokio::spawn(async move {
                signals.recv().await;
                stop.cancel();
            });
        }
    }
    #[cfg(not(unix))]
    let _ = is_stdio;
}

/// The servers that were started.
enum Started {
    One(Bridge),
    PerSession(Arc<PerSession>),
    Several(Merge),
}

impl Started {
    fn start(servers: Servers, arguments: &Arguments) -> Self {
        match servers {
            Servers::One(server) => {
                let Prepared { target, settings } = *server;
                let is_remote = matches!(target, resilient_client::Target::Http(_));
                let is_per_session = arguments.is_child_per_session || (is_remote && arguments.http.is_some());
                if is_per_session {
                    Self::PerSession(Arc::new(PerSession::new(target, settings)))
                } else {
                    Self::One(Bridge::start(target, settings))
                }
            }
            Servers::Several(servers) => {
                let bridges = servers.into_iter().map(|Prepared { target, settings }| {
                    let name = settings.name.clone();
                    (name, Bridge::start(target, settings))
                });
                Self::Several(Merge::start(bridges))
            }
        }
    }

    fn service(&self) -> Arc<dyn Service> {
        match self {
            Self::One(bridge) => Arc::new(bridge.clone()),
            Self::PerSession(servers) => Arc::clone(servers) as Arc<dyn Service>,
            Self::Several(merge) => Arc::new(merge.clone()),
        }
    }

    async fn stop(&self) {
        match self {
            Self::One(bridge) => bridge.stop().await,
            Self::PerSession(servers) => servers.stop().await,
            Self::Several(merge) => merge.stop().await,
        }
    }
}
