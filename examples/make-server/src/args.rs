//! The flags of `make-server`. They are too few for a parser library.

use std::ffi::OsString;

pub(super) const HELP: &str = "\
make-server: Make.com for MCP clients, over stdio

Usage: make-server [--demo] [--bare]

  --demo     use an embedded simulation of Make (no account needed)
  --bare     the same tools without #[resilient], for comparison
  --version  print the version
  --help     print this

Environment:
  MAKE_API_TOKEN  the token of your Make account (required without --demo)
  MAKE_BASE_URL   your zone; default https://eu1.make.com/api/v2
  RUST_LOG        log filter; the log is JSON lines on stderr; default info,rmcp=warn
  OTEL_EXPORTER_OTLP_ENDPOINT
                  where spans and metrics are sent by OTLP over HTTP; default: nowhere. The other
                  OTEL_* variables apply too
";

/// What the arguments request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Serve(Mode),
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
}

pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, UnknownFlag> {
    let mut mode = Mode::default();
    for arg in args {
        match arg.to_str() {
            Some("--demo") => mode.demo = true,
            Some("--bare") => mode.bare = true,
            Some("--help" | "-h") => return Ok(Command::Help),
            Some("--version" | "-V") => return Ok(Command::Version),
            _ => return Err(UnknownFlag(arg.to_string_lossy().into_owned())),
        }
    }
    Ok(Command::Serve(mode))
}

/// An unknown flag.
#[derive(Debug, thiserror::Error)]
#[error("unknown argument `{0}`, expected `--demo`, `--bare`, `--version` or `--help`")]
pub(super) struct UnknownFlag(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Command, UnknownFlag> {
        parse(args.iter().map(OsString::from))
    }

    #[test]
    fn flags() {
        assert_eq!(parsed(&[]).unwrap(), Command::Serve(Mode { demo: false, bare: false }));
        assert_eq!(parsed(&["--bare", "--demo"]).unwrap(), Command::Serve(Mode { demo: true, bare: true }));
        assert_eq!(parsed(&["--demo", "--help"]).unwrap(), Command::Help);
        assert!(parsed(&["--dmeo"]).unwrap_err().to_string().contains("`--dmeo`"));
        assert!(parsed(&["demo"]).is_err());
    }
}
