//! The flags of `http-server`.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::http::HeaderName;

use crate::operations::Printed;

pub(super) const HELP: &str = "\
http-server: Make.com for MCP clients, over HTTP

Usage: http-server [--demo] [--bind ADDR] [--host NAME]... [--admin ADDR] [--user-header NAME] [--redis URL]
       http-server healthcheck [--url URL]
       http-server rules | dashboard

  --bind ADDR   where to listen; default 127.0.0.1:8000, port 0 for any that is free.
                /mcp, /livez, /readyz, /healthz, /metrics, /webhooks/make. Everyone who can reach /mcp uses the token
                below: put an authenticating proxy in front. It must pass `Authorization` on, which
                distinguishes clients
  --host NAME   a name by which clients may call this server, besides localhost and the address itself
  --admin ADDR  a loopback address for /status, /errors, /breakers, /policies and /deferred; with
                RESILIENT_ADMIN_TOKEN also for POST /level, /tools/NAME, /features/NAME,
                /breakers/NAME, /deferred/ID and /reload; default: they are not served
  --user-header NAME
                the header in which the proxy passes the authenticated user, such as X-Forwarded-User; the
                proxy must remove it from requests of clients. Only runs of known users are started later
  --redis URL   the Redis that this server shares with its replicas, such as redis://127.0.0.1:6379: limits, news of
                breakers, runs that are started later, and sessions of clients. Other users of this machine can
                read the arguments of a process, so put a URL with a password into RESILIENT_REDIS_URL instead
  --demo        use an embedded simulation of Make (no account needed)
  --version     print the version
  --help        print this

  healthcheck   check whether a running server is ready: exit code 0 if so, else 1, within 3 s
  --url URL     which one; default http://127.0.0.1:8000/readyz
  rules         print the rules of the alerts, for Prometheus
  dashboard     print a dashboard of the metrics, for Grafana

On SIGTERM and SIGINT the server rejects new calls, completes running ones, then ends. Allow 21 s:
the longest duration of a call (8 s, and 5 s to accept it for later), 2 s to send responses, 2 s to
close connections, 3 s for the last export, 1 s to log it. A second signal ends the server at once. SIGHUP reads the file of
RESILIENT_CONFIG again, as does a change of its content within 10 s.

Environment:
  RESILIENT_READ_ONLY, RESILIENT__TOOL__RUN_SCENARIO__ENABLED=false, RESILIENT__LEVEL=minimal, ..
                  what is switched off
  RESILIENT_CONFIG
                  a file with the same settings and all policies, which is read again while it runs
  RESILIENT_ADMIN_TOKEN
                  the token that the routes of --admin need, at least 16 characters; with it they
                  change things too
  MAKE_API_TOKEN  the token of your Make account (required without --demo); with the scope
                  organizations:read, /healthz shows whether Make accepts it
  MAKE_WEBHOOK_SECRET
                  the secret with which scenarios report to POST /webhooks/make, as bearer token, at least
                  16 characters; default: the route is not served
  RESILIENT_REDIS_URL
                  as --redis, which takes precedence; default: this server is the only replica. Several servers
                  without a Redis allow each the whole limit; one that listens for other machines warns of it at
                  start, unless RESILIENT_REPLICAS is 1
  RESILIENT_REDIS_PREFIX
                  the beginning of all keys in this Redis; default resilient
  RESILIENT_REPLICAS
                  the number of replicas, each of which allows its share of a limit while Redis does not answer;
                  without a Redis, a server does not start with more than 1
  RESILIENT_ADMIN_TOKEN_FILE, MAKE_API_TOKEN_FILE, MAKE_WEBHOOK_SECRET_FILE, RESILIENT_REDIS_URL_FILE
                  files with these secrets
  RESILIENT_ALERT_WEBHOOK, RESILIENT_ALERTMANAGER_URL
                  where alerts are sent to if no Prometheus scrapes this server, in addition to the log;
                  RESILIENT_ALERT_WEBHOOK_TOKEN_FILE is a file with the token for the webhook
  ALERT_INSTANCE  the label `instance` of these alerts; default: the address of --bind
  NOTIFY_SOCKET, WATCHDOG_USEC
                  set by systemd: where the server reports that it is ready, that it stops, and that it does
                  not hang
  MAKE_BASE_URL   your zone; default https://eu1.make.com/api/v2
  RESILIENT_DEFERRED_PATH
                  the file of runs that are started later, because Make could not start them; in a folder
                  that only this user can write (required without --demo and --redis). With --redis they are in
                  Redis, and runs in this file are not started: see deploy/README.md
  RUST_LOG        log filter; the log is JSON lines on stderr; default info,rmcp=warn
  OTEL_EXPORTER_OTLP_ENDPOINT
                  where spans and metrics are sent by OTLP over HTTP; default: nowhere. The other
                  OTEL_* variables apply too
";

const DEFAULT_BIND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);
const DEFAULT_URL: &str = "http://127.0.0.1:8000/readyz";

/// What the arguments request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Serve(Options),
    Healthcheck { url: String },
    Print(Printed),
    Help,
    Version,
}

/// The options of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) bind: SocketAddr,
    pub(super) admin: Option<SocketAddr>,
    pub(super) hosts: Vec<String>,
    pub(super) user_header: Option<HeaderName>,
    /// May contain a password.
    pub(super) redis: Option<String>,
    pub(super) demo: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { bind: DEFAULT_BIND, admin: None, hosts: Vec::new(), user_header: None, redis: None, demo: false }
    }
}

