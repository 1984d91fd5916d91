//! A hash with a secret key: `SipHash` with 128 bits, with a random key per process. Keys of rate limits are
//! hashed with the secret of the replicas, if they share one.

use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use siphasher::sip128::{Hasher128, SipHasher13};

/// The key that the replicas of the server share, if they share one.
#[cfg(feature = "replicas")]
static OF_REPLICAS: OnceLock<[u8; 16]> = OnceLock::new();

/// The number of bytes that are hashed together.
const TOGETHER: usize = 32;

/// Hashes a list of parts so that different lists have different inputs.
pub(crate) struct KeyedHash {
    hasher: SipHasher13,
    /// Small parts, which are collected: each write of the hasher costs about as much as that of many bytes.
    collected: [u8; TOGETHER],
    length: usize,
}

impl KeyedHash {
    pub(crate) fn new() -> Self {
        static KEY: OnceLock<(u64, u64)> = OnceLock::new();
        let (a, b) = *KEY.get_or_init(|| {
            // std seeds its hashers from the operating system; two of them give 128 bits.
            let random = || std::hash::BuildHasher::build_hasher(&std::hash::RandomState::new()).finish();
            (random(), random())
        });
        Self::with(SipHasher13::new_with_keys(a, b))
    }

    const fn with(hasher: SipHasher13) -> Self {
        Self { hasher, collected: [0; TOGETHER], length: 0 }
    }

    /// Creates a hash with the key that all replicas of the server share, or else with that of the process.
    pub(crate) fn of_replicas() -> Self {
        #[cfg(feature = "replicas")]
        if let Some(key) = OF_REPLICAS.get() {
            return Self::with(SipHasher13::new_with_key(key));
        }
        Self::new()
    }

    /// Sets the key of [`of_replicas`](Self::of_replicas), once for the process.
    #[cfg(feature = "replicas")]
    pub(crate) fn share(secret: [u8; 16]) {
        let _ = OF_REPLICAS.set(secret);
    }

    /// Adds a byte that says which parts follow.
    pub(crate) fn tag(&mut self, tag: u8) {
        self.write(&[tag]);
    }

    /// Adds a part, preceded by its length.
    pub(crate) fn part(&mut self, bytes: &[u8]) {
        self.write(&(bytes.len() as u64).to_ne_bytes());
        self.write(bytes);
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        match self.collected.get_mut(self.length..).and_then(|free| free.get_mut(..bytes.len())) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            None => self.write_through(bytes),
        }
    }

    #[cold]
    fn write_through(&mut self, bytes: &[u8]) {
        self.flush();
        self.hasher.write(bytes);
    }

    fn flush(&mut self) {
        let collected = self.collected.get(..self.length).unwrap_or_default();
        self.hasher.write(collected);
        self.length = 0;
    }

    pub(crate) fn finish(&mut self) -> u128 {
        self.flush();
        self.hasher.finish128().as_u128()
    }
}

/// A value that distinguishes calls from each other.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell one call from another",
    label = "expected something that is `Hash`",
    note = "derive `Hash` for it, or write something of it that has it, such as an id or a text",
    note = "for the cache of a function that is no tool: select what identifies an answer with `cache(key = ..)`"
)]
pub trait PartitionKey {
    /// Adds the bytes of the value.
    fn add_to(&self, to: &mut Collected);
}

#[diagnostic::do_not_recommend]
impl<T: Hash + ?Sized> PartitionKey for T {
    fn add_to(&self, to: &mut Collected) {
        self.hash(to);
    }
}

/// Hashes what a `Hash` implementation writes with a hash that is stronger than those of std.
pub struct Collected(KeyedHash);

impl Collected {
    /// Adds a value.
    pub fn add<T: PartitionKey + ?Sized>(&mut self, value: &T) {
        value.add_to(self);
        // Separates values whose bytes do not mark their end.
        self.write(&[0xff, 0x00]);
    }

    /// Returns the hash of what `values` adds, or `None` if it panics.
    pub(crate) fn hash(values: impl FnOnce(&mut Self)) -> Option<u128> {
        Self(KeyedHash::new()).hash_of(values)
    }

    /// Like [`hash`](Self::hash), but with the key that all replicas of the server share, if they share one.
    pub(crate) fn hash_for_replicas(values: impl FnOnce(&mut Self)) -> Option<u128> {
        Self(KeyedHash::of_replicas()).hash_of(values)
    }

    /// Returns the hash of the parts that `begin` adds and of what `values` adds, or `None` if `begin` returns `None` or
    /// `values` panics.
    pub(crate) fn hash_after(
        begin: impl FnOnce(&mut KeyedHash) -> Option<()>,
        values: impl FnOnce(&mut Self),
    ) -> Option<u128> {
        let mut collected = Self(KeyedHash::new());
        begin(&mut collected.0)?;
        collected.hash_of(values)
    }

    #[expect(clippy::inline_always, reason = "part of every call that looks for a kept answer: a hash is not moved")]
    #[inline(always)]
    fn hash_of(&mut self, values: impl FnOnce(&mut Self)) -> Option<u128> {
        // The parts show where they end, and nothing follows the values.
        crate::panics::catch_panic_inline(|| values(self))?;
        Some(self.0.finish())
    }
}

impl std::fmt::Debug for Collected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collected").finish_non_exhaustive()
    }
}

impl Hasher for Collected {
    fn finish(&self) -> u64 {
        0
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }
}
