//! Generates the function that runs before each retry.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote_spanned};
use syn::Type;

use super::chain::receiver_for;
use crate::resilient::expand::span::{exactly, glue, moved};
use crate::resilient::parse::function::OpaqueFn;
use crate::resilient::plan::Plan;

/// Returns a closure that calls the function with the error of the last attempt.
pub(crate) fn before(plan: &Plan, function: &OpaqueFn, output: &Type, p: &TokenStream) -> Option<TokenStream> {
    let path = plan.before.as_ref()?;
    let at = glue(path);
    let p = exactly(p.clone(), at);
    let receiver = receiver_for(path, function).map(|receiver| {
        // `self` is only visible with the hygiene of the user's receiver.
        let receiver = moved(receiver.to_token_stream(), at);
        quote_spanned!(at=> #receiver,)
    });
    Some(quote_spanned!(at=> move |__error: #p::Arc<_>| async move {
        let __renewed: #p::Renewed<#output> = #path(#receiver &*__error).await;
        __renewed
    }))
}
