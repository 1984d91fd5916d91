//! Times several ways to do the same in turns, so that whatever happens to the machine happens to all
//! of them alike.

use std::time::{Duration, Instant};

const ROUNDS: usize = 31;

/// How long each way has its turn.
pub const TURN: Duration = Duration::from_millis(4);

/// A way to do something so many times.
pub struct Way<'a> {
    /// What it is called.
    pub name: &'static str,
    run: Box<dyn FnMut(u64) + 'a>,
}

impl std::fmt::Debug for Way<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Way").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Way<'a> {
    /// `run` does it as often as it is told.
    pub fn new(name: &'static str, run: impl FnMut(u64) + 'a) -> Self {
        Self { name, run: Box::new(run) }
    }

    /// How often it allocates each time, once everything is warm.
    pub fn allocations(&mut self) -> f64 {
        const TIMES: u64 = 3_200;
        (self.run)(TIMES);
        // What starting it costs is in both.
        let few = crate::allocations::count(|| (self.run)(TIMES));
        let many = crate::allocations::count(|| (self.run)(3 * TIMES));
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let each = many.saturating_sub(few) as f64 / (2 * TIMES) as f64;
        each
    }
}

/// Nanoseconds that each way takes for one time: the median of the rounds, in each of which everybody has a turn
/// of this length. Between them, `rest` is done, which nobody is charged with.
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
            // Doubled until it takes long enough to be timed.
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
            // Nobody always comes after the same neighbour.
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
