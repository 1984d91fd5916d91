//! The methods for the tasks extension: with a store of deferred writes, a client polls and cancels them as tasks.
//!
//! The runtime answers for deferred writes, and the block's own method for all other tasks. The methods that the block
//! lacks are added, and answer for other tasks like rmcp's defaults. They are compiled if the runtime has the feature.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, parse_quote};

use crate::krate::Krate;
use crate::parse::attribute_mentions;
use crate::resilient::expand::span::{glue, group_like};
use crate::resilient::parse::block::{Member, OpaqueImpl};
use crate::resilient::parse::function::{OpaqueFn, is_nameless};
use crate::resilient::parse::tool;

/// The methods for tasks.
const OF_TASKS: [&str; 3] = ["get_task", "update_task", "cancel_task"];

/// Returns whether the block shows which methods it has. A macro within it may define any of them, and a method below a
/// `cfg` may not exist.
pub(super) fn can_be_added(block: &OpaqueImpl) -> bool {
    let calls_a_macro = |member: &Member| match member {
        Member::Function(_) => false,
        Member::Other(tokens) => tokens.clone().into_iter().any(|token| token.to_string() == "!"),
    };
    let is_conditional = |function: &OpaqueFn| {
        let is_cfg = |attr: &Attribute| {
            tool::last_is(attr, "cfg") || tool::last_is(attr, "cfg_attr") && attribute_mentions(attr, &["cfg"])
        };
        (is_of_tasks(function) || function.sig.ident == "get_info") && function.attrs.iter().any(is_cfg)
    };
    !block.members.iter().any(calls_a_macro) && !block.functions().any(is_conditional)
}

fn is_of_tasks(function: &OpaqueFn) -> bool {
    OF_TASKS.iter().any(|method| function.sig.ident == method)
}

/// Returns the methods that the block lacks. If it has some of them, it has tasks that the runtime does not know.
pub(super) fn missing(block: &OpaqueImpl, krate: &Krate) -> Vec<OpaqueFn> {
    let has_tasks = block.functions().any(is_of_tasks);
    let (p, rmcp) = (quote!(#krate::__private), quote!(#krate::__private::rmcp));
    let of_tasks = [
        (quote!(get_task), quote!(GetTaskParams), quote!(#rmcp::model::GetTaskResult), quote!(GetTaskMethod)),
        (quote!(update_task), quote!(UpdateTaskParams), quote!(()), quote!(UpdateTaskMethod)),
        (quote!(cancel_task), quote!(CancelTaskParams), quote!(()), quote!(CancelTaskMethod)),
    ];
    let of_tasks = of_tasks.map(|(name, parameters, result, method)| {
        let method = quote!(#rmcp::model::#method);
        let refused = if has_tasks {
            quote!(#rmcp::ErrorData::method_not_found::<#method>())
        } else {
            quote!(#p::tasks::unknown::<#method>())
        };
        parse_quote! {
            async fn #name(
                &self,
                request: #rmcp::model::#parameters,
                _context: #rmcp::service::RequestContext<#rmcp::RoleServer>,
            ) -> ::core::result::Result<#result, #rmcp::ErrorData> {
                match #p::tasks::#name(&request).await {
                    ::core::option::Option::Some(answered) => answered,
                    ::core::option::Option::None => ::core::result::Result::Err(#refused),
                }
            }
        }
    });
    let info = parse_quote! {
        fn get_info(&self) -> #rmcp::model::ServerConfig {
            <#rmcp::model::ServerConfig as ::core::default::Default>::default()
        }
    };
    let is_missing = |method: &OpaqueFn| !block.functions().any(|function| function.sig.ident == method.sig.ident);
    of_tasks.into_iter().chain([info]).filter(is_missing).collect()
}

/// Returns whether the method describes the server, and has no attribute of this crate.
pub(super) fn is_info(function: &OpaqueFn) -> bool {
    let is_own = function.attrs.iter().any(|attr| tool::last_is(attr, "resilient"));
    function.sig.ident == "get_info" && !is_own && function.arguments().count() == 0
}

/// Returns the method that describes the server, with the tasks extension if there is a store.
pub(super) fn advertised(function: &OpaqueFn, krate: &Krate) -> TokenStream {
    let OpaqueFn { attrs, vis, sig, body } = function;
    let Some(output) = function.output().filter(|output| !is_nameless(output)) else {
        return function.to_token_stream();
    };
    let at = glue(&sig.ident);
    let block = quote_spanned!(at=>
        let __described = || -> #output {
            match () {
                () => #body
            }
        };
        #krate::__private::server_info!(__described())
    );
    let block = group_like(body, block);
    quote!(#(#attrs)* #vis #sig #block)
}
