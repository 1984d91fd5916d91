//! A hash whose key no peer knows: `SipHash` with 128 bits, keyed at random in each process.

use std::hash::Hasher;
use std::sync::OnceLock;

use siphasher::sip128::{Hasher128, SipHasher13};

/// Hashes parts so that no two lists of parts look alike.
pub(crate) struct KeyedHash(SipHasher13);

impl KeyedHash {
    pub(crate) fn new() -> Self {
        static KEY: OnceLock<(u64, u64)> = OnceLock::new();
        let (a, b) = *KEY.get_or_init(|| {
            // std seeds its hashers from the operating system; two of them give 128 bits.
            let random = || std::hash::BuildHasher::build_hasher(&std::hash::RandomState::new()).finish();
            (random(), random())
        });
        Self(SipHasher13::new_with_keys(a, b))
    }

    /// Adds a part, its length first.
    pub(crate) fn part(&mut self, bytes: &[u8]) {
        self.0.write_u64(bytes.len() as u64);
        self.0.write(bytes);
    }

    pub(crate) fn finish(self) -> u128 {
        self.0.finish128().as_u128()
    }
}
