//! The short path of a call: its body is polled at once, and a good answer ends the call without the state machine.
//! Nothing that a call promises depends on the path it takes.
//!
//! A call takes the short path only if no subscriber listens. tracing has one level for the process, so these tests have
//! an executable in which nothing listens.

mod functions;
mod hook;

use tracing::level_filters::LevelFilter;

/// Checks that calls without limits take the short path.
fn nothing_listens() {
    assert_eq!(LevelFilter::current(), LevelFilter::OFF);
}
