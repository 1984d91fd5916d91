//! Copies of arguments and answers, chosen by method resolution: `Clone` where there is one, by
//! hand for the extractors of rmcp that have none, and for everything else an error that says why
//! a copy is needed.
//!
//! Methods have two underscores, as a trait of the user's that is in scope may have them for every type.

use std::ops::Deref;

/// A type that can be handed to the body more than once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be copied",
    label = "a retry may call the body again, a fallback may need this after the body took it: it must be `Clone`",
    note = "derive `Clone` for it, or remove `retry` and `fallback` from this function"
)]
pub trait Repeatable {}

/// An argument or an answer. A method that this does not have for its type is looked for behind it.
#[derive(Debug)]
pub struct Arg<'a, T>(Extractor<'a, T>);

/// Second choice.
#[derive(Debug)]
pub struct Extractor<'a, T>(Other<'a, T>);

/// Last choice.
#[derive(Debug)]
pub struct Other<'a, T>(&'a T);

impl<'a, T> Arg<'a, T> {
    /// Looks at an argument.
    pub const fn of(argument: &'a T) -> Self {
        Self(Extractor(Other(argument)))
    }
}

impl<T> Arg<'_, T> {
    pub(super) const fn seen(&self) -> &T {
        self.0.0.0
    }
}

impl<T: Clone> Arg<'_, T> {
    /// First choice: `Clone`.
    #[must_use]
    pub fn __copy(&self) -> T {
        self.seen().clone()
    }
}

impl<'a, T> Deref for Arg<'a, T> {
    type Target = Extractor<'a, T>;

    fn deref(&self) -> &Extractor<'a, T> {
        &self.0
    }
}

impl<'a, T> Deref for Extractor<'a, T> {
    type Target = Other<'a, T>;

    fn deref(&self) -> &Other<'a, T> {
        &self.0
    }
}

impl<T> Other<'_, T> {
    /// Last choice: an error at the argument's type.
    #[expect(clippy::unused_self, reason = "what is looked for is a method")]
    #[must_use]
    pub fn __copy(&self) -> T
    where
        T: Repeatable,
    {
        // `Repeatable` has no implementation: this function cannot be instantiated.
        std::process::abort()
    }
}

#[cfg(feature = "rmcp")]
mod extractors {
    use rmcp::handler::server::prompt::PromptName;
    use rmcp::handler::server::tool::{Extension, InputResponses, RequestId, RequestState, ToolName};
    use rmcp::handler::server::wrapper::Json;

    use super::Extractor;

    macro_rules! by_field {
        ($($extractor:ident $(<$t:ident>)?),*) => {
            $(impl$(<$t: Clone>)? Extractor<'_, $extractor$(<$t>)?> {
                /// Second choice: an extractor or answer of rmcp without `Clone` of its own.
                #[must_use]
                pub fn __copy(&self) -> $extractor$(<$t>)? {
                    $extractor(self.0.0.0.clone())
                }
            })*
        };
    }

    by_field!(Extension<T>, RequestId, ToolName, PromptName, RequestState, InputResponses, Json<T>);
}

/// Arguments between attempts.
#[derive(Debug)]
pub struct Slot<T>(Option<T>);

/// The arguments for an attempt.
#[derive(Debug)]
pub enum Next<'a, T> {
    /// For the last one: themselves.
    Last(T),
    /// For any before: what is to be copied.
    Copied(&'a T),
    /// After the last one.
    Gone,
}

impl<T> Slot<T> {
    /// Keeps arguments.
    pub const fn new(arguments: T) -> Self {
        Self(Some(arguments))
    }

    /// The arguments for the next attempt.
    pub fn next(&mut self, last: bool) -> Next<'_, T> {
        if last {
            return self.0.take().map_or(Next::Gone, Next::Last);
        }
        self.0.as_ref().map_or(Next::Gone, Next::Copied)
    }
}
