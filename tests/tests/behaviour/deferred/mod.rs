//! `fallback = deferred`: which calls are stored, what a call with a known key receives, and what happens if the store
//! does not work. Deliveries are not part of it.

mod accepting;
mod faults;
mod keys;
mod shop;
