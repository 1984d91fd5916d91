//! The instructions of a call, counted by valgrind's callgrind, independent of the load of the machine. `cargo bench -p
//! resilient-bench --bench instructions` needs `valgrind`. Code that the kernel maps into a process, such as that of
//! the clock, is not counted.

use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs};

use resilient_bench::{bare, careful, demand_a_servers_clock, ours, target};
use serde_json::json;
use tokio::runtime::Builder;
use tokio::task::unconstrained;

const ROWS: [&str; 4] = ["ready", "pending", "open", "fresh"];
const WAYS: [&str; 3] = ["bare", "ours", "(i)"];

fn main() -> ExitCode {
    demand_a_servers_clock();
    let arguments: Vec<String> = env::args().collect();
    if let [_, row, way, times] = arguments.as_slice()
        && let Ok(times) = times.parse()
    {
        run(row, way, times);
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("valgrind is not there; it counts the instructions");
        return ExitCode::FAILURE;
    }
    println!("{:<12}{:>10}{:>10}{:>10}", "", WAYS[0], WAYS[1], WAYS[2]);
    let mut counted = serde_json::Map::new();
    for row in ROWS {
        // Only ours has a cache.
        let counts = WAYS.map(|way| (row != "fresh" || way == "ours").then(|| each(row, way)));
        let [bare, ours, careful] = counts.map(|count| count.map_or_else(String::new, |count| format!("{count:.0}")));
        println!("{row:<12}{bare:>10}{ours:>10}{careful:>10}");
        let counts = WAYS.iter().zip(counts).filter_map(|(way, count)| Some((*way, json!(count?))));
        counted.insert(row.into(), counts.map(|(way, count)| (way.to_owned(), count)).collect());
    }
    let file = target().join("instructions.json");
    fs::write(&file, format!("{:#}\n", serde_json::Value::Object(counted))).expect("the results can be written");
    println!("\nwritten to {}", file.display());
    ExitCode::SUCCESS
}

/// Returns the instructions of one call, the minimum of several runs. Everything is slow under valgrind, so in some
/// runs the runtime may find the processor's counter unsteady and read the system clock instead.
fn each(row: &str, way: &str) -> f64 {
    const TIMES: u32 = 10_000;
    let counted = || -> f64 {
        let me = env::current_exe().expect("a path");
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted_calls*"]);
        let output = command.arg(me).args([row, way, &TIMES.to_string()]).output().expect("valgrind runs");
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        let count = printed.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
        count.unwrap_or_else(|| panic!("{printed}"))
    };
    (0..3).map(|_| counted()).fold(f64::INFINITY, f64::min) / f64::from(TIMES)
}

fn has_other_threads() -> bool {
    fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1)
}

/// Runs `calls`. Only what runs in here is counted.
#[inline(never)]
fn counted_calls(calls: impl FnOnce()) {
    calls();
    black_box(());
}

fn run(row: &str, way: &str, times: u64) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    macro_rules! again {
        ($call:path) => {{
            // Excludes the first call and the clock's thread from the count.
            let _ = runtime.block_on($call(0));
            while has_other_threads() {
                std::thread::sleep(Duration::from_millis(20));
            }
            counted_calls(|| {
                runtime.block_on(unconstrained(async {
                    for n in 0..times {
                        let _ = black_box($call(black_box(n)).await);
                    }
                }));
            })
        }};
    }
    match (row, way) {
        ("ready", "bare") => again!(bare::ready),
        ("ready", "ours") => again!(ours::ready),
        ("ready", "(i)") => {
            careful::install();
            again!(careful::ready);
        }
        ("pending", "bare") => again!(bare::pending),
        ("pending", "ours") => again!(ours::pending),
        ("pending", "(i)") => {
            careful::install();
            again!(careful::pending);
        }
        ("fresh", "ours") => again!(ours::fresh),
        ("open", "bare") => again!(bare::failing),
        ("open", "ours") => again!(ours::open),
        ("open", "(i)") => {
            careful::install();
            again!(careful::open);
        }
        other => panic!("no such row and way: {other:?}"),
    }
}
