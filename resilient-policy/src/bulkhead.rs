//! The settings of a bulkhead: the number of concurrent attempts and of queued calls.

use std::time::Duration;

use crate::duration::format_duration;
use crate::form::Form;
use crate::name::check_name;
use crate::problem::Problem;
use crate::schema::{Settings, settings};

settings! {
    /// The settings of one bulkhead.
    ///
    /// ```
    /// use std::time::Duration;
    /// use resilient_runtime::Bulkhead;
    /// use resilient_runtime::policy::BulkheadSettings;
    ///
    /// let settings = BulkheadSettings::new(2).queue(10).wait(Duration::from_secs(1));
    /// let reports = Bulkhead::with(settings);
    /// assert_eq!(reports.running(), 0);
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct BulkheadSettings, "bulkhead", new(max); shared
    where
        expected = "a number: `bulkhead = 20`",
        needed = "how many attempts may run at a time", "max = 20"
    {
        /// The maximum number of concurrent attempts.
        max: u32 = 1, Form::COUNT;
        /// The maximum number of calls that wait for a permit. Default 0: a call that finds no free permit is rejected
        /// at once.
        queue: u32 = 0, Form::COUNT => ", {} more may wait";
        /// The maximum time that a call waits for a permit. Default the remaining time of the call.
        wait: Duration | None = None, Form::DURATION => " {}";
        /// The maximum number of keys with a separate bulkhead, 1 to 100,000. Further keys share one. Default 1,024.
        max_keys: u32 = 1_024, Form::MAX_KEYS;
    }
}

impl BulkheadSettings {
    /// Returns settings for at most `max` concurrent attempts and no queue.
    #[must_use]
    pub const fn new(max: u32) -> Self {
        Self::DEFAULTS.max(max)
    }

    /// Checks the rules between the values.
    fn rules(&self, found: &mut Vec<Problem>) {
        if self.max == 0 {
            found.push(Problem::new(
                "bulkhead.max",
                "a bulkhead of 0 lets nothing through; `bulkhead = none` refuses an inherited one, otherwise remove it",
            ));
        }
        match self.wait {
            Some(_) if self.queue == 0 => found.push(Problem::new(
                "bulkhead.wait",
                "nobody waits where the queue has no places; set `queue` to how many may wait, or remove `wait`",
            )),
            Some(Duration::ZERO) => {
                found.push(Problem::new("bulkhead.wait", "a wait of no time is none; remove `queue` and `wait`"));
            }
            _ => {}
        }
    }

    /// Checks that a call which waits for the full `wait` has time left to run.
    pub(crate) fn leaves_time(&self, timeout: Duration, found: &mut Vec<Problem>) {
        if let Some(wait) = self.wait
            && wait >= timeout
        {
            found.push(Problem::new(
                "bulkhead.wait",
                format!(
                    "who waits that long has no time left to run: `wait` ({}) must be shorter than `timeout` ({}); \
                     without `wait` a call waits as long as it has time",
                    format_duration(wait),
                    format_duration(timeout)
                ),
            ));
        }
    }
}

/// The bulkhead of a function.
///
/// ```
/// use resilient_runtime::Policy;
/// use resilient_runtime::policy::{BulkheadSettings, BulkheadUse};
///
/// let reports = BulkheadUse::new(BulkheadSettings::new(2)).named("reports"); // shared
/// assert_eq!(Policy::new().bulkhead(reports).bulkhead.unwrap().name, Some("reports"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkheadUse {
    /// The name under which functions share the bulkhead. Without a name, it belongs to this function alone.
    pub name: Option<&'static str>,
    /// The settings of the bulkhead.
    pub settings: BulkheadSettings,
}

impl BulkheadUse {
    /// Creates a bulkhead that belongs to this function alone.
    #[must_use]
    pub const fn new(settings: BulkheadSettings) -> Self {
        Self { name: None, settings }
    }

    /// Shares the bulkhead with every function that uses the same name.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }
}

/// Checks the name and the settings of a bulkhead and returns all problems.
#[must_use]
pub fn check_bulkhead(name: Option<&str>, settings: &BulkheadSettings) -> Vec<Problem> {
    let mut found = Vec::new();
    if let Some(Err(why)) = name.map(check_name) {
        found.push(Problem::new("bulkhead.name", why));
    }
    settings.problems(&mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(settings: BulkheadSettings) -> Vec<&'static str> {
        check_bulkhead(Some("make"), &settings).iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn a_wait_needs_a_queue_and_a_bulkhead_needs_a_permit() {
        let second = Duration::from_secs(1);
        assert_eq!(paths(BulkheadSettings::new(1)), Vec::<&str>::new());
        assert_eq!(paths(BulkheadSettings::new(1).queue(2).wait(second)), Vec::<&str>::new());
        assert_eq!(paths(BulkheadSettings::new(0).wait(second)), ["bulkhead.max", "bulkhead.wait"]);
        assert_eq!(paths(BulkheadSettings::new(1).queue(1).wait(Duration::ZERO)), ["bulkhead.wait"]);
        assert_eq!(check_bulkhead(Some("a b"), &BulkheadSettings::new(1)).len(), 1);
    }
}
