//! The script: which request fails, and how. It is a pure function of phase, seed and request number.

use std::{fmt, str::FromStr, time::Duration};

/// A period with one behaviour of the upstream.
///
/// The first seven are the demo's, in its order. The others have one fault each, for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Every response is correct and fast.
    Healthy,
    /// About one request in four fails, in different ways; some responses are slow.
    Flaky,
    /// Most requests are rejected with 429 and a `Retry-After` of one second.
    RateLimited,
    /// No request succeeds: 503, 500, and connections that close without a response.
    Outage,
    /// Requests are accepted but never receive a response.
    Hanging,
    /// One response in four makes the client code in the server panic.
    ToolPanic,
    /// Healthy again.
    Recovery,
    /// Every response is correct but takes a second.
    Slow,
    /// Every response is truncated in the middle of its JSON.
    BrokenJson,
    /// Every connection closes without a response.
    Dropped,
}

/// The fault of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// None: the correct response, at once.
    None,
    /// The correct response after a delay.
    Slow(Duration),
    /// 429 with `Retry-After` in seconds.
    RateLimited(u64),
    /// 500.
    InternalError,
    /// 503.
    Unavailable,
    /// No response for as long as the client waits.
    Hang,
    /// 200 with half of the JSON.
    BrokenJson,
    /// The connection closes before a byte of the response was sent.
    Drop,
    /// The correct response with the header on which the demo's client panics.
    ToolPanic,
}

impl Phase {
    /// Every phase, the demo's first.
    pub const ALL: [Self; 10] = [
        Self::Healthy,
        Self::Flaky,
        Self::RateLimited,
        Self::Outage,
        Self::Hanging,
        Self::ToolPanic,
        Self::Recovery,
        Self::Slow,
        Self::BrokenJson,
        Self::Dropped,
    ];

    /// The name used in control requests and in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Flaky => "flaky",
            Self::RateLimited => "rate-limited",
            Self::Outage => "outage",
            Self::Hanging => "hanging",
            Self::ToolPanic => "tool-panic",
            Self::Recovery => "recovery",
            Self::Slow => "slow",
            Self::BrokenJson => "broken-json",
            Self::Dropped => "dropped",
        }
    }

    /// The fault of the `number`-th request of this phase.
    #[must_use]
    pub fn fault(self, seed: u64, number: u64) -> Fault {
        let die = roll(seed, self, number);
        let mut below = 0;
        for &(percent, fault) in self.script() {
            below += percent;
            if die < below {
                return fault;
            }
        }
        Fault::None
    }

    /// The faults with their share of requests in percent. The other requests succeed.
    const fn script(self) -> &'static [(u8, Fault)] {
        const SLOW: Fault = Fault::Slow(Duration::from_millis(600));
        const VERY_SLOW: Fault = Fault::Slow(Duration::from_secs(1));
        match self {
            Self::Healthy | Self::Recovery => &[],
            Self::Flaky => &[
                (10, Fault::Unavailable),
                (5, Fault::InternalError),
                (5, Fault::Drop),
                (5, Fault::BrokenJson),
                (10, SLOW),
            ],
            Self::RateLimited => &[(60, Fault::RateLimited(1))],
            Self::Outage => &[(60, Fault::Unavailable), (20, Fault::InternalError), (20, Fault::Drop)],
            Self::Hanging => &[(100, Fault::Hang)],
            Self::ToolPanic => &[(25, Fault::ToolPanic)],
            Self::Slow => &[(100, VERY_SLOW)],
            Self::BrokenJson => &[(100, Fault::BrokenJson)],
            Self::Dropped => &[(100, Fault::Drop)],
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An unknown phase name.
#[derive(Debug, thiserror::Error)]
#[error("no phase `{name}`, expected one of: {}", Phase::ALL.map(Phase::name).join(", "))]
pub struct UnknownPhase {
    name: String,
}

impl FromStr for Phase {
    type Err = UnknownPhase;

    fn from_str(name: &str) -> Result<Self, UnknownPhase> {
        Self::ALL.into_iter().find(|phase| phase.name() == name).ok_or_else(|| UnknownPhase { name: name.to_owned() })
    }
}

/// A number from 0 to 99 that depends only on its arguments.
///
/// Each request has its own generator. With a shared one, the fault of the n-th request would depend on a race between
/// requests.
fn roll(seed: u64, phase: Phase, number: u64) -> u8 {
    let mut rng = fastrand::Rng::with_seed((seed << 40) ^ ((phase as u64) << 32) ^ number);
    rng.u8(..100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(phase: Phase, seed: u64, count: u64) -> Vec<Fault> {
        (0..count).map(|number| phase.fault(seed, number)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_script() {
        for phase in Phase::ALL {
            assert_eq!(faults(phase, 7, 200), faults(phase, 7, 200), "{phase}");
        }
        assert_ne!(faults(Phase::Flaky, 7, 200), faults(Phase::Flaky, 8, 200));
    }

    #[test]
    fn shares_are_those_of_the_script() {
        let count = 10_000;
        for phase in Phase::ALL {
            for &(percent, fault) in phase.script() {
                let hits = faults(phase, 1, count).into_iter().filter(|&hit| hit == fault).count();
                let share = hits * 100 / usize::try_from(count).unwrap();
                let expected = usize::from(percent);
                assert!(share.abs_diff(expected) <= 2, "{phase}: {fault:?} hits {share} %, not {expected} %");
            }
        }
    }

    #[test]
    fn names_parse_back() {
        for phase in Phase::ALL {
            assert_eq!(phase.name().parse::<Phase>().unwrap(), phase);
        }
        let error = "helthy".parse::<Phase>().unwrap_err().to_string();
        assert!(error.contains("`helthy`") && error.contains("healthy"), "{error}");
    }
}
