//! Servers under test, and what is needed to drive them as real child processes.

pub mod child;
pub mod failure;
pub mod faults;
pub mod fixture;
pub mod in_process;
pub mod loopback;
pub mod markdown;
pub mod receiver;
pub mod scrape;
