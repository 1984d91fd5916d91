//! The bounds of a store.

/// The limits of a store. A write beyond them is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// The maximum number of entries that wait or run. Default 10,000.
    pub entries: u64,
    /// The maximum size of the arguments of one entry, in bytes of JSON. Default 256 KiB.
    pub arguments: usize,
    /// The maximum size of the store, in bytes, with the results and dead letters that it keeps. Default 64 MiB.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { entries: 10_000, arguments: 256 * 1024, bytes: 64 * 1024 * 1024 }
    }
}
