//! Copies of arguments and responses, chosen by method resolution: `Clone` if the type has it, field by field for
//! the extractors of rmcp without `Clone`, and otherwise an error that names the type without `Clone`.
//!
//! The methods begin with two underscores, since a trait of the user in scope may have a method for every type.

use std::ops::Deref;

/// An argument or a response. Methods that are missing for its type are looked up through `Deref`.
#[derive(Debug)]
pub struct Arg<'a, T>(Extractor<'a, T>);

/// Second choice.
#[derive(Debug)]
pub struct Extractor<'a, T>(NeededAgain<'a, T>);

/// Last choice. rustc names it in the error if there is no copy.
#[derive(Debug)]
pub struct NeededAgain<'a, T>(&'a T);

impl<'a, T> Arg<'a, T> {
    /// Wraps an argument.
    pub const fn of(argument: &'a T) -> Self {
        Self(Extractor(NeededAgain(argument)))
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
    type Target = NeededAgain<'a, T>;

    fn deref(&self) -> &NeededAgain<'a, T> {
        &self.0
    }
}

impl<T> NeededAgain<'_, T> {
    /// Last choice: an error at the type of the argument. rustc shows the line of the bound with it.
    #[must_use]
    pub fn __copy(&self) -> T
    where
        T: Clone, // a retry, fallback or cache needs a copy: derive `Clone`, or write `retry = none`, or drop the key
    {
        self.0.clone()
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
            $(impl$(<$t>)? Extractor<'_, $extractor$(<$t>)?> {
                /// Second choice: an extractor or response of rmcp without `Clone`.
                #[must_use]
                pub fn __copy(&self) -> $extractor$(<$t>)?
                $(where
                    $t: Clone, // a retry, fallback or cache needs a copy: derive `Clone`, or write `retry = none`
                )?
                {
                    $extractor(self.0.0.0.clone())
                }
            })*
        };
    }

    by_field!(Extension<T>, RequestId, ToolName, PromptName, RequestState, InputResponses, Json<T>);
}

/// The arguments of a call, kept between attempts.
#[derive(Debug)]
pub struct Slot<T>(Option<T>);

/// The arguments for an attempt.
#[derive(Debug)]
pub enum Next<'a, T> {
    /// For the last attempt: the arguments themselves.
    Last(T),
    /// For an earlier attempt: the arguments to copy.
    Copied(&'a T),
    /// After the last attempt.
    Gone,
}

impl<T> Slot<T> {
    /// Stores the arguments.
    pub const fn new(arguments: T) -> Self {
        Self(Some(arguments))
    }

    /// Returns the arguments for the next attempt.
    pub fn next(&mut self, last: bool) -> Next<'_, T> {
        if last {
            return self.0.take().map_or(Next::Gone, Next::Last);
        }
        self.0.as_ref().map_or(Next::Gone, Next::Copied)
    }
}
