//! How to run several replicas of a server.
//!
//! | page | content |
//! |---|---|
//! | [`replicas`] | what replicas share, what they do not share and why, an outage of Redis, sizes, keys, security |

// The examples need the features, the page does not.
#[cfg(any(not(doctest), all(feature = "deferred", feature = "sessions")))]
pub mod replicas {
    #![doc = include_str!("guide/replicas.md")]
}
