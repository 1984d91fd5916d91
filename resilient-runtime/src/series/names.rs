//! The names of all series, declared once: exporters, rules and dashboards take them from here.

use std::fmt;

/// A series, by its name without the suffixes that Prometheus adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) form: SeriesForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeriesForm {
    Counter,
    Gauge,
    Histogram,
}

impl Series {
    const fn counter(name: &'static str) -> Self {
        Self { name, form: SeriesForm::Counter }
    }

    const fn gauge(name: &'static str) -> Self {
        Self { name, form: SeriesForm::Gauge }
    }

    const fn histogram(name: &'static str) -> Self {
        Self { name, form: SeriesForm::Histogram }
    }

    /// Returns the names of its samples in Prometheus.
    #[cfg(test)]
    pub(crate) fn samples(self) -> Vec<String> {
        let suffixes: &[&str] = match self.form {
            SeriesForm::Counter => &["_total"],
            SeriesForm::Gauge => &[""],
            SeriesForm::Histogram => &["_bucket", "_sum", "_count"],
        };
        suffixes.iter().map(|suffix| format!("{}{suffix}", self.name)).collect()
    }
}

/// Writes the name of its samples in Prometheus, of a histogram that of its buckets.
impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        f.write_str(match self.form {
            SeriesForm::Counter => "_total",
            SeriesForm::Gauge => "",
            SeriesForm::Histogram => "_bucket",
        })
    }
}

macro_rules! series {
    ($($(#[$attribute:meta])* $constant:ident = $form:ident $name:literal;)*) => {
        $($(#[$attribute])* pub(crate) const $constant: Series = Series::$form($name);)*

        /// All series.
        #[cfg(test)]
        pub(crate) const ALL: &[Series] = &[$($(#[$attribute])* $constant,)*];
    };
}

series! {
    OPERATION_DURATION = histogram "mcp_server_operation_duration_seconds";
    CALLS = counter "resilient_calls";
    ERRORS = counter "resilient_errors";
    EXCUSED = counter "resilient_excused";
    ATTEMPT_DURATION = histogram "resilient_attempt_duration_seconds";
    RETRIES = counter "resilient_retries";
    RETRIES_SUPPRESSED = counter "resilient_retries_suppressed";
    FALLBACKS = counter "resilient_fallbacks";
    CACHE = counter "resilient_cache";
    CACHE_BYTES = gauge "resilient_cache_bytes";
    TIMEOUTS = counter "resilient_timeouts";
    REJECTED = counter "resilient_rejected";
    IN_FLIGHT = gauge "resilient_in_flight";
    WAITING = gauge "resilient_waiting";
    BREAKER_STATE = gauge "resilient_breaker_state";
    BREAKER_TRANSITIONS = counter "resilient_breaker_transitions";
    BREAKER_RESULTS = counter "resilient_breaker_results";
    BREAKER_REJECTED = counter "resilient_breaker_rejected";
    BREAKER_STALE = counter "resilient_breaker_stale";
    HEALTH_STATUS = gauge "resilient_health_status";
    LEVEL = gauge "resilient_level";
    CONNECTION_UP = gauge "resilient_connection_up";
    CONNECTION_RESTARTS = counter "resilient_connection_restarts";
    CONNECTION_JUNK_LINES = counter "resilient_connection_junk_lines";
    ADMIN_REFUSED = counter "resilient_admin_refused";
    #[cfg(feature = "alerts")]
    ALERTS_LOST = counter "resilient_alerts_lost";
    #[cfg(feature = "replicas")]
    DISTRIBUTED_DEGRADED = counter "resilient_distributed_degraded";
    DEFERRED = counter "resilient_deferred";
    DEFERRED_ENTRIES = gauge "resilient_deferred_entries";
    DEFERRED_INTERRUPTED_TRIES = gauge "resilient_deferred_interrupted_tries";
    DEFERRED_OLDEST = gauge "resilient_deferred_oldest_seconds";
    DEFERRED_COUNTED = gauge "resilient_deferred_counted_seconds";
    MEMORY_LIMIT = gauge "resilient_memory_limit_bytes";
    PROCESS_CPU = counter "process_cpu_seconds";
    PROCESS_RESIDENT = gauge "process_resident_memory_bytes";
    PROCESS_VIRTUAL = gauge "process_virtual_memory_bytes";
    PROCESS_THREADS = gauge "process_threads";
    PROCESS_START = gauge "process_start_time_seconds";
    PROCESS_OPEN_FDS = gauge "process_open_fds";
    PROCESS_MAX_FDS = gauge "process_max_fds";
}
