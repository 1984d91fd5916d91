//! Servers under test, and code that the tests share.

pub mod alone;
pub mod child;
pub mod dice;
pub mod failure;
pub mod faults;
pub mod fixture;
pub mod gated;
pub mod in_process;
pub mod logs;
pub mod loopback;
pub mod markdown;
pub mod receiver;
pub mod records;
pub mod scrape;
pub mod wire;
