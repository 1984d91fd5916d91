//! Fronts: how clients reach the proxy.

pub(crate) mod http;
pub(crate) mod stdio;
