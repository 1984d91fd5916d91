//! Deferred writes.

mod changes;
mod claim;
mod client;
mod damaged;
mod durability;
mod error;
mod identity;
mod names;
mod put;
mod read;
mod reply;
mod row;
mod start;
mod store;
mod stored;
mod transitions;
mod withdrawals;

pub use store::RedisDeferredStore;
