//! `classify`, `timeout(max, from)` and `retry(before)`: what the author knows about one call.

mod before;
mod classified;
mod requested;
