//! How to use this crate, page by page, in reading order.
//!
//! | page | content |
//! |---|---|
//! | [`why`] | what happens to an MCP server without this crate, and what that costs |
//! | [`first_tool`] | a guarded tool from nothing, in five steps |
//! | [`adopting`] | an existing server, one tool at a time |
//! | [`keys`] | each key with an example, its units, defaults and limits, and what does not compile |
//! | [`caching`] | reads that are answered from a cache, what is shared with which callers, and when not to cache |
//! | [`deferring`] | writes that are accepted while their service is down, what *at least once* means, what is stored |
//! | [`requests`] | resources, prompts, completions and lists: every request of a server |
//! | [`cancellation`] | what a body that can be dropped must ensure, and what cannot be interrupted |
//! | [`errors`] | what an error's kind decides, what the client reads, what stays in the log |
//! | [`settings`] | code, `resilient.toml` and variables, and their precedence |
//! | [`observing`] | logs, metrics, health, tools for operators, the status page |
//! | [`alerting`] | alerts in the process and with Prometheus, trends of errors, objectives and how to measure them |
//! | [`operating`] | switches, levels, new settings without a restart, services and containers, a production checklist |
//! | [`pools`] | connection pools behind tools: sizes, timeouts, a health check |
//! | `guide::replicas` of the crate `resilient-redis` | several replicas of a server: one limit, news of breakers, deferred writes, sessions |
//! | `guide::clients` of the crate `resilient-client` | the other side: clients and proxies that survive their servers |
//! | [`testing`](mod@testing) | tests of your policies with a paused clock and injected faults |
//! | [`performance`] | what a guarded call costs, and how to measure it |
//! | [`migrating`] | from retry loops, tower's layers and `FastMCP`'s middleware |
//! | [`alternatives`] | comparison with other crates and frameworks |

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

pub mod caching {
    #![doc = include_str!("caching.md")]
}

// The examples need the features, the page does not.
#[cfg(any(not(doctest), all(feature = "deferred", feature = "testing")))]
pub mod deferring {
    #![doc = include_str!("deferring.md")]
}

pub mod requests {
    #![doc = include_str!("requests.md")]
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

// The examples need the feature, the page does not.
#[cfg(any(not(doctest), feature = "alerts"))]
pub mod alerting {
    #![doc = include_str!("alerting.md")]
}

pub mod operating {
    #![doc = include_str!("operating.md")]
}

pub mod pools {
    #![doc = include_str!("pools.md")]
}

// The examples need the feature, the page does not.
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

pub mod alternatives {
    #![doc = include_str!("alternatives.md")]
}
