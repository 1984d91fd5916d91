//! Metrics of this process (CPU time, memory, file descriptors), named as in the Prometheus client libraries.

use std::fmt;

use procfs::Current as _;
use procfs::process::{LimitValue, Process};
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::health;
use crate::series::names;

pub(super) fn encode(to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    // Values that the system does not report are left out.
    let Ok(process) = Process::myself() else { return Ok(()) };
    if let Ok(stat) = process.stat() {
        #[expect(clippy::cast_precision_loss, reason = "seconds of processor time")]
        let seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second().max(1) as f64;
        let help = "Processor time that this process has used";
        let mut metric = to.encode_descriptor(names::PROCESS_CPU.name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, f64, f64>(&seconds, None)?;
        let resident = stat.rss.saturating_mul(procfs::page_size());
        gauge(to, names::PROCESS_RESIDENT.name, "Memory that is resident", resident)?;
        gauge(to, names::PROCESS_VIRTUAL.name, "Memory that is mapped", stat.vsize)?;
        gauge(to, names::PROCESS_THREADS.name, "Threads", u64::try_from(stat.num_threads).unwrap_or(0))?;
        if let Some(started) = started(stat.starttime) {
            gauge(to, names::PROCESS_START.name, "When this process began, in seconds since 1970", started)?;
        }
    }
    if let Some(limit) = memory_limit() {
        gauge(to, names::MEMORY_LIMIT.name, "Memory that this process may have, or that the machine has", limit)?;
    }
    if let Ok(open) = process.fd_count() {
        gauge(to, names::PROCESS_OPEN_FDS.name, "Descriptors that are open", u64::try_from(open).unwrap_or(u64::MAX))?;
    }
    if let Ok(limits) = process.limits()
        && let LimitValue::Value(most) = limits.max_open_files.soft_limit
    {
        gauge(to, names::PROCESS_MAX_FDS.name, "Descriptors that may be open", most)?;
    }
    Ok(())
}

/// Returns the limit of the control groups in bytes, or the memory of the machine if there is none.
fn memory_limit() -> Option<u64> {
    health::memory_limit().or_else(|| procfs::Meminfo::current().ok().map(|machine| machine.mem_total))
}

/// Converts clock ticks since boot to seconds since 1970.
fn started(ticks: u64) -> Option<u64> {
    Some(procfs::boot_time_secs().ok()? + ticks / procfs::ticks_per_second().max(1))
}

fn gauge(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    to.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
}
