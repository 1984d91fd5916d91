//! How to work with this crate, page by page.

#[doc = include_str!("adopting.md")]
pub mod adopting {}

#[doc = include_str!("errors.md")]
pub mod errors {}
