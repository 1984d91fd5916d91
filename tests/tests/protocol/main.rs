//! The protocol as a client sees it: responses, errors, and errors about arguments.

mod answers;
mod arguments;
mod authorize;
mod classified;
mod classify;
mod deferred;
mod gate;
mod gate_keys;
mod hook;
mod hook_limits;
mod kinds;
mod leaks;
mod limits;
mod progress;
mod reads;
mod requests;
mod stdio;
mod tasks;
mod unchanged;
mod unguarded;
mod unhooked;
