//! How to work with this crate, page by page, in the order in which they are meant to be read.
//!
//! | page | what it tells |
//! |---|---|
//! | [`why`] | what happens to an MCP server without any of this, and what that costs |
//! | [`first_tool`] | a guarded tool from nothing, in five steps |
//! | [`adopting`] | a server that exists, one tool at a time |
//! | [`keys`] | each key with an example, its units, defaults and limits, and what does not compile |
//! | [`cancellation`] | what has to hold in a body that can be dropped, and what cannot be cut off |
//! | [`errors`] | who decides what an error does, what the client reads, what stays in the log |
//! | [`settings`] | the code, `resilient.toml`, variables: which place is the strongest |
//! | [`observing`] | logs, metrics, health, tools for operators |
//! | [`testing`](mod@testing) | your own policies under a paused clock, with injected faults |
//! | [`performance`] | what a guarded call costs, and how to measure it |
//! | [`migrating`] | from retry loops, tower's layers and `FastMCP`'s middleware |

pub mod why {
    #![doc = include_str!("why.md")]
}

pub mod first_tool {
    #![doc = include_str!("first_tool.md")]
}

pub mod adopting {
    #![doc = include_str!("adopting.md")]
}

pub mod keys {
    #![doc = include_str!("keys.md")]
}

pub mod cancellation {
    #![doc = include_str!("cancellation.md")]
}

pub mod errors {
    #![doc = include_str!("errors.md")]
}

pub mod settings {
    #![doc = include_str!("settings.md")]
}

pub mod observing {
    #![doc = include_str!("observing.md")]
}

// Its examples need the feature, the page does not.
#[cfg(any(not(doctest), feature = "testing"))]
pub mod testing {
    #![cfg_attr(feature = "testing", doc = "[`testing`]: crate::testing\n")]
    #![cfg_attr(
        not(feature = "testing"),
        doc = "[`testing`]: https://docs.rs/resilient-runtime/latest/resilient_runtime/testing/\n"
    )]
    #![doc = include_str!("testing.md")]
}

pub mod performance {
    #![doc = include_str!("performance.md")]
}

pub mod migrating {
    #![doc = include_str!("migrating.md")]
}
