//! The cache lines that belong to one tool and that a call of it touches, if its result is ready at the first poll and
//! the server has many tools. With cold caches, each of them is a separate cache miss.
//!
//! `cargo bench -p resilient-instructions --bench cache_lines` prints their number, how many of them are written, and
//! the functions that access them. It needs `valgrind`, and `addr2line` for the names of functions.
//!
//! Most calls have the same figures. A few touch more lines: about once a second, a call synchronizes the clock, and
//! the first call of a tool in a second adds the deposits of the seconds before to the retry budget. If the stack of
//! such a call is deeper than that of all others, the end of the stack counts as lines of its tool.
//!
//! Valgrind's lackey prints every access to memory. A child process calls some of its tools in turns, in one thread,
//! and writes a mark into the same output before and after each call. A cache line (64 bytes) belongs to a tool if no
//! call of another tool touches it; this excludes the stack, the state of the thread and that of the process. Tools
//! between the measured ones are called only once, so that measured tools never share a line that lies between their
//! states. Code is not counted. The tools are built at run time, as in the row `10,000 tools` of `resilient-bench`;
//! there are fewer of them, because the trace of a first call is long.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs};

use resilient_instructions::ours::Many;
use resilient_instructions::{demand_a_servers_clock, valgrind};
use tokio::runtime::Builder;
use tokio::task::unconstrained;

const TOOLS: usize = 64;
/// Every fourth tool is measured.
const STEP: usize = 4;
const ROUNDS: usize = 8;
const LINE: u64 = 64;

fn main() -> io::Result<ExitCode> {
    demand_a_servers_clock();
    if env::args().nth(1).as_deref() == Some("calls") {
        calls()?;
        return Ok(ExitCode::SUCCESS);
    }
    if !valgrind::is_installed() {
        eprintln!("valgrind is not installed; it traces the accesses to memory");
        return Ok(ExitCode::FAILURE);
    }
    let trace = Trace::of_calls()?;
    trace.print();
    Ok(ExitCode::SUCCESS)
}

/// Calls the measured tools in turns. Each mark is written at once, so that no line of the trace divides it.
fn calls() -> io::Result<()> {
    let mark = |text: String| io::stderr().write_all(text.as_bytes());
    let many = Many::new(TOOLS);
    let runtime = Builder::new_current_thread().enable_time().build()?;
    // The first call of each tool creates its state, and the first of all starts the thread that measures the clock.
    for tool in 0..TOOLS {
        let _ = black_box(runtime.block_on(many.call(tool, 0)));
    }
    valgrind::wait_for_the_clock();
    // Where the executable is in memory.
    let maps = fs::read_to_string("/proc/self/maps")?;
    let start = maps.split('-').next().unwrap_or_default();
    mark(format!("START {start}\n"))?;
    // The first round is not measured.
    for round in 0..=ROUNDS {
        for tool in (0..TOOLS).step_by(STEP) {
            let call = many.call(tool, 1);
            if round > 0 {
                mark(format!("CALL {tool}\n"))?;
            }
            let _ = black_box(runtime.block_on(unconstrained(call)));
            if round > 0 {
                mark("END\n".to_owned())?;
            }
        }
    }
    Ok(())
}

/// The accesses of one call to a cache line.
#[derive(Default)]
struct Accesses {
    reads: usize,
    writes: usize,
    /// The addresses of the instructions.
    code: BTreeSet<u64>,
}

struct Call {
    tool: usize,
    /// By the number of the line.
    lines: BTreeMap<u64, Accesses>,
}

struct Trace {
    /// The address of the executable.
    start: u64,
    calls: Vec<Call>,
}

