//! The instructions of a call, counted by valgrind's callgrind, independent of the load of the machine, and their
//! comparison with the committed ones in `instructions.json`.
//!
//! ```console
//! cargo bench -p resilient-instructions --bench instructions              # prints them
//! cargo bench -p resilient-instructions --bench instructions -- --check   # fails if there are 5 % more; for CI
//! cargo bench -p resilient-instructions --bench instructions -- --write   # commits them to `instructions.json`
//! ```
//!
//! The committed numbers are those of `x86_64`, with the processor's counter as clock. The documentation of
//! `resilient_instructions::valgrind` says what else they depend on.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, thread};

use resilient_instructions::limit::{Compared, PERCENT, compare, difference};
use resilient_instructions::{bare, demand_a_servers_clock, ours, valgrind};

const ROWS: [&str; 4] = ["ready", "pending", "open", "fresh"];

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Print,
    Check,
    Write,
}

fn main() -> ExitCode {
    demand_a_servers_clock();
    // Cargo adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mode = match *arguments {
        [row, way, times] => {
            run(row, way, times.parse().expect("a number of calls"));
            return ExitCode::SUCCESS;
        }
        [] => Mode::Print,
        ["--check"] => Mode::Check,
        ["--write"] => Mode::Write,
        _ => {
            eprintln!("expected `--check`, `--write` or no argument");
            return ExitCode::FAILURE;
        }
    };
    if !valgrind::is_installed() {
        eprintln!("valgrind is not installed; it counts the instructions");
        return ExitCode::FAILURE;
    }
    if mode != Mode::Print && !(cfg!(target_arch = "x86_64") && valgrind::reads_the_counter()) {
        // `.ci/run` fails if a check is skipped.
        eprintln!(
            "SKIPPED: instructions: the committed ones are for x86_64 and a kernel that uses its counter as clock"
        );
        return ExitCode::SUCCESS;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.json");
    let committed = committed(&file);
    let counts = counts(mode, &committed);
    print(&counts, &committed);
    match mode {
        Mode::Print => ExitCode::SUCCESS,
        Mode::Check => check(&counts, &committed),
        Mode::Write => {
            let rows: Vec<_> = counts.iter().map(|row| format!("  \"{}\": {:.0}", row.name, row.ours)).collect();
            let text = format!("{{\n{}\n}}\n", rows.join(",\n"));
            fs::write(&file, text).expect("the numbers can be written");
            println!("\nwritten to {}", file.display());
            ExitCode::SUCCESS
        }
    }
}

struct Row {
    name: &'static str,
    bare: Option<f64>,
    ours: f64,
}

fn committed(file: &Path) -> BTreeMap<String, f64> {
    let text = fs::read(file).unwrap_or_else(|_| b"{}".to_vec());
    serde_json::from_slice(&text).expect("a number for each row")
}

/// Counts all rows at the same time: other processes do not change the count.
fn counts(mode: Mode, committed: &BTreeMap<String, f64>) -> Vec<Row> {
    let count = |name: &'static str| {
        let is_enough = |count| {
            let committed = committed.get(name).filter(|_| mode == Mode::Check);
            committed.is_some_and(|committed| compare(count, *committed) != Compared::More)
        };
        let bare =
            (mode == Mode::Print).then(|| valgrind::fewest_instructions(&[name, "bare"], valgrind::TIMES, |_| false));
        Row { name, bare, ours: valgrind::fewest_instructions(&[name, "ours"], valgrind::TIMES, is_enough) }
    };
    thread::scope(|scope| {
        let counting = ROWS.map(|name| scope.spawn(move || count(name)));
        counting.into_iter().map(|row| row.join().expect("a count")).collect()
    })
}

fn print(counts: &[Row], committed: &BTreeMap<String, f64>) {
    println!("{:<12}{:>10}{:>10}{:>12}{:>12}", "", "bare", "ours", "committed", "difference");
    for Row { name, bare, ours } in counts {
        let bare = bare.map_or_else(String::new, |count| format!("{count:.0}"));
        let (committed, percent) = committed.get(*name).map_or_else(Default::default, |committed| {
            (format!("{committed:.0}"), format!("{:+.1} %", difference(*ours, *committed)))
        });
        println!("{name:<12}{bare:>10}{ours:>10.0}{committed:>12}{percent:>12}");
    }
}

/// Says which rows have changed, and fails if one has more instructions than it may have.
fn check(counts: &[Row], committed: &BTreeMap<String, f64>) -> ExitCode {
    const WRITE: &str = "cargo bench -p resilient-instructions --bench instructions -- --write";
    let mut failed = false;
    for Row { name, ours, .. } in counts {
        let Some(committed) = committed.get(*name) else {
            eprintln!("error: no number is committed for `{name}`; write it with `{WRITE}`");
            failed = true;
            continue;
        };
        let percent = difference(*ours, *committed).abs();
        match compare(*ours, *committed) {
            Compared::Same => {}
            Compared::Fewer => println!(
                "note: `{name}` takes {ours:.0} instructions, {percent:.1} % fewer than the committed {committed:.0}; \
                 commit the lower number with `{WRITE}`, so that later changes keep it"
            ),
            Compared::More => {
                eprintln!(
                    "error: `{name}` takes {ours:.0} instructions, {percent:.1} % more than the committed \
                     {committed:.0}; up to {PERCENT} % are allowed. If the change is worth it, commit the higher one \
                     with `{WRITE}`, and give the reason in the message of the commit"
                );
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run(row: &str, way: &str, times: u64) {
    match (row, way) {
        ("ready" | "fresh", "bare") => valgrind::counted(times, bare::ready),
        ("pending", "bare") => valgrind::counted(times, bare::pending),
        ("open", "bare") => valgrind::counted(times, bare::failing),
        ("ready", "ours") => valgrind::counted(times, ours::ready),
        ("pending", "ours") => valgrind::counted(times, ours::pending),
        ("open", "ours") => valgrind::counted(times, ours::open),
        ("fresh", "ours") => valgrind::counted(times, ours::fresh),
        other => panic!("no such row and way: {other:?}"),
    }
}
