//! `assistant-client`: the part of an agent that runs tools. Read [`executor`] first.

use std::{
    error::Error,
    ffi::OsString,
    io::{self, Read, Write},
    path::Path,
    process::ExitCode,
};

use resilient_client::{Config, Servers};
use resilient_runtime::Resilience;

mod demo;
pub mod executor;

const HELP: &str = "\
assistant-client: runs the tools that a model asks for

Usage: assistant-client FILE [--tools] < CALLS
       assistant-client --demo [--tools] < CALLS

  FILE       the servers, in the format of mcp_servers.json
  --demo     use servers that are part of this program
  --tools    print the definitions of the tools, and read no calls
  --version  print the version
  --help     print this

CALLS is a JSON list of objects with id, name and arguments.

Environment:
  RUST_LOG   log filter; the log is JSON lines on stderr; default info
";

/// What the arguments ask for.
enum Command {
    Print(&'static str),
    Serve(String),
    Run { config: Result<Config, Box<dyn Error>>, only_tools: bool },
}

/// Runs `assistant-client` with the arguments after the program's name.
#[must_use]
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let ended = match parse(&args) {
        Ok(Command::Print(text)) => writeln!(io::stdout(), "{}", text.trim_end()).map_err(Into::into),
        Ok(Command::Serve(name)) => demo::serve(&name).map_err(Into::into),
        Ok(Command::Run { config, only_tools }) => config.and_then(|config| run(config, only_tools)),
        Err(error) => Err(error),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "assistant-client: {error}");
            ExitCode::from(2)
        }
    }
}

fn parse(args: &[String]) -> Result<Command, Box<dyn Error>> {
    let mut config = None;
    let mut only_tools = false;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--help" | "-h" => return Ok(Command::Print(HELP)),
            "--version" | "-V" => return Ok(Command::Print(env!("CARGO_PKG_VERSION"))),
            "--tools" => only_tools = true,
            "--demo" => config = Some(demo::config()),
            "serve" => return Ok(Command::Serve(args.next().cloned().unwrap_or_default())),
            file if !file.starts_with('-') && config.is_none() => {
                let read = Config::read(Path::new(file), |name| std::env::var_os(name));
                config = Some(read.map_err(Into::into));
            }
            other => return Err(format!("unexpected argument `{other}`; see `--help`").into()),
        }
    }
    let config = config.ok_or("expected a file of servers or `--demo`; see `--help`")?;
    Ok(Command::Run { config, only_tools })
}

fn run(config: Config, only_tools: bool) -> Result<(), Box<dyn Error>> {
    // Dropped last, so that the final lines are written.
    let _logging = resilient_runtime::logging::init();
    let mut input = String::new();
    if !only_tools {
        io::stdin().read_to_string(&mut input)?;
    }
    let calls = if only_tools { Vec::new() } else { executor::read(&input)? };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // Policies of tools may also be set in `resilient.toml` and by variables.
        Resilience::from_env().start()?;
        let servers = Servers::new(config);
        servers.settled().await;
        let mut stdout = io::stdout();
        if only_tools {
            for tool in executor::definitions(&servers) {
                writeln!(stdout, "{tool}")?;
            }
        }
        for answer in executor::run(&servers, calls).await {
            writeln!(stdout, "{}", serde_json::to_string(&answer)?)?;
        }
        executor::report(&servers);
        servers.stop().await;
        Ok(())
    })
}
