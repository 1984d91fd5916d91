//! `demo`: compares the same server with and without `#[resilient]` while their upstream fails more and more.
//!
//! It starts `make-server --demo` and `make-server --demo --bare` as child processes, calls both with an MCP client
//! through the phases of `plan`, compares every response with the upstream's data (`verdict`), prints one table
//! (`table`), and exits with an error if the resilient server broke one of its `promises`.

use std::{
    error::Error,
    ffi::{OsStr, OsString},
    io::{self, Write},
    process::ExitCode,
};

use self::{
    plan::{BARE_PATIENCE, PATIENCE, STEPS, Step},
    report::Report,
    run::Pair,
    screen::Screen,
    server::Server,
};

mod calls;
mod plan;
mod promises;
mod report;
mod run;
mod screen;
mod server;
mod table;
mod verdict;

/// The hidden first argument with which the demo runs as `make-server`.
const AS_SERVER: &str = "make-server";

const HELP: &str = "\
demo: one MCP server with and without #[resilient], while its upstream fails

Usage: demo

Takes about 45 s, needs no network and no account. The exit code is 1 if the resilient server broke a promise.
";

/// An error that prevents the demo from running.
type Failure = Box<dyn Error + Send + Sync>;

/// Runs `demo` with the arguments after the program's name.
#[must_use]
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter();
    match args.next().as_deref().map(OsStr::to_str) {
        None => {}
        Some(Some(AS_SERVER)) => return crate::main_from(args),
        Some(Some("--help" | "-h")) => return end(io::stdout(), HELP.trim_end(), 0),
        Some(_) => return end(io::stderr(), "demo: unknown argument, expected none or `--help`", 2),
    }
    let run = || -> Result<bool, Failure> {
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(demo())
    };
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => end(io::stderr(), &format!("demo: {error}"), 2),
    }
}

/// Runs the demo. Returns whether every promise was kept.
async fn demo() -> Result<bool, Failure> {
    let screen = Screen::new();
    screen.say(
        "One MCP server twice: with #[resilient], and bare. The same calls to both, while their upstream gets worse.\n",
    )?;
    let pair = tokio::try_join!(Server::start(&[], PATIENCE), Server::start(&["--bare"], BARE_PATIENCE));
    let (resilient, bare) = pair?;
    let pair = Pair { resilient, bare };

    let mut reports: Vec<(Step, Report, Report)> = Vec::new();
    let mut first = 0;
    for step in STEPS {
        run::settle(&pair, &screen).await?;
        screen.say(&format!("{:<13} {}", step.phase, step.says))?;
        let (resilient, bare) = run::phase(&pair, &step, first, &screen).await?;
        screen.say(&format!("  resilient: {}\n  bare:      {}", in_short(&resilient), in_short(&bare)))?;
        first += step.calls;
        reports.push((step, resilient, bare));
    }
    conclude(&pair, &reports, &screen)?;
    let kept = reports.iter().all(|(step, resilient, _)| promises::broken(step, resilient).is_empty());
    tokio::join!(pair.resilient.stop(), pair.bare.stop());
    Ok(kept)
}

fn in_short(report: &Report) -> String {
    let Report { calls, answered, reads, stale_reads, .. } = report;
    let old = if *stale_reads > 0 { format!(", {stale_reads} of them old and saying so") } else { String::new() };
    let longest = table::seconds(report.longest());
    format!(
        "{answered} of {calls} answered, {} of {reads} reads good{old}, longest wait {longest}",
        report.good_reads()
    )
}

/// Prints the table and the conclusions.
fn conclude(pair: &Pair, reports: &[(Step, Report, Report)], screen: &Screen) -> io::Result<()> {
    let rows: Vec<table::Row<'_>> = reports.iter().map(|(step, resilient, bare)| (step, resilient, bare)).collect();
    screen.say(&format!("\n{}", table::table(&rows)))?;
    screen.say("good reads: what the upstream says now, or (old) what it said before, with its age in the answer.")?;
    screen.say("runs: write calls that took place and were answered; they are never repeated.")?;
    let leaks: usize = reports.iter().map(|(_, _, bare)| bare.leaks).sum();
    if leaks > 0 {
        screen.say(&format!("bare: {leaks} answers showed the client texts that belong into the log."))?;
    }

    let broken: Vec<String> =
        reports.iter().flat_map(|(step, resilient, _)| promises::broken(step, resilient)).collect();
    if broken.is_empty() {
        return screen.say("\nEvery promise was kept: all calls answered, in time, right or honest about their age.");
    }
    screen.say("\nBroken promises of the resilient server:")?;
    for promise in &broken {
        screen.say(&format!("  {promise}"))?;
    }
    screen.say(&format!("\nThe last lines of its log:\n{}", pair.resilient.log()))
}

/// Prints the last line and returns the exit code. A closed pipe does not change the code.
fn end(mut to: impl Write, text: &str, code: u8) -> ExitCode {
    let _ = writeln!(to, "{text}");
    ExitCode::from(code)
}
