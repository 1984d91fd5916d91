//! Answers that their type alone does not tell: a tool's own error result, a question back to the
//! client. Found by method resolution on the concrete return type; a generic one is taken as good.

use std::marker::PhantomData;
use std::ops::Deref;

use crate::pipeline;

/// A type of answer: rmcp's own results have a method here, everything else behind it.
pub struct Special<R>(AnyAnswer<R>);

/// Everything else.
pub struct AnyAnswer<R>(PhantomData<fn(R)>);

impl<R> Special<R> {
    /// The one of its kind.
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
    #[expect(clippy::unused_self, reason = "what is looked for is a method")]
    #[must_use]
    pub fn __look(&self) -> pipeline::Special<R> {
        pipeline::Special::NONE
    }
}

#[cfg(feature = "rmcp")]
mod results {
    use rmcp::model::{CallToolResponse, CallToolResult};

    use super::Special;
    use crate::mcp::{meaning_of_response, meaning_of_result};
    use crate::pipeline;

    #[cfg(feature = "testing")]
    impl Special<CallToolResult> {
        /// What can be made of it.
        #[must_use]
        pub fn __look(&self) -> pipeline::Special<CallToolResult> {
            pipeline::Special { own_error: |text| Some(crate::mcp::own_error(text)), ..pipeline::Special::NONE }
        }
    }

    #[cfg(feature = "testing")]
    impl Special<CallToolResponse> {
        /// What can be made of it.
        #[must_use]
        pub fn __look(&self) -> pipeline::Special<CallToolResponse> {
            pipeline::Special { own_error: |text| Some(crate::mcp::own_error(text).into()), ..pipeline::Special::NONE }
        }
    }

    impl<E> Special<Result<CallToolResult, E>> {
        /// What it means, where it is special.
        #[must_use]
        pub fn __look(&self) -> pipeline::Special<Result<CallToolResult, E>> {
            pipeline::Special {
                read: |answer| answer.as_ref().ok().map(meaning_of_result),
                #[cfg(feature = "testing")]
                own_error: |text| Some(Ok(crate::mcp::own_error(text))),
            }
        }
    }

    impl<E> Special<Result<CallToolResponse, E>> {
        /// What it means, where it is special.
        #[must_use]
        pub fn __look(&self) -> pipeline::Special<Result<CallToolResponse, E>> {
            pipeline::Special {
                read: |answer| answer.as_ref().ok().map(meaning_of_response),
                #[cfg(feature = "testing")]
                own_error: |text| Some(Ok(crate::mcp::own_error(text).into())),
            }
        }
    }
}
