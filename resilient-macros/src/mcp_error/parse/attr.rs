//! The keys of `#[mcp(..)]` on the enum, on a variant and on a field.

use proc_macro2::Ident;
use resilient_policy::{ErrorKind, Severity};
use syn::{Attribute, LitBool, LitStr};

use crate::krate::Krate;
use crate::mcp_error::parse::errors::Errors;
use crate::mcp_error::parse::keys::{self, Key, Owner};
use crate::mcp_error::parse::list::{self, Entry};
use crate::mcp_error::parse::value::{self, Spanned};
use crate::parse::entries::written_twice;

/// A key, and its value unless the value was wrong and has been reported.
#[derive(Debug)]
pub(crate) struct Said<T> {
    pub(crate) key: Ident,
    pub(crate) value: Option<T>,
    /// The position among the keys of the same owner.
    order: usize,
}

impl<T> Said<T> {
    /// Returns the key with its position, which decides which of two came later.
    pub(crate) fn placed(&self) -> (usize, &Ident) {
        (self.order, &self.key)
    }
}

/// The value of one key, if it is written.
#[derive(Debug)]
pub(crate) struct Slot<T>(Option<Said<T>>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Slot<T> {
    pub(crate) fn said(&self) -> Option<&Said<T>> {
        self.0.as_ref()
    }

    pub(crate) fn is_said(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn key(&self) -> Option<&Ident> {
        self.said().map(|said| &said.key)
    }

    /// Returns the value, if it was written and understood.
    pub(crate) fn value(&self) -> Option<&T> {
        self.said()?.value.as_ref()
    }

    /// Stores the value that `read` returns for the entry. A second entry is a mistake.
    fn set(
        &mut self,
        key: Key,
        entry: Entry,
        errors: &mut Errors,
        read: impl FnOnce(Key, &Entry, &mut Errors) -> Option<T>,
    ) {
        if let Some(first) = self.key() {
            errors.at(&entry.key, written_twice(key.name(), first.span()));
            return;
        }
        let value = read(key, &entry, errors);
        self.0 = Some(Said { key: entry.key, value, order: entry.order });
    }
}

#[derive(Default)]
pub(crate) struct ContainerAttrs {
    pub(crate) prefix: Slot<LitStr>,
    pub(crate) krate: Slot<Krate>,
}

#[derive(Debug, Default)]
pub(crate) struct VariantAttrs {
    pub(crate) kind: Slot<ErrorKind>,
    pub(crate) transparent: Slot<()>,
    pub(crate) code: Slot<LitStr>,
    pub(crate) message: Slot<LitStr>,
    pub(crate) public: Slot<()>,
    pub(crate) private: Slot<()>,
    pub(crate) hint: Slot<LitStr>,
    pub(crate) retryable: Slot<LitBool>,
    pub(crate) trips_breaker: Slot<LitBool>,
    pub(crate) fallback: Slot<LitBool>,
    pub(crate) severity: Slot<Severity>,
    pub(crate) protocol: Slot<Spanned<i32>>,
}

#[derive(Debug, Default)]
pub(crate) struct FieldAttrs {
    pub(crate) status: Slot<()>,
    pub(crate) classify: Slot<()>,
    pub(crate) retry_after: Slot<()>,
    pub(crate) detail: Slot<()>,
    pub(crate) secret: Slot<()>,
}

impl ContainerAttrs {
    /// Reads the keys on an enum, or on a struct, which is its own variant.
    pub(crate) fn read(
        &mut self,
        attrs: &[Attribute],
        owner: Owner,
        mut own: Option<&mut VariantAttrs>,
        errors: &mut Errors,
    ) {
        for entry in list::all(attrs, errors) {
            match keys::find(&entry.key, owner, errors) {
                Some(key @ Key::Prefix) => self.prefix.set(key, entry, errors, value::string),
                Some(key @ Key::Crate) => self.krate.set(key, entry, errors, krate),
                Some(key) => {
                    if let Some(own) = &mut own {
                        own.set(key, entry, errors);
                    }
                }
                None => {}
            }
        }
    }
}

impl VariantAttrs {
    pub(crate) fn read(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut read = Self::default();
        for entry in list::all(attrs, errors) {
            if let Some(key) = keys::find(&entry.key, Owner::Variant, errors) {
                read.set(key, entry, errors);
            }
        }
        read
    }

    fn set(&mut self, key: Key, entry: Entry, errors: &mut Errors) {
        match key {
            Key::Kind => self.kind.set(key, entry, errors, value::kind),
            Key::Transparent => self.transparent.set(key, entry, errors, value::flag),
            Key::Code => self.code.set(key, entry, errors, value::string),
            Key::Message => self.message.set(key, entry, errors, value::string),
            Key::Public => self.public.set(key, entry, errors, value::flag),
            Key::Private => self.private.set(key, entry, errors, value::flag),
            Key::Hint => self.hint.set(key, entry, errors, value::string),
            Key::Retryable => self.retryable.set(key, entry, errors, value::boolean),
            Key::TripsBreaker => self.trips_breaker.set(key, entry, errors, value::boolean),
            Key::Fallback => self.fallback.set(key, entry, errors, value::boolean),
            Key::Severity => self.severity.set(key, entry, errors, value::severity),
            Key::Protocol => self.protocol.set(key, entry, errors, value::protocol),
            // `keys::find` rejects these keys here.
            Key::Prefix | Key::Crate | Key::Status | Key::Classify | Key::RetryAfter | Key::Detail | Key::Secret => {}
        }
    }

    /// Returns the keys that describe the variant itself, which have no effect beside `transparent`.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Ident> {
        // Without `..`, so that a new key cannot be forgotten.
        let Self {
            kind: _,
            transparent: _,
            code,
            message,
            public,
            private,
            hint,
            retryable,
            trips_breaker,
            fallback,
            severity,
            protocol,
        } = self;
        [
            code.key(),
            message.key(),
            public.key(),
            private.key(),
            hint.key(),
            retryable.key(),
            trips_breaker.key(),
            fallback.key(),
            severity.key(),
            protocol.key(),
        ]
        .into_iter()
        .flatten()
    }
}

impl FieldAttrs {
    pub(crate) fn read(attrs: &[Attribute], owner: Owner, errors: &mut Errors) -> Self {
        let mut read = Self::default();
        for entry in list::all(attrs, errors) {
            let Some(key) = keys::find(&entry.key, owner, errors) else { continue };
            let slot = match key {
                Key::Status => &mut read.status,
                Key::Classify => &mut read.classify,
                Key::RetryAfter => &mut read.retry_after,
                Key::Detail => &mut read.detail,
                Key::Secret => &mut read.secret,
                // `keys::find` rejects all other keys here.
                _ => continue,
            };
            slot.set(key, entry, errors, value::flag);
        }
        read
    }
}

fn krate(key: Key, entry: &Entry, errors: &mut Errors) -> Option<Krate> {
    let path = value::path(key, entry, errors)?;
    match Krate::from_path(&path) {
        Ok(krate) => Some(krate),
        Err(why) => {
            errors.at(path, why);
            None
        }
    }
}
