//! One phase: the same calls at the same times to both servers, and the figures of each.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{
    Failure,
    calls::Call,
    plan::{EVERY, Step},
    report::Report,
    screen::Screen,
    server::Server,
    table::seconds,
    verdict::{Outcome, Verdict},
};
use crate::upstream::phase::Phase;

/// The maximum wait for a breaker to close: its open period with a margin.
const SETTLE: Duration = Duration::from_secs(8);

/// Both servers under test.
pub(super) struct Pair {
    pub(super) resilient: Server,
    pub(super) bare: Server,
}

/// One of the two servers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Resilient,
    Bare,
}

/// Runs a phase. `first` is the number of its first call.
pub(super) async fn phase(pair: &Pair, step: &Step, first: u64, screen: &Screen) -> Result<(Report, Report), Failure> {
    let before = (pair.resilient.stats().await?, pair.bare.stats().await?);
    let revisions = (pair.resilient.enter(step.phase).await?, pair.bare.enter(step.phase).await?);
    let mut calls = JoinSet::new();
    let mut outcomes = (Vec::new(), Vec::new());
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut made = 0;
    while made < step.calls || !calls.is_empty() {
        tokio::select! {
            _ = ticks.tick(), if made < step.calls => {
                let call = Call::nth(first + made);
                let (resilient, bare) = (pair.resilient.call(call, revisions.0), pair.bare.call(call, revisions.1));
                calls.spawn(async { (Which::Resilient, resilient.await) });
                calls.spawn(async { (Which::Bare, bare.await) });
                made += 1;
            }
            Some(ended) = calls.join_next() => {
                let (which, outcome) = ended?;
                if which == Which::Resilient { outcomes.0.push(outcome) } else { outcomes.1.push(outcome) }
            }
        }
        let ended = (outcomes.0.len(), outcomes.1.len());
        screen.tick(&format!("  {made}/{} calls made, ended: resilient {}, bare {}", step.calls, ended.0, ended.1))?;
    }
    let after = (pair.resilient.stats().await?, pair.bare.stats().await?);
    let name = step.phase.name();
    let resilient = Report::new(&outcomes.0, name, &before.0, &after.0);
    Ok((resilient, Report::new(&outcomes.1, name, &before.1, &after.1)))
}

/// Waits with healthy upstreams until the resilient server's breaker is closed, so that a phase does not begin with the
/// open breaker of the previous one. Prints a line if that takes long.
pub(super) async fn settle(pair: &Pair, screen: &Screen) -> Result<(), Failure> {
    let begun = Instant::now();
    let revision = pair.resilient.enter(Phase::Healthy).await?;
    pair.bare.enter(Phase::Healthy).await?;
    // Two consecutive successes, because a breaker closes after two.
    let mut fresh = 0;
    while fresh < 2 && begun.elapsed() < SETTLE {
        screen.tick("  the upstream is well again; waiting for the breaker to notice")?;
        let outcome = pair.resilient.call(Call::nth(0), revision).await;
        if is_fresh(&outcome, pair).await? {
            fresh += 1;
        } else {
            fresh = 0;
            sleep(Duration::from_millis(100)).await;
        }
    }
    if begun.elapsed() > Duration::from_millis(500) {
        screen
            .say(&format!("  the upstream is well again; the breaker took {} to notice", seconds(begun.elapsed())))?;
    }
    Ok(())
}

async fn is_fresh(outcome: &Outcome, pair: &Pair) -> Result<bool, Failure> {
    Ok(outcome.verdict(&pair.resilient.stats().await?) == Verdict::Right)
}