/// Why the arguments are invalid.
#[derive(Debug, thiserror::Error)]
pub(super) enum Wrong {
    #[error("unknown argument `{0}`; `--help` lists those that there are")]
    Unknown(String),
    #[error("`{0}` needs a value")]
    NoValue(String),
    #[error("`{flag}` is `{value}`, expected an address and a port, for example `127.0.0.1:8000`")]
    Address { flag: &'static str, value: String },
    #[error("`--user-header` is `{0}`, which is no name of a header")]
    Header(String),
    #[error("`--admin` is `{0}`, expected a loopback address, because its routes are only for operators")]
    Public(SocketAddr),
}

pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, Wrong> {
    let mut args = args.into_iter().map(|arg| arg.to_string_lossy().into_owned()).peekable();
    if args.next_if(|arg| arg == "healthcheck").is_some() {
        return healthcheck(args);
    }
    if let Some(printed) = args.peek().and_then(|arg| Printed::parse(arg)) {
        return args.nth(1).map_or(Ok(Command::Print(printed)), |arg| Err(Wrong::Unknown(arg)));
    }
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--demo" => options.demo = true,
            "--bind" => options.bind = address("--bind", value(&arg, &mut args)?)?,
            "--host" => options.hosts.push(value(&arg, &mut args)?),
            "--admin" => {
                let admin = address("--admin", value(&arg, &mut args)?)?;
                if !admin.ip().is_loopback() {
                    return Err(Wrong::Public(admin));
                }
                options.admin = Some(admin);
            }
            "--user-header" => {
                let name = value(&arg, &mut args)?;
                options.user_header = Some(name.parse().map_err(|_| Wrong::Header(name))?);
            }
            "--redis" => options.redis = Some(value(&arg, &mut args)?),
            "--help" | "-h" => return Ok(Command::Help),
            "--version" | "-V" => return Ok(Command::Version),
            _ => return Err(Wrong::Unknown(arg)),
        }
    }
    Ok(Command::Serve(options))
}

fn healthcheck(mut args: impl Iterator<Item = String>) -> Result<Command, Wrong> {
    let mut url = DEFAULT_URL.to_owned();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--url" => url = value(&arg, &mut args)?,
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(Wrong::Unknown(arg)),
        }
    }
    Ok(Command::Healthcheck { url })
}

fn value(flag: &str, args: &mut impl Iterator<Item = String>) -> Result<String, Wrong> {
    args.next().filter(|value| !value.starts_with("--")).ok_or_else(|| Wrong::NoValue(flag.to_owned()))
}

fn address(flag: &'static str, value: String) -> Result<SocketAddr, Wrong> {
    value.parse().map_err(|_| Wrong::Address { flag, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Command, Wrong> {
        parse(args.iter().map(OsString::from))
    }

    #[test]
    fn flags() {
        assert_eq!(parsed(&[]).unwrap(), Command::Serve(Options::default()));
        let said = ["--demo", "--bind", "0.0.0.0:80", "--admin", "[::1]:81", "--host", "a.example", "--host", "b"];
        let expected = Options {
            bind: "0.0.0.0:80".parse().unwrap(),
            admin: Some("[::1]:81".parse().unwrap()),
            hosts: vec!["a.example".to_owned(), "b".to_owned()],
            demo: true,
            ..Options::default()
        };
        assert_eq!(parsed(&said).unwrap(), Command::Serve(expected));
        let expected = Options { user_header: Some(HeaderName::from_static("x-forwarded-user")), ..Options::default() };
        assert_eq!(parsed(&["--user-header", "X-Forwarded-User"]).unwrap(), Command::Serve(expected));
        let expected = Options { redis: Some("redis://10.0.0.7:6379".to_owned()), ..Options::default() };
        assert_eq!(parsed(&["--redis", "redis://10.0.0.7:6379"]).unwrap(), Command::Serve(expected));
        assert_eq!(parsed(&["--demo", "--help"]).unwrap(), Command::Help);
    }

    #[test]
    fn the_health_check_asks_this_machine_unless_told() {
        assert_eq!(parsed(&["healthcheck"]).unwrap(), Command::Healthcheck { url: DEFAULT_URL.to_owned() });
        let told = parsed(&["healthcheck", "--url", "http://x/readyz"]).unwrap();
        assert_eq!(told, Command::Healthcheck { url: "http://x/readyz".to_owned() });
        assert!(parsed(&["healthcheck", "--demo"]).is_err());
    }

    #[test]
    fn what_is_printed_has_no_options() {
        assert_eq!(parsed(&["rules"]).unwrap(), Command::Print(Printed::Rules));
        assert_eq!(parsed(&["dashboard"]).unwrap(), Command::Print(Printed::Dashboard));
        assert!(parsed(&["rules", "--demo"]).is_err());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (args, named) in [
            (&["--dmeo"] as &[_], "`--dmeo`"),
            (&["--bind"], "`--bind` needs a value"),
            (&["--bind", "--demo"], "`--bind` needs a value"),
            (&["--bind", "8000"], "`8000`"),
            (&["--redis"], "`--redis` needs a value"),
            (&["--admin", "0.0.0.0:9000"], "loopback"),
            (&["--user-header", "a b"], "`a b`"),
            (&["--demo", "healthcheck"], "`healthcheck`"),
        ] {
            let error = parsed(args).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
