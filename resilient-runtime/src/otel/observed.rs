//! The statistics as observable instruments, read when the SDK collects.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

use crate::registry::Registry;
use crate::series::{self, Labels, NamedStatistics, names};

/// Reads values and their labels from the registry for an instrument.
type Read = fn(&mut dyn FnMut(Labels<'_>, u64));

const COUNTERS: [(&str, &str, Read); 4] = [
    (names::BREAKER_TRANSITIONS.name, series::TRANSITIONS, |show| {
        for (name, breaker) in Registry::global().breaker_series() {
            for ((from, to), count) in &breaker.transitions {
                show(vec![("breaker", name), ("from", from.as_str()), ("to", to.as_str())], *count);
            }
        }
    }),
    (names::BREAKER_RESULTS.name, series::RESULTS, |show| {
        for (name, breaker) in Registry::global().breaker_series() {
            for (result, count) in series::results(&breaker) {
                show(vec![("breaker", name), ("result", result)], count);
            }
        }
    }),
    (names::BREAKER_REJECTED.name, series::BREAKER_REJECTED, |show| {
        for (name, breaker) in Registry::global().breaker_series() {
            show(vec![("breaker", name)], breaker.rejected);
        }
    }),
    (names::BREAKER_STALE.name, series::STALE, |show| {
        for (name, breaker) in Registry::global().breaker_series() {
            show(vec![("breaker", name)], breaker.stale);
        }
    }),
];

const GAUGES: [(&str, &str, Read); 3] = [
    (names::BREAKER_STATE.name, series::STATE, |show| {
        for (name, breaker) in Registry::global().breaker_series() {
            show(vec![("breaker", name)], series::number(breaker.state));
        }
    }),
    (names::HEALTH_STATUS.name, series::HEALTH, |show| {
        for (name, status) in Registry::global().health_statuses() {
            show(vec![("check", &name)], status as u64);
        }
    }),
    (names::LEVEL.name, series::LEVEL, |show| {
        for (level, holds) in series::levels(Registry::global()) {
            show(vec![("level", level)], holds);
        }
    }),
];

#[cfg(feature = "replicas")]
const DISTRIBUTED_DEGRADED: (&str, &str, Read) =
    (names::DISTRIBUTED_DEGRADED.name, series::DISTRIBUTED_DEGRADED, |show| {
        for (part, count) in series::distributed_degraded(Registry::global()) {
            show(vec![("part", part)], count);
        }
    });

#[cfg(feature = "http")]
const ADMIN_REFUSED: (&str, &str, Read) = (names::ADMIN_REFUSED.name, series::ADMIN_REFUSED, |show| {
    for (reason, count) in Registry::global().admin_refusals.read() {
        show(vec![("reason", reason.as_str())], count);
    }
});

#[cfg(feature = "alerts")]
const ALERTS_LOST: (&str, &str, Read) = (names::ALERTS_LOST.name, series::ALERTS_LOST, |show| {
    for (sink, lost) in Registry::global().alert_board().lost() {
        show(vec![("sink", sink)], lost);
    }
});

/// Installs the instruments of deferred writes. Their values are those of the last count of the store.
#[cfg(feature = "deferred")]
fn install_deferred(meter: &Meter) {
    use crate::series::deferred;

    let read = |to: &dyn AsyncInstrument<u64>| {
        for (tool, result, count) in deferred::results(Registry::global()) {
            to.observe(count, &attributes([("tool", &*tool), ("result", result.as_str())]));
        }
    };
    let (name, help) = deferred::RESULTS;
    meter.u64_observable_counter(name).with_description(help).with_callback(read).build();
    let read = |to: &dyn AsyncInstrument<u64>| {
        for (state, count) in deferred::entries(Registry::global()) {
            to.observe(count, &attributes([("state", state)]));
        }
    };
    let (name, help) = deferred::ENTRIES;
    meter.u64_observable_gauge(name).with_description(help).with_callback(read).build();
    for ((name, help), value) in deferred::GAUGES {
        let read = move |to: &dyn AsyncInstrument<u64>| {
            if let Some(value) = value(Registry::global()) {
                to.observe(value, &[]);
            }
        };
        meter.u64_observable_gauge(name).with_description(help).with_callback(read).build();
    }
}

/// Installs the instruments of connections to other servers, which have no values without one.
fn install_connections(meter: &Meter) {
    let observe = |value: series::OfConnection| {
        move |to: &dyn AsyncInstrument<u64>| {
            for read in Registry::global().connections() {
                to.observe(value(&read), &attributes([("server", &*read.server)]));
            }
        }
    };
    let (name, help, value) = series::CONNECTION_UP;
    meter.u64_observable_gauge(name).with_description(help).with_callback(observe(value)).build();
    for (name, help, value) in series::CONNECTION_COUNTERS {
        meter.u64_observable_counter(name).with_description(help).with_callback(observe(value)).build();
    }
}

pub(super) fn install(meter: &Meter) {
    for &(name, help, counts) in series::COUNTERS {
        let read = move |to: &dyn AsyncInstrument<u64>| {
            let show = |each: &NamedStatistics, counted: Vec<(Labels<'_>, u64)>| {
                for (labels, count) in counted {
                    to.observe(count, &attributes(std::iter::once(("tool", &*each.name)).chain(labels)));
                }
            };
            for each in NamedStatistics::all(Registry::global()) {
                show(&each, counts(&each.read));
            }
            for each in NamedStatistics::requests(Registry::global()) {
                show(&each, series::of_request(name, counts, &each.read));
            }
        };
        meter.u64_observable_counter(name).with_description(help).with_callback(read).build();
    }
    for &(name, help, value) in series::GAUGES {
        let read = move |to: &dyn AsyncInstrument<u64>| {
            for each in NamedStatistics::all(Registry::global()) {
                if let Some(value) = value(&each.read) {
                    to.observe(value, &attributes([("tool", &*each.name)]));
                }
            }
        };
        meter.u64_observable_gauge(name).with_description(help).with_callback(read).build();
    }
    install_connections(meter);
    #[cfg(feature = "deferred")]
    install_deferred(meter);
    let observe = |read: Read| {
        move |to: &dyn AsyncInstrument<u64>| read(&mut |labels, value| to.observe(value, &attributes(labels)))
    };
    let counters = COUNTERS.into_iter();
    #[cfg(feature = "http")]
    let counters = counters.chain([ADMIN_REFUSED]);
    #[cfg(feature = "alerts")]
    let counters = counters.chain([ALERTS_LOST]);
    #[cfg(feature = "replicas")]
    let counters = counters.chain([DISTRIBUTED_DEGRADED]);
    for (name, help, read) in counters {
        meter.u64_observable_counter(name).with_description(help).with_callback(observe(read)).build();
    }
    for (name, help, read) in GAUGES {
        meter.u64_observable_gauge(name).with_description(help).with_callback(observe(read)).build();
    }
}

fn attributes<'a>(labels: impl IntoIterator<Item = (&'static str, &'a str)>) -> Vec<KeyValue> {
    labels.into_iter().map(|(name, value)| KeyValue::new(name, value.to_owned())).collect()
}
