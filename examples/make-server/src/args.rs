//! The flags of `make-server`. They are too few for a parser library.

use std::ffi::{OsStr, OsString};

use crate::operations::Printed;

pub(super) const HELP: &str = "\
make-server: Make.com for MCP clients, over stdio

Usage: make-server [--demo] [--bare] [--reload-on-hangup]
       make-server rules | dashboard

  --demo     use an embedded simulation of Make (no account needed)
  --bare     the same tools without #[resilient], for comparison
  --reload-on-hangup
             read the file of RESILIENT_CONFIG again on SIGHUP, which otherwise ends the server
             (not on Windows)
  --version  print the version
  --help     print this

  rules      print the rules of the alerts, for Prometheus
  dashboard  print a dashboard of the metrics, for Grafana

Environment:
  RESILIENT_READ_ONLY, RESILIENT__TOOL__RUN_SCENARIO__ENABLED=false, RESILIENT__LEVEL=minimal, ..
                  what is switched off; RESILIENT_CONFIG names a file with the same settings and
                  all policies
  MAKE_API_TOKEN  the token of your Make account (required without --demo); MAKE_API_TOKEN_FILE is a file
                  with it
  MAKE_BASE_URL   your zone; default https://eu1.make.com/api/v2
  RESILIENT_DEFERRED_PATH
                  the file of runs that are started later, because Make could not start them; in a folder
                  that only this user can write (required without --demo)
  RUST_LOG        log filter; the log is JSON lines on stderr; default info,rmcp=warn
  OTEL_EXPORTER_OTLP_ENDPOINT
                  where spans and metrics are sent by OTLP over HTTP; default: nowhere. The other
                  OTEL_* variables apply too
";

/// What the arguments request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Serve(Mode),
    Print(Printed),
    Help,
    Version,
}

/// The server to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// With the embedded upstream.
    pub demo: bool,
    /// Without `#[resilient]`.
    pub bare: bool,
    /// Reads the settings again on SIGHUP. Not by default: SIGHUP also means that the terminal was closed.
    pub reload_on_hangup: bool,
}

pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, UnknownFlag> {
    let mut args = args.into_iter().peekable();
    if let Some(printed) = args.peek().and_then(|arg| Printed::parse(arg.to_str()?)) {
        return args.nth(1).map_or(Ok(Command::Print(printed)), |arg| Err(UnknownFlag::new(&arg)));
    }
    let mut mode = Mode::default();
    for arg in args {
        match arg.to_str() {
            Some("--demo") => mode.demo = true,
            Some("--bare") => mode.bare = true,
            Some("--reload-on-hangup") if cfg!(unix) => mode.reload_on_hangup = true,
            Some("--help" | "-h") => return Ok(Command::Help),
            Some("--version" | "-V") => return Ok(Command::Version),
            _ => return Err(UnknownFlag::new(&arg)),
        }
    }
    Ok(Command::Serve(mode))
}

/// An unknown flag.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown argument `{0}`, expected `--demo`, `--bare`, `--reload-on-hangup`, `rules`, `dashboard`, `--version` or `--help`"
)]
pub(super) struct UnknownFlag(String);

impl UnknownFlag {
    fn new(arg: &OsStr) -> Self {
        Self(arg.to_string_lossy().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Command, UnknownFlag> {
        parse(args.iter().map(OsString::from))
    }

    #[test]
    fn flags() {
        assert_eq!(parsed(&[]).unwrap(), Command::Serve(Mode::default()));
        let all = Mode { demo: true, bare: true, reload_on_hangup: true };
        if cfg!(unix) {
            assert_eq!(parsed(&["--bare", "--demo", "--reload-on-hangup"]).unwrap(), Command::Serve(all));
        }
        assert_eq!(parsed(&["--demo", "--help"]).unwrap(), Command::Help);
        assert_eq!(parsed(&["rules"]).unwrap(), Command::Print(Printed::Rules));
        assert_eq!(parsed(&["dashboard"]).unwrap(), Command::Print(Printed::Dashboard));
        assert!(parsed(&["rules", "--demo"]).is_err() && parsed(&["--demo", "rules"]).is_err());
        assert!(parsed(&["--dmeo"]).unwrap_err().to_string().contains("`--dmeo`"));
        assert!(parsed(&["demo"]).is_err());
    }
}
