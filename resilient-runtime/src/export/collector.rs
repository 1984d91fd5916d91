//! The statistics as a collector of `prometheus_client`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::breaker::BreakerSeries;
use crate::connections::ConnectionSnapshot;
use crate::registry::Registry;
use crate::series::{self, Labels, NamedStatistics, names};
use crate::statistics::{HistogramSnapshot, ToolSnapshot};

/// A collector for your own `prometheus_client` registry.
///
/// ```
/// use prometheus_client::registry::Registry;
/// use resilient_runtime::export::prometheus::Statistics;
///
/// let mut mine = Registry::default(); // with your own series
/// mine.register_collector(Box::new(Statistics::global()));
/// ```
#[derive(Clone)]
pub struct Statistics(Option<Arc<Registry>>);

impl Statistics {
    /// Creates a collector of the statistics of this process.
    #[must_use]
    pub const fn global() -> Self {
        Self(None)
    }

    /// Creates a collector of the statistics of this registry.
    #[must_use]
    pub fn of(registry: &Arc<Registry>) -> Self {
        Self(Some(Arc::clone(registry)))
    }

    fn registry(&self) -> &Registry {
        match &self.0 {
            Some(registry) => registry,
            None => Registry::global(),
        }
    }
}

impl fmt::Debug for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statistics").finish_non_exhaustive()
    }
}

impl Collector for Statistics {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let registry = self.registry();
        let mut all = NamedStatistics::tools(registry);
        operations(&mut to, &all, registry)?;
        NamedStatistics::add_functions(&mut all, registry);
        let breaker_series = registry.breaker_series();
        calls(&mut to, &all, &NamedStatistics::requests(registry))?;
        attempts(&mut to, &all, &breaker_series)?;
        breakers(&mut to, &breaker_series)?;
        let checks = registry.health_statuses();
        let statuses = checks.iter().map(|(name, status)| (vec![("check", &**name)], Sample::Value(*status as u64)));
        family(&mut to, names::HEALTH_STATUS.name, series::HEALTH, MetricType::Gauge, statuses)?;
        let levels = series::levels(registry).map(|(level, holds)| (vec![("level", level)], Sample::Value(holds)));
        family(&mut to, names::LEVEL.name, series::LEVEL, MetricType::Gauge, levels)?;
        connections(&mut to, registry)?;
        #[cfg(feature = "deferred")]
        deferred(&mut to, registry)?;
        #[cfg(feature = "replicas")]
        {
            let counts = series::distributed_degraded(registry);
            let counts = counts.map(|(part, count)| (vec![("part", part)], Sample::Count(count)));
            let (name, help) = (names::DISTRIBUTED_DEGRADED.name, series::DISTRIBUTED_DEGRADED);
            family(&mut to, name, help, MetricType::Counter, counts)?;
        }
        #[cfg(feature = "http")]
        {
            let refused = registry.admin_refusals.read();
            let refused = refused.map(|(reason, count)| (vec![("reason", reason.as_str())], Sample::Count(count)));
            family(&mut to, names::ADMIN_REFUSED.name, series::ADMIN_REFUSED, MetricType::Counter, refused)?;
        }
        #[cfg(feature = "alerts")]
        {
            let lost = registry.alert_board().lost().map(|(sink, lost)| (vec![("sink", sink)], Sample::Count(lost)));
            family(&mut to, names::ALERTS_LOST.name, series::ALERTS_LOST, MetricType::Counter, lost)?;
        }
        #[cfg(target_os = "linux")]
        super::process::encode(&mut to)?;
        Ok(())
    }
}

