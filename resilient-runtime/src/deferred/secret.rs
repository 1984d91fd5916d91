//! The secret of a store, and the hashes that it keys.

use std::fmt;
use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

use super::entry::{Control, Entry, NewEntry, Scope, State, Summary};
use super::error::StoreError;
use super::receipt::random;

/// The secret of a store: the key of all hashes in it. It is created with the store and stored in it, so that the
/// hashes survive restarts, and those of two stores cannot be compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StoreSecret([u8; 16]);

impl fmt::Debug for StoreSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreSecret(..)")
    }
}

impl StoreSecret {
    /// Creates a secret from 128 random bits of the operating system.
    ///
    /// # Errors
    /// If the operating system has no random bits.
    pub fn generate() -> Result<Self, StoreError> {
        random().map(Self)
    }

    /// Creates a secret from its bytes, which the store read.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the store to write.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Returns the hash of a caller: of the principal, and of the server to which the caller talks.
    #[must_use]
    pub fn principal_hash(self, server: &str, principal: &str) -> u128 {
        self.hash("principal", &[server, principal])
    }

    /// Returns the hash of an idempotency key with its scope: server, tool and principal.
    #[must_use]
    pub fn key_hash(self, scope: &Scope) -> u128 {
        self.hash("key", &[&scope.server, &scope.tool, &scope.principal, &scope.key])
    }

    /// Returns the hash of arguments, with which a store compares them after it has erased them.
    #[must_use]
    pub fn arguments_hash(self, arguments: &str) -> u128 {
        self.hash("arguments", &[arguments])
    }

    /// Returns the entry that a store has to store for a new write.
    #[must_use]
    pub fn seal(self, new: NewEntry) -> Entry {
        let NewEntry { receipt, scope, arguments, correlation_id, policy, due, now } = new;
        Entry {
            principal_hash: self.principal_hash(&scope.server, &scope.principal),
            key_hash: self.key_hash(&scope),
            arguments_hash: self.arguments_hash(&arguments),
            summary: Summary {
                receipt,
                server: scope.server,
                tool: scope.tool,
                policy,
                created: now,
                expires: now.after(policy.ttl),
                state: State::Waiting,
                due,
                tries_used: 0,
                interrupted: 0,
                cancel_requested: false,
                last_code: None,
                ended: None,
            },
            principal: scope.principal,
            correlation_id,
            arguments,
            result: None,
            control: Control { holds_key: true, ..Control::default() },
        }
    }

    /// Hashes texts, each with its length, so that different lists have different inputs.
    fn hash(self, domain: &str, parts: &[&str]) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        for part in [domain].iter().chain(parts) {
            // Not `write_u64` or `write_usize`, which depend on the machine: a file may move to another one.
            hasher.write(&(part.len() as u64).to_le_bytes());
            hasher.write(part.as_bytes());
        }
        hasher.finish128().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_scope_and_the_secret_change_the_hash() {
        let scope = |server: &str, tool: &str, principal: &str, key: &str| Scope {
            server: server.into(),
            tool: tool.into(),
            principal: principal.into(),
            key: key.into(),
        };
        let secret = StoreSecret::from_bytes([7; 16]);
        let hash = secret.key_hash(&scope("s", "t", "p", "k"));
        assert_eq!(hash, secret.key_hash(&scope("s", "t", "p", "k")));
        for other in
            [scope("x", "t", "p", "k"), scope("st", "", "p", "k"), scope("s", "t", "pk", ""), scope("s", "t", "p", "x")]
        {
            assert_ne!(hash, secret.key_hash(&other), "{other:?}");
        }
        assert_ne!(hash, StoreSecret::from_bytes([8; 16]).key_hash(&scope("s", "t", "p", "k")));
        assert_ne!(secret.arguments_hash("a"), secret.principal_hash("a", ""));
    }

    #[test]
    fn hashes_are_the_same_in_every_version_because_files_contain_them() {
        let secret = StoreSecret::from_bytes(*b"0123456789abcdef");
        assert_eq!(format!("{:032x}", secret.arguments_hash("{}")), "645fd9eaff05383dbfda56a9baecd65b");
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", StoreSecret::from_bytes([7; 16])), "StoreSecret(..)");
    }
}
