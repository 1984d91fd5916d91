//! The cost of guarding a call: ours, as the macro writes it, compared with the bare function, with what a careful user
//! writes with well-known crates, and with the layers of tower-resilience. All of them take turns in one process. The
//! measurements with spans run in a separate process, since a subscriber is global to a process.
//!
//! `cargo bench -p resilient-bench --bench overhead` prints a table and writes `target/overhead.json`.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::Command;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use std::{env, fs, io};

use resilient_bench::interleaved::{TURN, Way, time};
use resilient_bench::{bare, careful, demand_a_servers_clock, ours, stacked, target};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::task::unconstrained;

/// Set in the process with spans.
const SPANS: &str = "RESILIENT_BENCH_SPANS";

const TASKS: u64 = 32;
const TOOLS: usize = 10_000;
/// A turn that is long enough to call each of [`TOOLS`] often.
const LONG_TURN: Duration = Duration::from_millis(100);

fn main() {
    demand_a_servers_clock();
    careful::install();
    let rows = if env::var_os(SPANS).is_some() {
        // The log of a server, written to a sink.
        tracing_subscriber::fmt().json().with_writer(io::sink).init();
        vec![row("ready, JSON span on", ready_ways())]
    } else {
        without_spans()
    };
    let rows = Value::Array(rows);
    if env::var_os(SPANS).is_some() {
        return println!("{rows}");
    }
    print_table(&rows);
    let file = target().join("overhead.json");
    fs::write(&file, format!("{rows:#}\n")).expect("the results can be written");
    println!("\nwritten to {}", file.display());
}

fn without_spans() -> Vec<Value> {
    let mut rows = vec![
        row("ready", ready_ways()),
        row("fresh answer", fresh_ways()),
        row("pending once", pending_ways()),
        row("breaker open", open_ways()),
        row("breaker open, the breaker alone", rejected_ways()),
        row("ready, a thread of its own", threads(1)),
        row("ready, 2 threads, one breaker", threads(2)),
    ];
    // Twice: in a long turn, each tool is called many times; in a short one, other ways have evicted it from the
    // caches.
    rows.push(row_of_turns("ready, 10,000 tools", many_ways(), LONG_TURN));
    rows.push(row("ready, 10,000 tools, cold", many_ways()));
    let child =
        env::current_exe().and_then(|me| Command::new(me).env(SPANS, "1").output()).expect("the bench with spans");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let with_spans: Vec<Value> = serde_json::from_slice(&child.stdout).expect("rows");
    rows.extend(with_spans);
    rows
}

/// The names of the ways, the same in every row, so that rows can be compared.
const BARE: &str = "bare";
const OURS: &str = "ours";
const OURS_TIMED: &str = "timeout alone";
const OURS_BROKEN: &str = "timeout, breaker";
const OURS_LIMITED: &str = "ours with a bulkhead";
const OURS_FRESH: &str = "a fresh answer";
const CAREFUL: &str = "(i)";
const CAREFUL_IN_A_ROW: &str = "(i), failures in a row";
const STACKED: &str = "(ii)";

fn runtime() -> Rc<Runtime> {
    Rc::new(Builder::new_current_thread().enable_time().build().expect("a runtime"))
}

/// Repeats a call.
macro_rules! repeated {
    ($name:expr, $runtime:expr, |$n:ident| $call:expr) => {{
        let runtime = Rc::clone(&$runtime);
        Way::new($name, move |times| {
            runtime.block_on(unconstrained(async {
                for $n in 0..times {
                    let _ = black_box($call.await);
                }
            }));
        })
    }};
}

