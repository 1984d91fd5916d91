//! Answers that their type alone does not tell: a tool's own error result, a question back to the
//! client. Found by method resolution on the concrete return type; a generic one is taken as good.

use crate::pipeline::Meaning;

/// An answer, looked at from one or two references away.
#[derive(Debug)]
pub struct Special<'a, R: ?Sized>(pub &'a R);

/// First choice: rmcp's own results.
pub trait SpecialAnswer {
    /// What it means, where it is special.
    fn special(&self) -> Option<Meaning>;
}

/// Everything else.
pub trait AnyAnswer {
    /// Nothing special.
    fn special(&self) -> Option<Meaning> {
        None
    }
}

impl<R: ?Sized> AnyAnswer for Special<'_, R> {}

#[cfg(feature = "rmcp")]
mod results {
    use rmcp::model::{CallToolResponse, CallToolResult};

    use super::{Special, SpecialAnswer};
    use crate::mcp::{meaning_of_response, meaning_of_result};
    use crate::pipeline::Meaning;

    impl<E> SpecialAnswer for &Special<'_, Result<CallToolResult, E>> {
        fn special(&self) -> Option<Meaning> {
            self.0.as_ref().ok().map(meaning_of_result)
        }
    }

    impl<E> SpecialAnswer for &Special<'_, Result<CallToolResponse, E>> {
        fn special(&self) -> Option<Meaning> {
            self.0.as_ref().ok().map(meaning_of_response)
        }
    }
}
