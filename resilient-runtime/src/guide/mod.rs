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
