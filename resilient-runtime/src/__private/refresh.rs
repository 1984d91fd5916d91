//! What `stale_while_revalidate` needs: a receiver and arguments that a call in the background can own.

use std::ops::Deref;

use super::clone::Arg;

/// A receiver that a refresh can own.
#[diagnostic::on_unimplemented(
    message = "`stale_while_revalidate` calls the function again in the background, with a clone of `{Self}`",
    label = "this needs `{Self}: Clone + Send + Sync + 'static`",
    note = "derive `Clone`, or drop `stale_while_revalidate`"
)]
pub trait Refreshable: Sized {
    /// Returns a clone.
    #[must_use]
    fn cloned(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Refreshable for T {
    fn cloned(&self) -> Self {
        self.clone()
    }
}

/// Returns a clone of the receiver.
pub fn refreshable<T: Refreshable>(receiver: &T) -> T {
    receiver.cloned()
}

/// An argument of a refresh. It has methods for the extractors of a request, and derefs to [`Arg`] for all other types.
#[derive(Debug)]
pub struct Refreshed<'a, T>(Arg<'a, T>);

impl<'a, T> Refreshed<'a, T> {
    /// Wraps an argument.
    pub const fn of(argument: &'a T) -> Self {
        Self(Arg::of(argument))
    }
}

impl<'a, T> Deref for Refreshed<'a, T> {
    type Target = Arg<'a, T>;

    fn deref(&self) -> &Arg<'a, T> {
        &self.0
    }
}

/// An argument that does not come from a request.
#[diagnostic::on_unimplemented(
    message = "`stale_while_revalidate` calls the function again in the background, where there is no request",
    label = "an argument of the function is taken from the request",
    note = "take the values that identify the answer as parameters, or drop `stale_while_revalidate`"
)]
pub trait WithoutRequest {}

#[cfg(feature = "rmcp")]
mod extractors {
    use rmcp::handler::server::prompt::PromptName;
    use rmcp::handler::server::tool::{Extension, InputResponses, RequestId, RequestState, ToolName};
    use rmcp::model::RequestMetaObject;
    use rmcp::service::{Peer, RequestContext, ServiceRole};

    use super::{Refreshed, WithoutRequest};

    macro_rules! of_a_request {
        ($([$($generics:tt)*] $extractor:ty;)*) => {
            $(impl<'a, $($generics)*> Refreshed<'a, $extractor> {
                /// Reports the argument.
                ///
                /// # Panics
                /// Never: it does not compile.
                #[must_use]
                pub fn __copy(&self) -> $extractor
                where
                    &'a $extractor: WithoutRequest,
                {
                    unreachable!("no such type exists without a request")
                }
            })*
        };
    }

    of_a_request! {
        [R: ServiceRole] RequestContext<R>;
        [R: ServiceRole] Peer<R>;
        [T] Extension<T>;
        [] RequestId;
        [] ToolName;
        [] PromptName;
        [] RequestState;
        [] InputResponses;
        [] RequestMetaObject;
    }
}