impl Trace {
    /// Runs the calls under lackey and reads its output, whose lines are such as ` S 1ffefff0a8,8`, after one such as
    /// `I  0010c3f2,4` for the instruction.
    fn of_calls() -> io::Result<Self> {
        let mut command = Command::new("valgrind");
        command.args(["--tool=lackey", "--trace-mem=yes"]).arg(env::current_exe()?).arg("calls");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut output = BufReader::with_capacity(1 << 20, child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?);
        let (mut trace, mut line) = (Self { start: 0, calls: Vec::new() }, Vec::new());
        let (mut is_call, mut instruction) = (false, 0);
        while output.read_until(b'\n', &mut line)? > 0 {
            let text = std::str::from_utf8(&line).unwrap_or_default().trim_end();
            match text.split_at_checked(3) {
                Some(("STA", rest)) => trace.start = hex(rest.trim_start_matches("RT ")).unwrap_or(0),
                Some(("CAL", rest)) => {
                    let tool = rest.trim_start_matches("L ").parse().map_err(io::Error::other)?;
                    trace.calls.push(Call { tool, lines: BTreeMap::new() });
                    is_call = true;
                }
                Some(("END", _)) => is_call = false,
                Some(("I  ", rest)) if is_call => instruction = access(rest).map_or(0, |(address, _)| address),
                Some((kind @ (" L " | " S " | " M "), rest)) if is_call => {
                    if let (Some((address, size)), Some(call)) = (access(rest), trace.calls.last_mut()) {
                        for number in address / LINE..=(address + size.max(1) - 1) / LINE {
                            let accesses = call.lines.entry(number).or_default();
                            accesses.reads += usize::from(kind != " S ");
                            accesses.writes += usize::from(kind != " L ");
                            accesses.code.insert(instruction);
                        }
                    }
                }
                _ => {}
            }
            line.clear();
        }
        let status = child.wait()?;
        if !status.success() || trace.calls.len() != ROUNDS * TOOLS.div_ceil(STEP) {
            return Err(io::Error::other(format!("{} calls were traced; valgrind: {status}", trace.calls.len())));
        }
        Ok(trace)
    }

    /// Returns the lines of each call that belong to its tool.
    fn own_lines(&self) -> Vec<BTreeMap<u64, &Accesses>> {
        let mut tools: HashMap<u64, HashSet<usize>> = HashMap::new();
        for call in &self.calls {
            for number in call.lines.keys() {
                tools.entry(*number).or_default().insert(call.tool);
            }
        }
        let is_own = |number: &u64| tools.get(number).is_some_and(|tools| tools.len() == 1);
        let mut own = Vec::with_capacity(self.calls.len());
        for call in &self.calls {
            let lines = call.lines.iter().map(|(number, accesses)| (*number, accesses));
            own.push(lines.filter(|(number, _)| is_own(number)).collect());
        }
        own
    }

    fn print(&self) {
        let calls = self.own_lines();
        // How many calls touch and write how many lines.
        let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let figures = |lines: &BTreeMap<u64, &Accesses>| {
            (lines.len(), lines.values().filter(|accesses| accesses.writes > 0).count())
        };
        for lines in &calls {
            *counts.entry(figures(lines)).or_default() += 1;
        }
        println!("cache lines of one tool that a call touches, of {} calls of {} tools", calls.len(), TOOLS / STEP);
        for ((touched, written), count) in &counts {
            println!("{touched:>4} touched, {written} written: {count} calls");
        }
        let most = counts.iter().max_by_key(|(_, count)| **count).map(|(figures, _)| *figures);
        let Some(call) = calls.iter().find(|lines| Some(figures(lines)) == most) else { return };
        println!("\nthe lines of a call with the most common figures, and the functions that access them:");
        for (number, Accesses { reads, writes, code }) in call {
            println!("{:>#14x}  read {reads:>3}, written {writes:>2}", number * LINE);
            let names: BTreeSet<String> = code.iter().map(|address| self.function(*address)).collect();
            for name in names {
                println!("{:>16}{name}", "");
            }
        }
    }

    /// Returns the function at an address of the executable. Functions that are inlined into it are not distinguished.
    fn function(&self, address: u64) -> String {
        let Ok(me) = env::current_exe() else { return String::new() };
        let offset = format!("{:#x}", address.saturating_sub(self.start));
        let output = Command::new("addr2line").args(["-Cf", "-e"]).arg(me).arg(&offset).output();
        let named =
            output.ok().and_then(|output| String::from_utf8_lossy(&output.stdout).lines().next().map(String::from));
        named.filter(|name| !name.starts_with('?')).unwrap_or(offset)
    }
}

/// Reads an access such as `1ffefff0a8,8`: an address and a number of bytes.
fn access(text: &str) -> Option<(u64, u64)> {
    let (address, size) = text.split_once(',')?;
    Some((hex(address)?, size.parse().ok()?))
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim(), 16).ok()
}
