//! What a client reads over the protocol: answers, errors, what is said of arguments.

mod answers;
mod arguments;
mod classify;
mod hook;
mod hook_limits;
mod kinds;
mod leaks;
mod limits;
mod stdio;
mod unchanged;
mod unguarded;
mod unhooked;