/// Repeats a call in several tasks, so that they share the cost of the runtime's scheduling.
macro_rules! interleaved {
    ($name:expr, $runtime:expr, || $setup:expr, |$shared:ident, $n:ident| $call:expr) => {{
        let runtime = Rc::clone(&$runtime);
        Way::new($name, move |times| {
            runtime.block_on(async {
                let tasks: Vec<_> = (0..TASKS)
                    .map(|_| {
                        let $shared = $setup;
                        tokio::spawn(async move {
                            for $n in 0..times.div_ceil(TASKS) {
                                let _ = black_box($call.await);
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("no panic");
                }
            });
        })
    }};
}

fn ready_ways() -> Vec<Way<'static>> {
    let runtime = runtime();
    let stack = stacked::guarded(bare::ready);
    vec![
        repeated!(BARE, runtime, |n| bare::ready(black_box(n))),
        repeated!(OURS, runtime, |n| ours::ready(black_box(n))),
        repeated!(OURS_TIMED, runtime, |n| ours::timed(black_box(n))),
        repeated!(OURS_BROKEN, runtime, |n| ours::broken(black_box(n))),
        repeated!(OURS_LIMITED, runtime, |n| ours::limited(black_box(n))),
        repeated!(CAREFUL, runtime, |n| careful::ready(black_box(n))),
        repeated!(CAREFUL_IN_A_ROW, runtime, |n| careful::ready_in_a_row(black_box(n))),
        repeated!(STACKED, runtime, |n| stacked::call(&stack, black_box(n))),
    ]
}

/// A call that a fresh answer ends, beside one that runs the body.
fn fresh_ways() -> Vec<Way<'static>> {
    let runtime = runtime();
    vec![
        repeated!(BARE, runtime, |n| bare::ready(black_box(n))),
        repeated!(OURS, runtime, |n| ours::ready(black_box(n))),
        repeated!(OURS_FRESH, runtime, |n| ours::fresh(black_box(n))),
    ]
}

fn pending_ways() -> Vec<Way<'static>> {
    let runtime = runtime();
    let stack = stacked::guarded(bare::pending);
    vec![
        interleaved!(BARE, runtime, || (), |_shared, n| bare::pending(black_box(n))),
        interleaved!(OURS, runtime, || (), |_shared, n| ours::pending(black_box(n))),
        interleaved!(OURS_LIMITED, runtime, || (), |_shared, n| ours::limited_pending(black_box(n))),
        interleaved!(CAREFUL, runtime, || (), |_shared, n| careful::pending(black_box(n))),
        interleaved!(STACKED, runtime, || stack.clone(), |shared, n| stacked::call(&shared, black_box(n))),
    ]
}

fn open_ways() -> Vec<Way<'static>> {
    let runtime = runtime();
    let stack = stacked::guarded(bare::failing);
    vec![
        repeated!(BARE, runtime, |n| bare::failing(black_box(n))),
        repeated!(OURS, runtime, |n| ours::open(black_box(n))),
        repeated!(CAREFUL, runtime, |n| careful::open(black_box(n))),
        repeated!(STACKED, runtime, |n| stacked::call(&stack, black_box(n))),
    ]
}

fn rejected_ways() -> Vec<Way<'static>> {
    let runtime = runtime();
    vec![
        repeated!(BARE, runtime, |n| bare::failing(black_box(n))),
        repeated!(OURS, runtime, |n| ours::rejected(black_box(n))),
        repeated!(CAREFUL, runtime, |n| careful::rejected(black_box(n))),
    ]
}

/// Several threads, each with its own runtime, that call the same function at the same time.
fn threads(count: usize) -> Vec<Way<'static>> {
    macro_rules! on_threads {
        ($name:expr, || $setup:expr, |$shared:ident, $n:ident| $call:expr) => {{
            let threads: Vec<_> = (0..count)
                .map(|_| {
                    let $shared = $setup;
                    Calling::new(move |runtime, times| {
                        runtime.block_on(unconstrained(async {
                            for $n in 0..times {
                                let _ = black_box($call.await);
                            }
                        }));
                    })
                })
                .collect();
            Way::new($name, move |times| {
                for thread in &threads {
                    thread.begin(times);
                }
                for thread in &threads {
                    thread.wait();
                }
            })
        }};
    }
    let stack = stacked::guarded(bare::ready);
    vec![
        on_threads!(BARE, || (), |_shared, n| bare::ready(black_box(n))),
        on_threads!(OURS, || (), |_shared, n| ours::ready(black_box(n))),
        on_threads!(CAREFUL, || (), |_shared, n| careful::ready(black_box(n))),
        on_threads!(STACKED, || stack.clone(), |shared, n| stacked::call(&shared, black_box(n))),
    ]
}

