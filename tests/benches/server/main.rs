//! A complete call of an rmcp tool on the server alone: JSON lines go in and come out over a pipe in memory, and no client
//! makes or reads them. The server is bare, bare with the same `_meta`, and guarded, including the hook.
//!
//! `cargo bench -p resilient-bench --bench server` prints calls per second, the median and the 99th percentile of one
//! call at a time, and allocations per call, and writes `target/server.json`. With `-- instructions` it prints the
//! instructions of one call, which need `valgrind`, and writes `target/server_instructions.json`. Those include the
//! pipe and the runtime, which are the same for all.

mod lines;
mod servers;

use std::hint::black_box;
use std::process::ExitCode;
use std::{env, fs};

use lines::Lines;
use resilient_bench::interleaved::{TURN, Way, time};
use resilient_bench::{demand_a_servers_clock, target, valgrind};
use serde_json::{Value, json};
use servers::{Bare, Disclosing, Guarded};

const TOOLS: [&str; 3] = ["nothing", "sum", "later"];
const WAYS: [&str; 3] = ["bare", "bare, same `_meta`", "guarded"];

fn main() -> ExitCode {
    demand_a_servers_clock();
    let arguments: Vec<String> = env::args().collect();
    if let [_, tool, way, padding, times] = arguments.as_slice()
        && let (Ok(padding), Ok(times)) = (padding.parse(), times.parse())
    {
        counted(tool, way, padding, times);
    } else if !arguments.iter().any(|argument| argument == "instructions") {
        times();
    } else if valgrind::is_installed() {
        instructions();
    } else {
        eprintln!("valgrind is not there; it counts the instructions");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn start(way: &str) -> Lines {
    match way {
        "bare" => Lines::to(Bare),
        "guarded" => Lines::to(Guarded),
        _ => Lines::to(Disclosing),
    }
}

fn line(tool: &str) -> String {
    let arguments = if tool == "nothing" { json!({}) } else { json!({ "a": 1, "b": 2 }) };
    let params = json!({ "name": tool, "arguments": arguments });
    format!("{}\n", json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }))
}

fn times() {
    let mut servers = WAYS.map(start);
    println!(
        "{:<10}{:<20}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "", "", "calls/s", "µs/call", "/ bare", "p50 µs", "p99 µs", "allocs"
    );
    let mut rows = Vec::new();
    for tool in TOOLS {
        let line = line(tool);
        let (allocations, times) = {
            let mut servers = servers.iter_mut();
            let mut repeated = WAYS.map(|name| {
                let (server, line) = (servers.next().expect("a server for each way"), &line);
                Way::new(name, move |times| server.call(line, times))
            });
            let allocations: Vec<f64> = repeated.iter_mut().map(Way::allocations).collect();
            (allocations, time(&mut repeated, TURN, || {}))
        };
        for (index, (name, server)) in WAYS.into_iter().zip(&mut servers).enumerate() {
            let (p50, p99) = percentiles(server, &line);
            let (ns, over) = (times[index], times[index] / times[0]);
            println!(
                "{:<10}{name:<20}{:>12.0}{:>10.2}{over:>10.3}{p50:>10.2}{p99:>10.2}{:>10.1}",
                if index == 0 { tool } else { "" },
                1e9 / ns,
                ns / 1e3,
                allocations[index]
            );
            rows.push(json!({
                "tool": tool, "way": name, "calls_a_second": 1e9 / ns, "us": ns / 1e3, "to_bare": over,
                "p50_us": p50, "p99_us": p99, "allocations": allocations[index],
            }));
        }
    }
    write("server.json", rows);
}

/// Returns the median and the 99th percentile of one call at a time, in microseconds.
fn percentiles(server: &mut Lines, line: &str) -> (f64, f64) {
    const CALLS: usize = 20_000;
    let mut samples = server.samples(line, CALLS);
    samples.sort_by(f64::total_cmp);
    (samples[CALLS / 2], samples[CALLS * 99 / 100])
}

fn instructions() {
    println!("{:<10}{:>12}{:>20}{:>12}{:>20}", "", WAYS[0], WAYS[1], WAYS[2], "over same `_meta`");
    let mut rows = Vec::new();
    for tool in TOOLS {
        let [bare, disclosing, guarded] = WAYS.map(|way| {
            let counts = PADDINGS.map(|padding| valgrind::instructions(&[tool, way, padding], 2_000));
            counts.into_iter().fold(f64::INFINITY, f64::min)
        });
        let over = guarded - disclosing;
        println!("{tool:<10}{bare:>12.0}{disclosing:>20.0}{guarded:>12.0}{over:>20.0}");
        rows.push(json!({ "tool": tool, "bare": bare, "same_meta": disclosing, "guarded": guarded, "over": over }));
    }
    write("server_instructions.json", rows);
}

/// The sizes of an allocation before all others. By chance, the allocator merges free blocks in some ways and not in
/// others, which takes up to a thousand instructions of a call; the minimum over several states of the heap has less of
/// that.
const PADDINGS: [&str; 4] = ["0", "3000", "30000", "100000"];

/// Makes the calls of which the instructions are counted.
fn counted(tool: &str, way: &str, padding: usize, times: u64) {
    let _padding = black_box(vec![1_u8; padding]);
    let (mut server, line) = (start(way), line(tool));
    // The first calls and the clock's thread are not counted.
    server.call(&line, 100);
    valgrind::wait_for_the_clock();
    server.call(&line, 100);
    valgrind::counted_calls(|| server.call(&line, times));
}

fn write(name: &str, rows: Vec<Value>) {
    let file = target().join(name);
    fs::write(&file, format!("{:#}\n", Value::Array(rows))).expect("the results can be written");
    println!("\nwritten to {}", file.display());
}
