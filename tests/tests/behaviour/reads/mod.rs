//! Reads that are answered from the cache: single-flight, ages, refreshes, invalidation, bounds.

mod ages;
mod bounds;
mod chaos;
mod deadlines;
mod errors;
mod invalidation;
mod jitter;
mod memory;
mod not_kept;
mod order;
mod principals;
mod refresh;
mod refresh_rules;
mod series;
mod shared_failures;
mod single_flight;
mod switches;
mod upstream;
mod waits;
