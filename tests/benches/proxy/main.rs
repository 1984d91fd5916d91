//! What a proxy adds to each call of a tool: a server on rmcp with one tool, called by one small client, directly and
//! through proxies. Build the proxy of this workspace first:
//!
//! ```console
//! cargo build --profile proxy -p resilient-proxy
//! MCP_PROXY=~/.cargo/bin/mcp-proxy FASTMCP_PYTHON=venv/bin/python cargo bench -p resilient-bench --bench proxy
//! ```
//!
//! `RESILIENT_PROXY` names another executable. `MCP_PROXY` is the one of `cargo install mcp-proxy`, `FASTMCP_PYTHON` a
//! Python that has `fastmcp`; without them, their rows are missing. `PROXY_ROUNDS` and `PROXY_CALLS` change the number
//! of rounds and of calls in a round. The results are also written to `target/proxy.json`.
//!
//! In each round every process starts anew, all are warmed up, and then take turns, so that the load of the machine
//! affects all of them alike. A figure is the median of the rounds; a ratio is the median of the ratios to the direct
//! stdio connection within a round.
//!
//! `cargo test` runs this program too: it checks the client and the rows that need no proxy with a few calls.

mod checks;
mod process;
mod rounds;
mod table;
mod upstream;
mod ways;

use std::process::ExitCode;
use std::{env, io};

use resilient_bench::{client, demand_a_servers_clock, target};
use serde_json::{Value, json};

use rounds::Size;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["upstream"] => upstream::serve_stdio(),
        ["upstream-http", port] => port.parse().map_err(io::Error::other).and_then(upstream::serve_http),
        // What `cargo bench` passes, unlike `cargo test`.
        arguments if arguments.contains(&"--bench") => measure(),
        _ => return checks::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> io::Result<()> {
    demand_a_servers_clock();
    let size = Size { rounds: number("PROXY_ROUNDS", 3)?, calls: number("PROXY_CALLS", 2_000)?, warm_up: 100 };
    let folder = tempfile::tempdir()?;
    let (others, missing) = ways::others(folder.path())?;
    let mut all = ways::direct()?;
    all.extend(ways::ours()?);
    all.extend(others);
    let before = load();
    let rounds = rounds::run(&all, size, folder.path())?;
    let after = load();
    let rows = table::print(&all, &rounds);
    println!();
    for why in missing {
        println!("{why}");
    }
    let cores = std::thread::available_parallelism()?;
    println!(
        "{} rounds of {} calls, one at a time and {} at a time, after {} calls to warm up; load {before} before and \
         {after} after, {cores} cores",
        size.rounds,
        size.calls,
        client::AT_A_TIME,
        size.warm_up
    );
    let file = target().join("proxy.json");
    let results = json!({
        "rounds": size.rounds, "calls": size.calls, "load_before": before, "load_after": after,
        "cores": cores.get(), "rows": rows,
    });
    std::fs::write(&file, format!("{results:#}\n"))?;
    println!("written to {}", file.display());
    Ok(())
}

/// Returns the number in an environment variable.
fn number(variable: &str, default: u64) -> io::Result<u64> {
    match env::var(variable) {
        Ok(text) => match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(io::Error::other(format!("{variable}: not a number of calls or rounds: `{text}`"))),
        },
        Err(_) => Ok(default),
    }
}

/// Returns the average number of processes that wanted to run in the last minute.
fn load() -> Value {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().and_then(|load| load.parse::<f64>().ok()).into()
}
