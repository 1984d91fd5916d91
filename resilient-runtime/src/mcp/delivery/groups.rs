//! The tools that defer writes, in groups that share a breaker, and how many deliveries each group may run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use resilient_policy::longest_answer;
use tokio::time::Instant;

use crate::binding::BindingRef;
use crate::breaker::BreakerState;
use crate::deferred::ClaimedTool;
use crate::registry::Registry;
use crate::site::Site;

/// The maximum number of deliveries of one group at a time.
const MOST_AT_ONCE: usize = 4;

/// Tools with one breaker, or a tool without one.
pub(super) struct Group {
    tools: Vec<Tool>,
    running: AtomicUsize,
}

/// A tool that defers writes.
struct Tool {
    name: &'static str,
    site: &'static Site,
    /// Until when all its calls would be refused.
    paused: Mutex<Option<Instant>>,
}

/// What a group may claim now.
#[derive(Debug, PartialEq)]
pub(super) enum Room {
    /// At most this number of entries of these tools.
    Free(usize, Vec<ClaimedTool>),
    /// Nothing, until a delivery ends.
    Full,
    /// Nothing, as far as known for this time.
    Closed(Duration),
}

impl Group {
    /// Groups the records of tools by their breakers.
    pub(super) fn of(sites: &[&'static Site], registry: Option<&Arc<Registry>>) -> Vec<Self> {
        let mut groups: BTreeMap<(bool, &str), Vec<Tool>> = BTreeMap::new();
        for site in sites {
            let Some(name) = site.tool() else { continue };
            let group = match &bind(site, registry).breaker {
                Some(breaker) => (true, breaker.name()),
                None => (false, name),
            };
            let tools = groups.entry(group).or_default();
            if tools.iter().all(|known| known.name != name) {
                tools.push(Tool { name, site, paused: Mutex::default() });
            }
        }
        groups.into_values().map(|tools| Self { tools, running: AtomicUsize::new(0) }).collect()
    }

    /// Returns what the group may claim now.
    pub(super) fn room(&self, registry: Option<&Arc<Registry>>, usual: Duration) -> Room {
        let (mut most, mut wait) = (0, usual);
        let now = Instant::now();
        let mut tools = Vec::new();
        for tool in &self.tools {
            let bound = bind(tool.site, registry);
            let admitted = match bound.breaker.as_ref().map(|breaker| (breaker.state(), breaker.remaining())) {
                None | Some((BreakerState::Closed, _)) => Ok(MOST_AT_ONCE),
                Some((BreakerState::Open, Some(rest))) if !rest.is_zero() => Err(rest),
                // One probe, so that direct calls can be probes too.
                Some((BreakerState::HalfOpen | BreakerState::Open, _)) => Ok(1),
                Some((BreakerState::Isolated, _)) => Err(usual),
            };
            match tool.paused(now).map_or(admitted, Err) {
                Ok(admitted) => {
                    most = most.max(admitted);
                    tools.push(ClaimedTool { name: tool.name.to_owned(), lease: lease(&bound) });
                }
                Err(rest) => wait = wait.min(rest),
            }
        }
        if tools.is_empty() {
            return Room::Closed(wait);
        }
        match most.saturating_sub(self.running.load(Ordering::Relaxed)) {
            0 => Room::Full,
            free => Room::Free(free, tools),
        }
    }

    /// Claims nothing of a tool for this time.
    pub(super) fn pause(&self, tool: &str, delay: Duration) {
        if let Some(tool) = self.tools.iter().find(|known| known.name == tool) {
            *tool.paused.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(crate::clock::later(Instant::now(), delay));
        }
    }

    /// Notes that a delivery begins.
    pub(super) fn begin(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a delivery has ended.
    pub(super) fn end(&self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Tool {
    /// Returns the rest of the time for which its calls would be refused.
    fn paused(&self, now: Instant) -> Option<Duration> {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = paused.map(|until| until.saturating_duration_since(now)).filter(|rest| !rest.is_zero());
        if rest.is_none() {
            *paused = None;
        }
        rest
    }
}

/// Returns the binding of a function in this registry, or in that of the process.
fn bind<'s>(site: &'s Site, registry: Option<&Arc<Registry>>) -> BindingRef<'s> {
    match registry {
        Some(own) => BindingRef::Other(site.bind_in(own)),
        None => site.bind(),
    }
}

/// Returns the length of the lease of a try: the tool's longest answer and a quarter.
fn lease(bound: &BindingRef<'_>) -> Duration {
    let longest = longest_answer(bound.policy());
    longest.saturating_add(longest / 4)
}
