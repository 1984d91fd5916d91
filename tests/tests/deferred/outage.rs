//! An outage of an hour with 10,000 deferred calls.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::deferred::State;
use resilient_runtime::testing;
use tokio::time::{Instant, sleep};

use super::shop::{SECOND, count, receipt, serve};

const HOUR: Duration = Duration::from_secs(3_600);
const CALLS: usize = 10_000;

/// The maximum number of deliveries at a time for each breaker.
const AT_ONCE: u32 = 4;

#[test]
fn after_an_outage_of_an_hour_10_000_deferred_calls_are_delivered_once_and_without_a_storm() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        let upstream = served.upstream();
        upstream.takes.store(20, Ordering::Relaxed);
        upstream.down(true);
        let began = Instant::now();
        let mut receipts = BTreeSet::new();
        for number in 0..CALLS {
            receipts.insert(served.defer("order", &format!("k{number}")).await);
        }
        assert_eq!(receipts.len(), CALLS);

        // A waiting key never runs the body, whatever the breaker does.
        let before = upstream.runs();
        for number in (0..CALLS).step_by(97) {
            assert!(receipts.contains(&receipt(&served.call("order", &format!("k{number}")).await)));
        }
        let direct = upstream.runs() - before;
        sleep(HOUR.saturating_sub(began.elapsed())).await;
        let probes = upstream.runs();
        assert_eq!(count(&served.store, State::Waiting).await + count(&served.store, State::Running).await, 10_000);
        // A breaker that is open for 15 s or more admits one probe for each period.
        assert!(probes <= 3_600 / 15 + 10, "{probes} runs in the outage");

        upstream.down(false);
        let up = Instant::now();
        while count(&served.store, State::Done).await < 10_000 {
            sleep(SECOND).await;
        }
        assert_eq!(lab.breaker("orders").state, BreakerState::Closed);
        let placed = upstream.placed.lock().unwrap();
        let keys: BTreeSet<_> = placed.iter().map(|(key, _)| key).collect();
        assert_eq!((placed.len(), keys.len()), (CALLS, CALLS), "each order is placed once");
        assert!(upstream.most_at_once.load(Ordering::Relaxed) <= AT_ONCE);
        let second = |at: &Instant| at.duration_since(up).as_secs();
        let mut rates = vec![0_u32; usize::try_from(second(&placed[CALLS - 1].1)).unwrap() + 1];
        for (_, at) in placed.iter() {
            rates[usize::try_from(second(at)).unwrap()] += 1;
        }
        let most = rates.iter().max().copied().unwrap_or_default();
        // 4 at a time of 20 ms each could be 200 a second.
        assert!(most <= 100, "{most} deliveries in one second");
        eprintln!(
            "{probes} runs while the upstream was down, {direct} of them by calls with a waiting key; then {CALLS} \
             deliveries in {} s, {most} at most in one second, the first after {} ms",
            rates.len(),
            placed[0].1.duration_since(up).as_millis(),
        );
    });
}