/// Encodes tool calls, requests and notifications by error type, according to the conventions. Calls of tools that do not exist have no tool name,
/// because the client chose the name, and no error type, because they are not the server's fault.
fn operations(to: &mut DescriptorEncoder<'_>, tools: &[NamedStatistics], registry: &Registry) -> fmt::Result {
    let mut requests = registry.requests();
    // Calls without a tool's name are one series.
    let nameless = requests.remove("tools/call");
    let mut unknown = registry.unknown_tools();
    if let Some(nameless) = &nameless {
        unknown.add(&nameless.good_durations);
    }
    let mut names: BTreeSet<&str> = tools.iter().map(|tool| &*tool.name).collect();
    let errors: Vec<_> = tools
        .iter()
        .flat_map(|tool| {
            // Use the name that clients know, unless another tool has the same name.
            let served_as = tool.read.served_as.as_deref().filter(|name| names.insert(name));
            let name = served_as.unwrap_or(&tool.name);
            by_error(&tool.read).map(move |(error, read)| ("tools/call", name, error, read))
        })
        .chain([("tools/call", "", "".into(), &unknown)])
        .chain(
            nameless
                .iter()
                .flat_map(|read| by_error(read).skip(1).map(|(error, read)| ("tools/call", "", error, read))),
        )
        .chain(
            requests.iter().flat_map(|(method, read)| by_error(read).map(|(error, read)| (*method, "", error, read))),
        )
        .collect();
    let samples = errors.iter().map(|(method, tool, error, read)| {
        let labels = vec![("mcp_method_name", *method), ("gen_ai_tool_name", tool), ("error_type", &**error)];
        (labels, Sample::Durations(read))
    });
    let help = "Duration of MCP operations as observed by this server";
    family(to, names::OPERATION_DURATION.name, help, MetricType::Histogram, samples)
}

/// Returns the durations of operations by error type. The first are those without an error.
fn by_error(read: &ToolSnapshot) -> impl Iterator<Item = (Cow<'static, str>, &HistogramSnapshot)> {
    let failed = read.failed_durations.iter().map(|(error, read)| (error.as_text(), read));
    std::iter::once(("".into(), &read.good_durations)).chain(failed)
}

fn calls(to: &mut DescriptorEncoder<'_>, all: &[NamedStatistics], requests: &[NamedStatistics]) -> fmt::Result {
    for (name, help, counts) in series::COUNTERS {
        let of_requests = requests.iter().map(|each| (each, series::of_request(name, *counts, &each.read)));
        let of_all = all.iter().map(|each| (each, counts(&each.read))).chain(of_requests);
        let samples = of_all.flat_map(|(each, counted)| {
            counted.into_iter().map(|(labels, count)| {
                let labels = std::iter::once(("tool", &*each.name)).chain(labels).collect();
                (labels, Sample::Count(count))
            })
        });
        family(to, name, help, MetricType::Counter, samples)?;
    }
    for (name, help, value) in series::GAUGES {
        let samples =
            all.iter().filter_map(|each| Some((vec![("tool", &*each.name)], Sample::Value(value(&each.read)?))));
        family(to, name, help, MetricType::Gauge, samples)?;
    }
    Ok(())
}

fn attempts(
    to: &mut DescriptorEncoder<'_>,
    all: &[NamedStatistics],
    breakers: &BTreeMap<&'static str, BreakerSeries>,
) -> fmt::Result {
    let of_breakers = breakers.iter().map(|(name, breaker)| (*name, "", &breaker.attempts));
    let own = all.iter().filter_map(|each| Some(("", &*each.name, each.read.own_attempts.as_ref()?)));
    let samples = of_breakers.chain(own).flat_map(|(breaker, tool, attempts)| {
        attempts.durations.iter().map(move |(outcome, read)| {
            let labels = vec![("breaker", breaker), ("tool", tool), ("outcome", outcome.as_str())];
            (labels, Sample::Durations(read))
        })
    });
    let help = "Duration of attempts, by how they ended";
    family(to, names::ATTEMPT_DURATION.name, help, MetricType::Histogram, samples)
}

