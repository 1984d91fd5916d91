//! What a cache can do with the answers and errors of a type, found by method resolution on the concrete return type:
//! measure an answer by its JSON if it is `Serialize`, and share an error itself if it is `Clone`.

use std::marker::PhantomData;
use std::ops::Deref;

use serde::Serialize;

use crate::cache::serialized;
use crate::pipeline::ErrorSharing;

/// A return type. Methods that are missing for it are looked up through `Deref`.
pub struct Kept<R>(KeptResponse<R>);

/// The responses of rmcp, which are not `Serialize`.
pub struct KeptResponse<R>(AnyKept<R>);

/// The fallback for all other types.
pub struct AnyKept<R>(PhantomData<fn(R)>);

impl<R> Kept<R> {
    /// The only value of this type.
    pub const HERE: Self = Self(KeptResponse(AnyKept(PhantomData)));
}

impl<R> Deref for Kept<R> {
    type Target = KeptResponse<R>;

    fn deref(&self) -> &KeptResponse<R> {
        &self.0
    }
}

impl<R> Deref for KeptResponse<R> {
    type Target = AnyKept<R>;

    fn deref(&self) -> &AnyKept<R> {
        &self.0
    }
}

impl<T: Serialize, E> Kept<Result<T, E>> {
    /// Returns what measures an answer: the size of its JSON.
    #[must_use]
    pub fn __size(&self) -> fn(&T) -> u64 {
        serialized::<T>
    }
}

impl<T, E: Clone + Send + Sync + 'static> Kept<Result<T, E>> {
    /// Returns how errors are shared: themselves.
    #[must_use]
    pub fn __errors(&self) -> ErrorSharing<E> {
        ErrorSharing::of_clones()
    }
}

// Without a bound: a return type that carries no error is reported where its fallback is.
impl<R> AnyKept<R> {
    /// Returns what measures an answer: the size of the value itself.
    #[expect(clippy::unused_self, reason = "found by method resolution")]
    #[must_use]
    pub fn __size<T>(&self) -> fn(&T) -> u64 {
        |good| size_of_val(good) as u64
    }

    /// Returns how errors are shared: by their properties.
    #[expect(clippy::unused_self, reason = "found by method resolution")]
    #[must_use]
    pub fn __errors<E>(&self) -> ErrorSharing<E> {
        ErrorSharing::NONE
    }
}

#[cfg(feature = "rmcp")]
mod responses {
    use rmcp::handler::server::wrapper::Json;
    use rmcp::model::{CallToolResponse, ReadResourceResponse};
    use serde::Serialize;

    use super::KeptResponse;
    use crate::cache::serialized;

    impl<E> KeptResponse<Result<CallToolResponse, E>> {
        /// Returns what measures a response: the size of the JSON of its result. No other response is kept.
        #[must_use]
        #[expect(clippy::unused_self, reason = "called as a method, so that the most specific one is found")]
        pub fn __size(&self) -> fn(&CallToolResponse) -> u64 {
            |response| match response {
                CallToolResponse::Complete(result) => serialized(result),
                response => size_of_val(response) as u64,
            }
        }
    }

    impl<T: Serialize, E> KeptResponse<Result<Json<T>, E>> {
        /// Returns what measures a structured result: the size of its JSON.
        #[must_use]
        #[expect(clippy::unused_self, reason = "called as a method, so that the most specific one is found")]
        pub fn __size(&self) -> fn(&Json<T>) -> u64 {
            |Json(structured)| serialized(structured)
        }
    }

    impl<E> KeptResponse<Result<ReadResourceResponse, E>> {
        /// Returns what measures a response: the size of the JSON of its result. No other response is kept.
        #[must_use]
        #[expect(clippy::unused_self, reason = "called as a method, so that the most specific one is found")]
        pub fn __size(&self) -> fn(&ReadResourceResponse) -> u64 {
            |response| match response {
                ReadResourceResponse::Complete(result) => serialized(result),
                response => size_of_val(response) as u64,
            }
        }
    }
}
