//! How to work with this crate, page by page.

pub mod adopting {
    #![doc = include_str!("adopting.md")]
}

pub mod errors {
    #![doc = include_str!("errors.md")]
}

pub mod observing {
    #![doc = include_str!("observing.md")]
}

pub mod performance {
    #![doc = include_str!("performance.md")]
}

pub mod settings {
    #![doc = include_str!("settings.md")]
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
