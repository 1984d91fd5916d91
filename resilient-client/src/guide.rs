//! How to use this crate.
//!
//! | page | content |
//! |---|---|
//! | [`clients`] | servers of a file, rmcp's client, the proxy; restarts, repetitions, what the model reads |

// The examples need the feature, the page does not.
#[cfg(any(not(doctest), feature = "rmcp"))]
pub mod clients {
    #![doc = include_str!("guide/clients.md")]
}