fn breakers(to: &mut DescriptorEncoder<'_>, all: &BTreeMap<&'static str, BreakerSeries>) -> fmt::Result {
    let states =
        all.iter().map(|(name, breaker)| (vec![("breaker", *name)], Sample::Value(series::number(breaker.state))));
    family(to, names::BREAKER_STATE.name, series::STATE, MetricType::Gauge, states)?;
    let moves = all.iter().flat_map(|(name, breaker)| {
        breaker.transitions.iter().map(move |((from, to), count)| {
            let labels = vec![("breaker", *name), ("from", from.as_str()), ("to", to.as_str())];
            (labels, Sample::Count(*count))
        })
    });
    family(to, names::BREAKER_TRANSITIONS.name, series::TRANSITIONS, MetricType::Counter, moves)?;
    let results = all.iter().flat_map(|(name, breaker)| {
        let labels = |result| vec![("breaker", *name), ("result", result)];
        series::results(breaker).map(|(result, count)| (labels(result), Sample::Count(count)))
    });
    family(to, names::BREAKER_RESULTS.name, series::RESULTS, MetricType::Counter, results)?;
    let rejected = all.iter().map(|(name, breaker)| (vec![("breaker", *name)], Sample::Count(breaker.rejected)));
    family(to, names::BREAKER_REJECTED.name, series::BREAKER_REJECTED, MetricType::Counter, rejected)?;
    let stale = all.iter().map(|(name, breaker)| (vec![("breaker", *name)], Sample::Count(breaker.stale)));
    family(to, names::BREAKER_STALE.name, series::STALE, MetricType::Counter, stale)
}

fn connections(to: &mut DescriptorEncoder<'_>, registry: &Registry) -> fmt::Result {
    let all = registry.connections();
    let label = |read| vec![("server", server_of(read))];
    let (name, help, value) = series::CONNECTION_UP;
    let up = all.iter().map(|read| (label(read), Sample::Value(value(read))));
    family(to, name, help, MetricType::Gauge, up)?;
    for (name, help, count) in series::CONNECTION_COUNTERS {
        let counts = all.iter().map(|read| (label(read), Sample::Count(count(read))));
        family(to, name, help, MetricType::Counter, counts)?;
    }
    Ok(())
}

fn server_of(read: &ConnectionSnapshot) -> &str {
    &read.server
}

#[cfg(feature = "deferred")]
fn deferred(to: &mut DescriptorEncoder<'_>, registry: &Registry) -> fmt::Result {
    let results = series::deferred::results(registry);
    let counts = results
        .iter()
        .map(|(tool, result, count)| (vec![("tool", &**tool), ("result", result.as_str())], Sample::Count(*count)));
    family(to, series::deferred::RESULTS.0, series::deferred::RESULTS.1, MetricType::Counter, counts)?;
    let entries = series::deferred::entries(registry);
    let entries = entries.into_iter().map(|(state, count)| (vec![("state", state)], Sample::Value(count)));
    family(to, series::deferred::ENTRIES.0, series::deferred::ENTRIES.1, MetricType::Gauge, entries)?;
    for ((name, help), read) in series::deferred::GAUGES {
        let value = read(registry).into_iter().map(|value| (Vec::new(), Sample::Value(value)));
        family(to, name, help, MetricType::Gauge, value)?;
    }
    Ok(())
}

enum Sample<'a> {
    Count(u64),
    Value(u64),
    Durations(&'a HistogramSnapshot),
}

/// Encodes a metric and its samples. Leaves out a metric without samples.
fn family<'a>(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    is: MetricType,
    samples: impl Iterator<Item = (Labels<'a>, Sample<'a>)>,
) -> fmt::Result {
    let mut samples = samples.peekable();
    if samples.peek().is_none() {
        return Ok(());
    }
    let mut metric = to.encode_descriptor(name, help, None, is)?;
    for (labels, sample) in samples {
        let mut metric = metric.encode_family(&labels)?;
        match sample {
            Sample::Count(count) => metric.encode_counter::<NoLabelSet, u64, f64>(&count, None)?,
            Sample::Value(value) => metric.encode_gauge(&value)?,
            Sample::Durations(read) => {
                let (sum, count) = (read.sum.as_secs_f64(), read.count());
                metric.encode_histogram::<NoLabelSet>(sum, count, &conventional(read), None)?;
            }
        }
    }
    Ok(())
}

/// Returns the buckets of the conventions, each with its upper edge.
fn conventional(read: &HistogramSnapshot) -> Vec<(f64, u64)> {
    let edges = HistogramSnapshot::CONVENTIONAL.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
    edges.zip(read.conventional()).collect()
}
