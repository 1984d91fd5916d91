//! How the error of a run is shared.

use std::sync::Arc;

use crate::cache::Shared;

/// How an error of this type is shared: itself, if it is `Clone`.
#[derive(Debug)]
pub struct ErrorSharing<E> {
    share: fn(&E) -> Option<Shared>,
    take: fn(&Shared) -> Option<E>,
}

impl<E> ErrorSharing<E> {
    /// For types that cannot be shared.
    pub const NONE: Self = Self { share: |_| None, take: |_| None };

    pub(super) fn share(&self, error: &E) -> Option<Shared> {
        (self.share)(error)
    }

    pub(super) fn take(&self, shared: &Shared) -> Option<E> {
        (self.take)(shared)
    }
}

impl<E: Clone + Send + Sync + 'static> ErrorSharing<E> {
    /// For types that are shared themselves.
    #[must_use]
    pub const fn of_clones() -> Self {
        Self { share: |error| Some(Arc::new(error.clone())), take: |shared| shared.downcast_ref::<E>().cloned() }
    }
}
