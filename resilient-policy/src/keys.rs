//! How many values of a key have a limit of their own.

use crate::Problem;

/// The most values of a key that a limit tells apart where nothing else is said.
pub(crate) const DEFAULT: u32 = 1_024;
/// The most that can be said: each value takes memory.
const LARGEST: u32 = 100_000;

/// The problem of a bound that is out of range.
pub(crate) fn problem(path: &'static str, max_keys: u32) -> Option<Problem> {
    let is_fine = (1..=LARGEST).contains(&max_keys);
    (!is_fine).then(|| Problem::new(path, format!("expected 1 to {LARGEST}, found {max_keys}")))
}
