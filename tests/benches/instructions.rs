//! The instructions of a call with what a careful user writes with well-known crates, counted by valgrind's callgrind.
//! `cargo bench -p resilient-bench --bench instructions` prints them beside those of the bare function. Those of ours
//! are counted by the bench of the same name in `resilient-instructions`.

use std::process::ExitCode;
use std::{env, fs};

use resilient_bench::{bare, careful, demand_a_servers_clock, target, valgrind};
use serde_json::json;

const ROWS: [&str; 3] = ["ready", "pending", "open"];
const WAYS: [&str; 2] = ["bare", "(i)"];

fn main() -> ExitCode {
    demand_a_servers_clock();
    let arguments: Vec<String> = env::args().collect();
    if let [_, row, way, times] = arguments.as_slice()
        && let Ok(times) = times.parse()
    {
        run(row, way, times);
        return ExitCode::SUCCESS;
    }
    if !valgrind::is_installed() {
        eprintln!("valgrind is not installed; it counts the instructions");
        return ExitCode::FAILURE;
    }
    println!("{:<12}{:>10}{:>10}", "", WAYS[0], WAYS[1]);
    let mut counted = serde_json::Map::new();
    for row in ROWS {
        let counts = WAYS.map(|way| valgrind::fewest_instructions(&[row, way], valgrind::TIMES, |_| false));
        println!("{row:<12}{:>10.0}{:>10.0}", counts[0], counts[1]);
        counted.insert(
            row.into(),
            WAYS.into_iter().zip(counts).map(|(way, count)| (way.to_owned(), json!(count))).collect(),
        );
    }
    let file = target().join("instructions.json");
    fs::write(&file, format!("{:#}\n", serde_json::Value::Object(counted))).expect("the results can be written");
    println!("\nwritten to {}", file.display());
    ExitCode::SUCCESS
}

fn run(row: &str, way: &str, times: u64) {
    if way == "(i)" {
        careful::install();
    }
    match (row, way) {
        ("ready", "bare") => valgrind::counted(times, bare::ready),
        ("pending", "bare") => valgrind::counted(times, bare::pending),
        ("open", "bare") => valgrind::counted(times, bare::failing),
        ("ready", "(i)") => valgrind::counted(times, careful::ready),
        ("pending", "(i)") => valgrind::counted(times, careful::pending),
        ("open", "(i)") => valgrind::counted(times, careful::open),
        other => panic!("no such row and way: {other:?}"),
    }
}
