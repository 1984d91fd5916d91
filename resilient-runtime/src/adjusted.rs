//! Settings that can be replaced while the process runs, and that cost next to nothing until they are.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

/// Settings that replace the original ones of their owner. Nothing is locked for longer than a copy takes.
pub(crate) struct Adjusted<T> {
    /// Whether there are any: all that is read in a process that never reloads its settings.
    are_there: AtomicBool,
    settings: RwLock<Option<T>>,
}

impl<T: Copy> Adjusted<T> {
    pub(crate) const fn new() -> Self {
        Self { are_there: AtomicBool::new(false), settings: RwLock::new(None) }
    }

    #[cfg(feature = "config")]
    pub(crate) fn set(&self, settings: T) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Some(settings);
        self.are_there.store(true, Ordering::Release);
    }

    /// Returns the settings that apply: these, or else the original ones.
    #[inline]
    pub(crate) fn over<'a>(&self, original: &'a T) -> Effective<'a, T> {
        if self.are_there.load(Ordering::Acquire) { self.read(original) } else { Effective::Original(original) }
    }

    #[cold]
    fn read<'a>(&self, original: &'a T) -> Effective<'a, T> {
        let settings = *self.settings.read().unwrap_or_else(PoisonError::into_inner);
        settings.map_or(Effective::Original(original), Effective::Adjusted)
    }
}

/// The settings that apply, read at one moment.
pub(crate) enum Effective<'a, T> {
    Original(&'a T),
    Adjusted(T),
}

impl<T> Deref for Effective<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match self {
            Self::Original(settings) => settings,
            Self::Adjusted(settings) => settings,
        }
    }
}
