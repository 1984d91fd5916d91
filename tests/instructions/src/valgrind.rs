//! Runs an executable of this build under valgrind, and the calls in it.
//!
//! The count of instructions hardly depends on the machine. The C library chooses how to copy memory by the processor,
//! but valgrind emulates the same processor on every machine with AVX2, and the copies of a machine without it change
//! the count by 0.2 %. The count depends on the compiler, which `rust-toolchain.toml` pins, and on the clock: see
//! [`reads_the_counter`]. Code that the kernel maps into a process, such as that of the system clock, is not counted.

use std::env;
use std::fs;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::unconstrained;

/// The calls in a run, of which each takes some hundred instructions. A count is their average.
pub const TIMES: u32 = 10_000;

/// Returns whether valgrind is installed.
#[must_use]
pub fn is_installed() -> bool {
    Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Returns whether the runtime reads the processor's counter as its clock, as the kernel does. On other machines it
/// reads the system clock, and a call takes other instructions.
#[must_use]
pub fn reads_the_counter() -> bool {
    let chosen = fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    chosen.is_ok_and(|chosen| matches!(chosen.trim(), "tsc" | "arch_sys_counter"))
}

/// Returns the instructions of one call, counted in a run of this executable with these arguments and the number of
/// calls, which it makes in [`counted_calls`].
///
/// # Panics
/// If valgrind or the executable fails.
#[must_use]
pub fn instructions(arguments: &[&str], times: u32) -> f64 {
    let me = env::current_exe().expect("a path");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted_calls*"]);
    let output = command.arg(me).args(arguments).arg(times.to_string()).output().expect("valgrind runs");
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{printed}");
    let count = printed.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse::<f64>().ok());
    // If the function is not found, nothing is counted.
    count.filter(|count| *count > 0.0).unwrap_or_else(|| panic!("{printed}")) / f64::from(times)
}

/// Returns the minimum of [`instructions`] in up to three runs; no further run follows one that is good enough.
/// Everything is slow under valgrind, so in some runs the runtime may find the processor's counter unsteady and read
/// the system clock instead.
#[must_use]
pub fn fewest_instructions(arguments: &[&str], times: u32, is_enough: impl Fn(f64) -> bool) -> f64 {
    let mut fewest = f64::INFINITY;
    for _ in 0..3 {
        fewest = fewest.min(instructions(arguments, times));
        if is_enough(fewest) {
            break;
        }
    }
    fewest
}

/// Makes calls whose instructions are counted. A first call is excluded, and so is the thread that measures the clock.
///
/// # Panics
/// If there is no runtime.
pub fn counted<F: Future>(times: u64, call: impl Fn(u64) -> F) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _ = black_box(runtime.block_on(call(0)));
    wait_for_the_clock();
    counted_calls(|| {
        runtime.block_on(unconstrained(async {
            for n in 0..times {
                let _ = black_box(call(black_box(n)).await);
            }
        }));
    });
}

/// Waits until the thread that measures the clock has ended.
pub fn wait_for_the_clock() {
    while fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1) {
        thread::sleep(Duration::from_millis(20));
    }
}

/// Runs `calls`. Only what runs in here is counted.
#[inline(never)]
pub fn counted_calls(calls: impl FnOnce()) {
    calls();
    black_box(());
}
