//! What `fallback = deferred` needs: arguments that exist without a caller.

use std::marker::PhantomData;
use std::ops::Deref;

/// The type of an argument of a delivery. It has a method for each extractor of a request, and derefs to `Argument`
/// for all other types.
#[derive(Debug)]
pub struct Delivered<T>(PhantomData<T>);

/// An argument that exists without a caller.
#[derive(Debug)]
pub struct Argument;

impl<T> Delivered<T> {
    /// The type as a value.
    pub const HERE: Self = Self(PhantomData);
}

impl<T> Deref for Delivered<T> {
    type Target = Argument;

    fn deref(&self) -> &Argument {
        &Argument
    }
}

impl Argument {
    /// Accepts the argument.
    #[expect(clippy::unused_self, reason = "a method, so that those of `Delivered` have precedence over it")]
    pub const fn __without_caller(&self) {}
}

/// An argument that does not come from a request.
#[diagnostic::on_unimplemented(
    message = "`fallback = deferred` delivers the call later, when it has no caller",
    label = "an argument of the function is taken from the request of the caller",
    note = "take what the write needs as parameters, or drop `deferred`"
)]
pub trait WithoutCaller {}

mod extractors {
    use rmcp::handler::server::tool::{Extension, InputResponses, RequestId, RequestState};
    use rmcp::model::{Extensions, RequestMetaObject};
    use rmcp::service::{Peer, RequestContext, ServiceRole};
    use tokio_util::sync::CancellationToken;

    use super::{Delivered, WithoutCaller};

    macro_rules! of_a_caller {
        ($([$($generics:tt)*] $extractor:ty;)*) => {
            $(impl<$($generics)*> Delivered<$extractor> {
                /// Reports the argument.
                pub const fn __without_caller<'a>(&'a self)
                where
                    &'a $extractor: WithoutCaller,
                {
                }
            })*
        };
    }

    of_a_caller! {
        [R: ServiceRole] RequestContext<R>;
        [R: ServiceRole] Peer<R>;
        [T] Extension<T>;
        [] Extensions;
        [] RequestMetaObject;
        [] RequestId;
        [] RequestState;
        [] InputResponses;
        [] CancellationToken;
    }
}
