//! The key `authorize`: the functions that pass a request to the user's function. The router of the block gives them to
//! the hook of each tool.

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Attribute, ExprPath};

use crate::krate::Krate;
use crate::parse::attribute_mentions;
use crate::resilient::expand::span::{exactly, glue};
use crate::resilient::parse::args::{self, Args};
use crate::resilient::parse::block::OpaqueImpl;
use crate::resilient::parse::function::OpaqueFn;
use crate::resilient::parse::tool::{self, Tool};
use crate::resilient::plan::Plan;

/// What authorizes the tools of a block.
#[derive(Default)]
pub(super) struct Authorized {
    /// The functions in the block that call the user's functions.
    pub(super) functions: TokenStream,
    /// The statements that register them for each tool, in a closure with the parameter `__all`.
    pub(super) statements: TokenStream,
    /// The functions that register what is in an attribute that the block cannot see, and that are there only if the
    /// attribute is.
    unseen: Vec<Ident>,
}

impl Authorized {
    /// Returns what authorizes the tools of a block with this function. `router` is the name of its router.
    pub(super) fn of(block: &OpaqueImpl, of_block: Option<&ExprPath>, router: &Ident, krate: &Krate) -> Self {
        let mut authorized = Self::default();
        let p = &quote!(#krate::__private);
        if let Some(path) = of_block {
            let name = authorized.add(path, router, p);
            // A route may have another name than its function, so this is for every route of the block.
            authorized.statements.extend(quote!(__all.authorize_all(Self::#name);));
        }
        for function in block.functions() {
            let Some(tool) = Tool::find(&function.attrs).filter(|tool| !tool.is_prompt) else { continue };
            if let Some(path) = own_path(function) {
                let (tool, name) = (route_name(&tool, function), authorized.add(&path, &function.sig.ident, p));
                authorized.statements.extend(quote!(__all.authorize(#tool, Self::#name);));
            }
            if may_be_unseen(function) {
                let name = unseen(&function.sig.ident);
                authorized.statements.extend(quote!(Self::#name(__all);));
                authorized.unseen.push(name);
            }
        }
        authorized
    }

    /// Adds the function that calls the user's function at `path`, and returns its name.
    fn add(&mut self, path: &ExprPath, of: &Ident, p: &TokenStream) -> Ident {
        let name = caller(of);
        self.functions.extend(calling(path, &name, p));
        name
    }

    /// Returns a trait whose functions register nothing, where the attribute that the block cannot see is not there.
    pub(super) fn absent(&self, block: &OpaqueImpl, p: &TokenStream) -> Option<TokenStream> {
        let (Self { unseen, .. }, OpaqueImpl { generics, self_ty, .. }) = (self, block);
        let (parameters, _, where_clause) = generics.split_for_impl();
        (!unseen.is_empty()).then(|| {
            quote! {
                #[allow(dead_code)]
                trait __Unseen: ::core::marker::Sized {
                    #(fn #unseen(_: &mut #p::ToolFunctions<Self>) {})*
                }
                impl #parameters __Unseen for #self_ty #where_clause {}
            }
        })
    }
}

/// Rejects the key on a block with prompts, which would be served without it.
pub(super) fn check_prompts(args: &Args, block: &OpaqueImpl, errors: &mut Accumulator) {
    let is_prompt = |function: &OpaqueFn| function.attrs.iter().any(|attr| tool::last_is(attr, "prompt"));
    // A block of prompts alone is rejected for all keys of the hook.
    let has_tools = block.attrs.iter().any(|attr| tool::last_is(attr, "tool_router"));
    if let Some(path) = args.authorize.as_ref().filter(|_| has_tools && block.functions().any(is_prompt)) {
        let message =
            "`authorize` needs the hook, which the prompts of this block do not have; move them to another block";
        errors.push(Error::custom(message).with_span(path));
    }
}

/// Returns the functions beside a tool whose `authorize` is in an attribute that its block cannot see.
pub(super) fn beside(args: &Args, plan: &Plan, function: &OpaqueFn) -> Option<TokenStream> {
    let path = args.authorize.as_ref().filter(|_| args.inserted.is_some())?;
    let (tool, krate) = (route_name(&Tool::find(&function.attrs)?, function), &plan.krate);
    let p = quote!(#krate::__private);
    let (name, unseen) = (caller(&function.sig.ident), unseen(&function.sig.ident));
    let calling = calling(path, &name, &p);
    Some(quote! {
        #calling
        #[doc(hidden)]
        fn #unseen(__all: &mut #p::ToolFunctions<Self>) {
            __all.authorize(#tool, Self::#name);
        }
    })
}

/// Returns the name of the tool's route. For a raw name, rmcp keeps the prefix.
fn route_name(tool: &Tool, function: &OpaqueFn) -> String {
    tool.name.clone().unwrap_or_else(|| function.sig.ident.to_string())
}

/// Returns whether an attribute of the tool other than `#[resilient]` may have the key.
pub(super) fn may_be_unseen(function: &OpaqueFn) -> bool {
    let mentions = |attr: &Attribute| attribute_mentions(attr, &["authorize"]);
    function.attrs.iter().any(|attr| !tool::last_is(attr, "resilient") && !tool::is_tool(attr) && mentions(attr))
}

/// Returns the path in the tool's own attribute.
fn own_path(function: &OpaqueFn) -> Option<ExprPath> {
    let own = function.attrs.iter().find(|attr| tool::last_is(attr, "resilient"))?;
    args::parse_silently(own.meta.require_list().ok()?.tokens.clone()).authorize
}

fn caller(of: &Ident) -> Ident {
    format_ident!("__resilient_{}_authorize", of.unraw(), span = Span::call_site())
}

fn unseen(tool: &Ident) -> Ident {
    format_ident!("__resilient_{}_authorized", tool.unraw(), span = Span::call_site())
}

/// Returns the function that calls the user's function. rustc reports mistakes in it at the path.
fn calling(path: &ExprPath, name: &Ident, p: &TokenStream) -> TokenStream {
    let at = glue(path);
    let p = exactly(p.clone(), at);
    quote_spanned! {at=>
        #[doc(hidden)]
        #[allow(deprecated)]
        fn #name<'__call>(
            __server: &'__call Self,
            __request: &'__call #p::rmcp::service::RequestContext<#p::rmcp::RoleServer>,
            __arguments: &'__call #p::rmcp::model::JsonObject,
        ) -> #p::Authorizing<'__call> {
            #p::authorizing(#path(__server, __request, __arguments))
        }
    }
}
