//! Copies of arguments and answers, chosen by method resolution: `Clone` where there is one, by
//! hand for the extractors of rmcp that have none, and for everything else an error that says why
//! a copy is needed.

/// A type that can be handed to the body more than once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be copied",
    label = "a retry may call the body again, a fallback may need this after the body took it: it must be `Clone`",
    note = "derive `Clone` for it, or remove `retry` and `fallback` from this function"
)]
pub trait Repeatable {}

/// An argument or an answer, looked at from one, two or three references away.
#[derive(Debug)]
pub struct Arg<'a, T: ?Sized>(pub &'a T);

/// First choice: `Clone`.
pub trait CloneValue {
    /// What is copied.
    type Out;
    /// A copy.
    fn copy(&self) -> Self::Out;
}

impl<T: Clone> CloneValue for &&Arg<'_, T> {
    type Out = T;

    fn copy(&self) -> T {
        self.0.clone()
    }
}

/// Last choice: an error at the argument's type.
pub trait CloneAny {
    /// What is copied.
    type Out;
    /// A copy; there is no type for which this can be called.
    fn copy(&self) -> Self::Out
    where
        Self::Out: Repeatable;
}

impl<T> CloneAny for Arg<'_, T> {
    type Out = T;

    fn copy(&self) -> T
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

    use super::Arg;

    /// Second choice: an extractor of rmcp without `Clone` of its own.
    pub trait CloneExtractor {
        /// What is copied.
        type Out;
        /// A copy.
        fn copy(&self) -> Self::Out;
    }

    macro_rules! by_field {
        ($($extractor:ident $(<$t:ident>)?),*) => {
            $(impl$(<$t: Clone>)? CloneExtractor for &Arg<'_, $extractor$(<$t>)?> {
                type Out = $extractor$(<$t>)?;

                fn copy(&self) -> Self::Out {
                    $extractor(self.0.0.clone())
                }
            })*
        };
    }

    by_field!(Extension<T>, RequestId, ToolName, PromptName, RequestState, InputResponses);

    /// `Json<T>`, rmcp's structured answer, has no `Clone` of its own either.
    pub trait CloneJson {
        /// What is copied.
        type Out;
        /// A copy.
        fn copy(&self) -> Self::Out;
    }

    impl<T: Clone> CloneJson for &Arg<'_, Json<T>> {
        type Out = Json<T>;

        fn copy(&self) -> Json<T> {
            Json(self.0.0.clone())
        }
    }
}

#[cfg(feature = "rmcp")]
pub use extractors::{CloneExtractor, CloneJson};

/// An argument between attempts.
#[derive(Debug)]
pub struct Slot<T>(Option<T>);

impl<T> Slot<T> {
    /// Keeps an argument.
    pub const fn new(argument: T) -> Self {
        Self(Some(argument))
    }

    /// The argument for the next attempt: the argument itself for the last one, else a copy.
    /// `None` after the last one.
    pub fn next(&mut self, last: bool, copy: fn(&T) -> T) -> Option<T> {
        if last { self.0.take() } else { self.0.as_ref().map(copy) }
    }
}
