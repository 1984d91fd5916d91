//! The SQLite store: the suite that every store must pass, files that cannot be used, several processes on one file,
//! and processes that are killed while they write.

#![forbid(unsafe_code)]

mod blocked;
mod child;
mod conformance;
mod files;
mod killed;
mod limits;
mod writes;

use writes::{now, write};
