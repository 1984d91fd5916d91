//! The statistics as observable instruments, read when the SDK collects.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

use crate::registry::Registry;
use crate::series::{self, Labels, NamedStatistics};

/// Reads values and their labels from the registry for an instrument.
type Read = fn(&mut dyn FnMut(Labels<'_>, u64));

const COUNTERS: [(&str, &str, Read); 3] = [
    ("resilient_breaker_transitions", series::TRANSITIONS, |show| {
        for (name, breaker) in Registry::global().breaker_series() {
            for ((from, to), count) in &breaker.transitions {
                show(vec![("breaker", name), ("from", from.as_str()), ("to", to.as_str())], *count);
            }
        }
    }),
    ("resilient_breaker_rejected", series::BREAKER_REJECTED, |show| {
        for (name, breaker) in Registry::global().breaker_series() {
            show(vec![("breaker", name)], breaker.rejected);
        }
    }),
    ("resilient_breaker_stale", series::STALE, |show| {
        for (name, breaker) in Registry::global().breaker_series() {
            show(vec![("breaker", name)], breaker.stale);
        }
    }),
];

const GAUGES: [(&str, &str, Read); 3] = [
    ("resilient_breaker_state", series::STATE, |show| {
        for (name, breaker) in Registry::global().breaker_series() {
            show(vec![("breaker", name)], series::number(breaker.state));
        }
    }),
    ("resilient_health_status", series::HEALTH, |show| {
        for (name, status) in Registry::global().health_statuses() {
            show(vec![("check", &name)], status as u64);
        }
    }),
    ("resilient_level", series::LEVEL, |show| {
        for (level, holds) in series::levels(Registry::global()) {
            show(vec![("level", level)], holds);
        }
    }),
];

#[cfg(feature = "http")]
const ADMIN_REFUSED: (&str, &str, Read) = ("resilient_admin_refused", series::ADMIN_REFUSED, |show| {
    for (reason, count) in Registry::global().admin_refusals.read() {
        show(vec![("reason", reason.as_str())], count);
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

pub(super) fn install(meter: &Meter) {
    for &(name, help, counts) in series::COUNTERS {
        let read = move |to: &dyn AsyncInstrument<u64>| {
            let mut all = NamedStatistics::all(Registry::global());
            if name == series::ERRORS {
                all.extend(NamedStatistics::requests(Registry::global()));
            }
            for each in all {
                for (labels, count) in counts(&each.read) {
                    to.observe(count, &attributes(std::iter::once(("tool", &*each.name)).chain(labels)));
                }
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
    #[cfg(feature = "deferred")]
    install_deferred(meter);
    let observe = |read: Read| {
        move |to: &dyn AsyncInstrument<u64>| read(&mut |labels, value| to.observe(value, &attributes(labels)))
    };
    let counters = COUNTERS.into_iter();
    #[cfg(feature = "http")]
    let counters = counters.chain([ADMIN_REFUSED]);
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
