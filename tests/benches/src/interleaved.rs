//! Measures several implementations in turns, so that disturbances of the machine affect all of them alike.

use std::time::{Duration, Instant};

const ROUNDS: usize = 31;

/// The duration of one turn.
pub const TURN: Duration = Duration::from_millis(4);

/// A way to do something a number of times.
pub struct Way<'a> {
    /// The name of the way.
    pub name: &'static str,
    run: Box<dyn FnMut(u64) + 'a>,
}

impl std::fmt::Debug for Way<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Way").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Way<'a> {
    /// Creates a way; `run` receives how often to do it.
    pub fn new(name: &'static str, run: impl FnMut(u64) + 'a) -> Self {
        Self { name, run: Box::new(run) }
    }

    /// Returns the number of allocations per time, once everything is warm.
    pub fn allocations(&mut self) -> f64 {
        const TIMES: u64 = 3_200;
        (self.run)(TIMES);
        // The cost of starting is in both counts.
        let few = crate::allocations::count(|| (self.run)(TIMES));
        let many = crate::allocations::count(|| (self.run)(3 * TIMES));
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let each = many.saturating_sub(few) as f64 / (2 * TIMES) as f64;
        each
    }
}

/// Returns the nanoseconds per time for each way: the median of all rounds. In each round, every way has one turn of
/// this length. `rest` runs between the rounds and is not measured.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few thousand"
)]
pub fn time(ways: &mut [Way<'_>], turn: Duration, rest: impl Fn()) -> Vec<f64> {
    let times: Vec<u64> = ways
        .iter_mut()
        .map(|way| {
            // Doubled until it takes long enough to be measured.
            let mut times = 64;
            loop {
                let started = Instant::now();
                (way.run)(times);
                let took = started.elapsed();
                if took * 2 >= turn {
                    break (times as f64 * turn.as_secs_f64() / took.as_secs_f64()).max(1.0) as u64;
                }
                times *= 2;
            }
        })
        .collect();
    let mut samples = vec![Vec::with_capacity(ROUNDS); ways.len()];
    for round in 0..ROUNDS {
        rest();
        for place in 0..ways.len() {
            // The order rotates, so that no way always follows the same other one.
            let index = (place + round) % ways.len();
            let started = Instant::now();
            (ways[index].run)(times[index]);
            samples[index].push(started.elapsed().as_secs_f64() * 1e9 / times[index] as f64);
        }
    }
    samples
        .into_iter()
        .map(|mut samples| {
            samples.sort_by(f64::total_cmp);
            samples[samples.len() / 2]
        })
        .collect()
}