/// A thread that repeats a call a given number of times and then waits for the next request.
struct Calling {
    times: Sender<u64>,
    done: Receiver<()>,
}

impl Calling {
    fn new(call: impl Fn(&Runtime, u64) + Send + 'static) -> Self {
        let (times, requests) = channel();
        let (finished, done) = channel();
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
            for times in requests {
                call(&runtime, times);
                let _ = finished.send(());
            }
        });
        Self { times, done }
    }

    fn begin(&self, times: u64) {
        self.times.send(times).expect("the thread lives");
    }

    fn wait(&self) {
        self.done.recv().expect("the thread lives");
    }
}

fn many_ways() -> Vec<Way<'static>> {
    let runtime = runtime();
    let ours = ours::Many::new(TOOLS);
    let careful = careful::Many::new(TOOLS);
    let stacks: Vec<_> = (0..TOOLS).map(|_| stacked::guarded(bare::ready)).collect();
    // The first call of each creates the state that the others use.
    runtime.block_on(async {
        for (tool, stack) in stacks.iter().enumerate() {
            let _ = (ours.call(tool, 0).await, careful.call(tool, 0).await, stacked::call(stack, 0).await);
        }
    });
    vec![
        repeated!(BARE, runtime, |n| bare::ready(black_box(n) + u64::from(scattered(n) == 0))),
        repeated!(OURS, runtime, |n| ours.call(scattered(n), black_box(n))),
        repeated!(CAREFUL, runtime, |n| careful.call(scattered(n), black_box(n))),
        repeated!(STACKED, runtime, |n| stacked::call(&stacks[scattered(n)], black_box(n))),
    ]
}

/// Returns the tool for a call: each equally often, in an order that caches cannot predict.
fn scattered(n: u64) -> usize {
    let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    usize::try_from(mixed).unwrap_or(0) % TOOLS
}

fn row(name: &str, ways: Vec<Way<'static>>) -> Value {
    row_of_turns(name, ways, TURN)
}

fn row_of_turns(name: &str, mut ways: Vec<Way<'static>>, turn: Duration) -> Value {
    let allocations: Vec<f64> = ways.iter_mut().map(Way::allocations).collect();
    let times = time(&mut ways, turn, careful::upkeep);
    let of = |wanted: &str| ways.iter().position(|way| way.name == wanted).map(|index| times[index]);
    let bare = of(BARE).unwrap_or(f64::NAN);
    let measured: BTreeMap<&str, Value> = ways
        .iter()
        .zip(times.iter().zip(allocations))
        .map(|(way, (ns, allocations))| {
            let over = |other: &str| of(other).map(|other| ns / other);
            let values = json!({
                "ns": ns,
                "over_bare_ns": ns - bare,
                "to_bare": over(BARE),
                "to_i": over(CAREFUL),
                "to_ii": over(STACKED),
                "allocations": allocations,
            });
            (way.name, values)
        })
        .collect();
    json!({ "row": name, "ways": measured })
}

fn print_table(rows: &Value) {
    println!(
        "{:<34}{:<24}{:>10}{:>10}{:>9}{:>9}{:>9}{:>9}",
        "", "", "ns", "over bare", "/ bare", "/ (i)", "/ (ii)", "allocs"
    );
    for row in rows.as_array().into_iter().flatten() {
        let mut title = row["row"].as_str().unwrap_or_default();
        for name in [BARE, OURS, OURS_TIMED, OURS_BROKEN, OURS_LIMITED, OURS_FRESH, CAREFUL, CAREFUL_IN_A_ROW, STACKED]
        {
            let way = &row["ways"][name];
            let Some(ns) = way["ns"].as_f64() else { continue };
            let ratio = |of: &str| way[of].as_f64().map_or_else(String::new, |ratio| format!("{ratio:.3}"));
            println!(
                "{title:<34}{name:<24}{ns:>10.1}{:>10.1}{:>9}{:>9}{:>9}{:>9.2}",
                way["over_bare_ns"].as_f64().unwrap_or(f64::NAN),
                ratio("to_bare"),
                ratio("to_i"),
                ratio("to_ii"),
                way["allocations"].as_f64().unwrap_or(f64::NAN),
            );
            title = "";
        }
    }
}
