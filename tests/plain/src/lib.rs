//! An empty crate for tests that, built alone, use the runtime without any feature.
