//! The measurement: rounds in which all ways take turns.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::process::{Process, Usage};
use crate::ways::Way;
use resilient_bench::client::{Calls, Client};

/// The turns of each way in a round.
const TURNS: u64 = 20;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) rounds: u64,
    /// The calls of a round, for one at a time and for many at a time.
    pub(crate) calls: u64,
    pub(crate) warm_up: u64,
}

/// What one way did in a round.
pub(crate) struct Measured {
    pub(crate) one: Load,
    pub(crate) many: Load,
    /// From the start of the process until `initialize` was answered.
    pub(crate) ready: Duration,
    /// The resident memory in KiB, after the calls.
    pub(crate) resident: u64,
}

/// Calls, and what the process used for them.
#[derive(Default)]
pub(crate) struct Load {
    /// The latencies are sorted.
    pub(crate) calls: Calls,
    pub(crate) usage: Usage,
}

/// Measures all ways. Returns for each round what each way did.
pub(crate) fn run(ways: &[Way], size: Size, folder: &Path) -> io::Result<Vec<Vec<Measured>>> {
    (0..size.rounds).map(|_| round(ways, size, folder)).collect()
}

/// Starts all ways and measures them in turns.
fn round(ways: &[Way], size: Size, folder: &Path) -> io::Result<Vec<Measured>> {
    let mut running: Vec<Process> = ways.iter().map(|way| way.start(folder)).collect::<io::Result<_>>()?;
    let mut one: Vec<Load> = ways.iter().map(|_| Load::default()).collect();
    let mut many: Vec<Load> = ways.iter().map(|_| Load::default()).collect();
    for process in &mut running {
        add(process, &mut Load::default(), |client| client.one_at_a_time(size.warm_up))?;
    }
    for turn in 0..TURNS {
        let calls = part(size.calls, turn);
        for (process, load) in running.iter_mut().zip(&mut one) {
            add(process, load, |client| client.one_at_a_time(calls))?;
        }
    }
    for process in &mut running {
        add(process, &mut Load::default(), |client| client.many_at_a_time(size.warm_up))?;
    }
    for turn in 0..TURNS {
        let calls = part(size.calls, turn);
        for (process, load) in running.iter_mut().zip(&mut many) {
            add(process, load, |client| client.many_at_a_time(calls))?;
        }
    }
    let measured = running.iter().zip(one.into_iter().zip(many)).map(|(process, (mut one, mut many))| {
        one.calls.latencies.sort_unstable();
        many.calls.latencies.sort_unstable();
        Ok(Measured { one, many, ready: process.ready, resident: process.resident()? })
    });
    measured.collect()
}

/// Returns the calls of a turn. The sum of all turns is the calls of the round.
fn part(calls: u64, turn: u64) -> u64 {
    calls * (turn + 1) / TURNS - calls * turn / TURNS
}

/// Lets the client of a process call, and adds that to its load.
fn add(process: &mut Process, load: &mut Load, calls: impl FnOnce(&mut Client) -> io::Result<Calls>) -> io::Result<()> {
    let before = process.usage()?;
    let calls = calls(&mut process.client).map_err(|error| process.explain(&error))?;
    let after = process.usage()?;
    load.calls.extend(calls);
    // Threads that ended in the meantime took their numbers with them.
    load.usage.cpu += after.cpu.saturating_sub(before.cpu);
    load.usage.waits += after.waits.saturating_sub(before.waits);
    Ok(())
}
