//! Fronts: how clients reach the proxy.

pub(crate) mod http;
