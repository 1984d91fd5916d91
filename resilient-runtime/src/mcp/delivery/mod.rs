//! The delivery of deferred writes: a worker claims due entries of the store and calls their tools.
//!
//! The worker calls one server of the application's type on an in-memory transport, so that a delivery passes the same
//! hook, authorization, gate and policies as a call of a client. The entry's receipt, try and principal are a Rust value
//! in the extensions of the request, which no client can send.

mod attempt;
mod groups;
mod in_memory;
mod leases;
mod schedule;
mod server;
mod worker;

pub(crate) use server::{Server, ServerFactory};
pub(crate) use worker::Worker;
