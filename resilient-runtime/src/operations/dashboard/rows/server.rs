//! The server itself: deferred writes, the level of service and health, the process.

use super::super::panel::{Panel, View};
use super::{RATE, SERVERS};
use crate::operations::expressions::{select, sum_of_increase, sum_of_rate, words};
use crate::outcomes::Rejected;
use crate::series::names::{self, Series};

/// Shows a gauge of each instance.
fn by_instance(series: Series) -> String {
    format!("max by (instance) ({})", select(series, &[SERVERS]))
}

pub(super) fn deferred() -> Vec<Panel> {
    // Processes that share a store all report all of its entries.
    let of_store = |by: &str, series: Series| format!("max by ({by}) ({})", select(series, &[SERVERS]));
    let dead = select(names::DEFERRED_ENTRIES, &[SERVERS, r#"state="dead""#]);
    vec![
        Panel::new("Given up", View::Number, "none", "Deferred writes that will not be tried again by themselves.")
            .show(format!("max by (job) ({dead})"), "{{job}}")
            .limit(1.0),
        Panel::new("Oldest", View::Number, "s", "The age of the oldest deferred write that waits or runs.")
            .show(of_store("job", names::DEFERRED_OLDEST), "{{job}}"),
        Panel::new("Interrupted tries", View::Number, "none", "Tries whose process died or hung.")
            .show(of_store("job", names::DEFERRED_INTERRUPTED_TRIES), "{{job}}"),
        Panel::new("Counted", View::Number, "s", "The time since the store was counted last.")
            .show(of_store("job", names::DEFERRED_COUNTED), "{{job}}"),
        Panel::new("Entries", View::Stacked, "none", "Deferred writes in the store, by state.")
            .show(of_store("job, state", names::DEFERRED_ENTRIES), "{{job}} {{state}}")
            .wide(12),
        Panel::new("Results", View::Stacked, "none", "What happened to deferred writes within 5 minutes.")
            .show(sum_of_increase("tool, result", names::DEFERRED, &[SERVERS], "5m"), "{{tool}} {{result}}")
            .wide(12),
    ]
}

pub(super) fn level() -> Vec<Panel> {
    let level = select(names::LEVEL, &[SERVERS]);
    let unauthorized = words("reason", "=", [Rejected::Unauthorized.as_str()]);
    let mut refused = Panel::new(
        "Refused",
        View::Lines,
        "none",
        "Refused authorizations, and refused requests for the routes for operators, within 10 minutes.",
    )
    .show(sum_of_increase("tool", names::REJECTED, &[SERVERS, &unauthorized], "10m"), "{{tool}} unauthorized");
    if cfg!(feature = "http") {
        refused = refused
            .show(sum_of_increase("reason", names::ADMIN_REFUSED, &[SERVERS], "10m"), "operator routes: {{reason}}");
    }
    vec![
        Panel::new("Level", View::States, "none", "The level that holds, by instance.")
            .show(format!("max by (instance, level) ({level})"), "{{instance}} {{level}}")
            .words(&[(0, " ", "transparent"), (1, "holds", "blue")]),
        Panel::new("Health", View::States, "none", "What the last health report said of each check.")
            .show(format!("max by (check) ({})", select(names::HEALTH_STATUS, &[SERVERS])), "{{check}}")
            .words(&[(0, "pass", "green"), (1, "warn", "yellow"), (2, "fail", "red")]),
        refused,
    ]
}

pub(super) fn process() -> Vec<Panel> {
    let start = select(names::PROCESS_START, &[SERVERS]);
    let [resident, limit] = [names::PROCESS_RESIDENT, names::MEMORY_LIMIT].map(|series| select(series, &[SERVERS]));
    vec![
        Panel::new("Memory", View::Lines, "bytes", "Resident memory, and the limit of the control group.")
            .show(by_instance(names::PROCESS_RESIDENT), "{{instance}}")
            .show(by_instance(names::MEMORY_LIMIT), "limit of {{instance}}"),
        Panel::new("Memory as a share of the limit", View::Lines, "percentunit", "From 85 % on, an alert fires.")
            .show(format!("max by (instance) ({resident} / {limit})"), "{{instance}}")
            .limit(0.85),
        Panel::new("Processor", View::Lines, "percentunit", "Cores that the process keeps busy.")
            .show(sum_of_rate("instance", names::PROCESS_CPU, &[SERVERS], RATE), "{{instance}}"),
        Panel::new("Descriptors", View::Lines, "none", "Open files and sockets, and how many may be open.")
            .show(by_instance(names::PROCESS_OPEN_FDS), "{{instance}}")
            .show(by_instance(names::PROCESS_MAX_FDS), "limit of {{instance}}"),
        Panel::new("Threads", View::Lines, "none", "Threads of the process.")
            .show(by_instance(names::PROCESS_THREADS), "{{instance}}"),
        Panel::new("Running for", View::Number, "s", "The time since the process began.")
            .show(format!("time() - max by (instance) ({start})"), "{{instance}}"),
    ]
}
