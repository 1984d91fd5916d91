//! Responses whose meaning does not follow from `Ok` or `Err`: an error result of a tool, or a question to the client.
//! Found by method resolution on the concrete return type; a generic type counts as good.

use std::marker::PhantomData;
use std::ops::Deref;

use crate::pipeline;

/// A type of response. It has methods for rmcp's results, and derefs to `AnyAnswer` for all other types.
pub struct Special<R>(AnyAnswer<R>);

/// The fallback for all other types.
pub struct AnyAnswer<R>(PhantomData<fn(R)>);

impl<R> Special<R> {
    /// The only value of this type.
    pub const HERE: Self = Self(AnyAnswer(PhantomData));
}

impl<R> Deref for Special<R> {
    type Target = AnyAnswer<R>;

    fn deref(&self) -> &AnyAnswer<R> {
        &self.0
    }
}

impl<R> AnyAnswer<R> {
    /// Nothing special.
    #[expect(clippy::unused_self, reason = "found by method resolution")]
    #[must_use]
    pub fn __look(&self) -> pipeline::Special<R> {
        pipeline::Special::NONE
    }
}

#[cfg(feature = "rmcp")]
mod results {
    use rmcp::model::{CallToolResponse, CallToolResult, GetPromptResponse, ReadResourceResponse};

    use super::Special;
    use crate::mcp::{meaning_of_prompt, meaning_of_read, meaning_of_response, meaning_of_result};
    use crate::pipeline;

    #[cfg(feature = "testing")]
    impl Special<CallToolResult> {
        /// Returns how to create such a response.
        #[must_use]
        pub fn __look(&self) -> pipeline::Special<CallToolResult> {
            pipeline::Special { own_error: |text| Some(crate::mcp::own_error(text)), ..pipeline::Special::NONE }
        }
    }

    #[cfg(feature = "testing")]
    impl Special<CallToolResponse> {
        /// Returns how to create such a response.
        #[must_use]
        pub fn __look(&self) -> pipeline::Special<CallToolResponse> {
            pipeline::Special { own_error: |text| Some(crate::mcp::own_error(text).into()), ..pipeline::Special::NONE }
        }
    }

    impl<E> Special<Result<CallToolResult, E>> {
        /// Returns how to read, and create, such a response.
        #[must_use]
        pub fn __look(&self) -> pipeline::Special<Result<CallToolResult, E>> {
            pipeline::Special {
                read: Some(|answer| answer.as_ref().ok().map(meaning_of_result)),
                #[cfg(feature = "testing")]
                own_error: |text| Some(Ok(crate::mcp::own_error(text))),
            }
        }
    }

    impl<E> Special<Result<CallToolResponse, E>> {
        /// Returns how to read, and create, such a response.
        #[must_use]
        pub fn __look(&self) -> pipeline::Special<Result<CallToolResponse, E>> {
            pipeline::Special {
                read: Some(|answer| answer.as_ref().ok().map(meaning_of_response)),
                #[cfg(feature = "testing")]
                own_error: |text| Some(Ok(crate::mcp::own_error(text).into())),
            }
        }
    }

    impl<E> Special<Result<ReadResourceResponse, E>> {
        /// Returns how to read such a response.
        #[must_use]
        pub fn __look(&self) -> pipeline::Special<Result<ReadResourceResponse, E>> {
            pipeline::Special {
                read: Some(|answer| answer.as_ref().ok().map(meaning_of_read)),
                #[cfg(feature = "testing")]
                own_error: |_| None,
            }
        }
    }

    impl<E> Special<Result<GetPromptResponse, E>> {
        /// Returns how to read such a response.
        #[must_use]
        pub fn __look(&self) -> pipeline::Special<Result<GetPromptResponse, E>> {
            pipeline::Special {
                read: Some(|answer| answer.as_ref().ok().map(meaning_of_prompt)),
                #[cfg(feature = "testing")]
                own_error: |_| None,
            }
        }
    }
}
