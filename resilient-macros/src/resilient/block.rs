//! `#[resilient]` above `#[tool_router]`: passes its keys to each tool of the block, adds the hook to each route, and
//! builds the router once.

use darling::ast::NestedMeta;
use darling::error::Accumulator;
use darling::{Error, FromMeta};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, GenericArgument, Ident, Meta, PathArguments, Type, Visibility};

use super::{handler, hooked, with_errors};
use crate::krate::Krate;
use crate::parse::list;
use crate::project::Project;
use crate::resilient::check::{invalidates, policy, shape};
use crate::resilient::parse::args::{self, Args, INHERITED, INSERTED, REPORTED};
use crate::resilient::parse::block::{ALLOW_EMPTY, Member, OpaqueImpl};
use crate::resilient::parse::function::{OpaqueFn, is_nameless};
use crate::resilient::parse::tool::{self, Tool};
use crate::resilient::plan::site_fn;

/// Expands the attribute on an impl block.
pub(super) fn block(attribute: &TokenStream, item: TokenStream, project: &Project) -> darling::Result<TokenStream> {
    let mut errors = Error::accumulator();
    let args = args::parse_for_block(attribute.clone(), &mut errors);
    let Some(mut block) = errors.handle(syn::parse2::<OpaqueImpl>(item).map_err(Error::from)) else {
        return errors.finish_with(TokenStream::new());
    };
    if block.trait_.is_some() {
        let expanded = errors.handle(handler::expand(&args, attribute, block));
        return errors.finish_with(expanded.unwrap_or_default());
    }
    let Some(router_at) = block.attrs.iter().position(|attr| tool::last_is(attr, "tool_router")) else {
        errors.push(without_router(&block));
        return errors.finish_with(TokenStream::new());
    };
    shape::second(&block.attrs, &mut errors);
    check(&args, &block, project, &mut errors);
    // The first attribute has passed its keys to all tools, so a second one cannot.
    let twice = block.attrs.iter().any(|attr| tool::last_is(attr, "resilient"));
    let reported = match errors.finish() {
        Err(reported) if twice => return Err(reported),
        checked => checked.err(),
    };
    let is_reported = reported.is_some();
    let reported = reported.map(Error::write_errors);
    if block.attrs.get(router_at).is_some_and(|router| block.is_refused_as_empty(router)) {
        // rmcp reports it, with the router's name that the user wrote.
        return Ok(quote!(#block #reported));
    }
    let mut errors = Error::accumulator();
    invalidates::check(&block, &args, project, &mut errors);
    let has_features = args.features().is_some();
    let krate = args.krate.unwrap_or_default();
    let mut functions = Functions::explained(&block, &krate);
    for member in &mut block.members {
        if let Member::Function(function) = member
            && errors.handle(inherit(function, &krate, attribute, has_features, is_reported)) == Some(true)
        {
            functions.sites.push(site_fn(&function.sig.ident));
        }
    }
    let router = block.attrs.get_mut(router_at).map(|attribute| Router::take(attribute, &mut errors));
    // Expand the block even if there are mistakes, since other code uses its tools and its handler.
    let expanded = match router.and_then(|router| errors.handle(router)) {
        Some(router) => router.expand(&block, &functions, &krate, project),
        None => block.into_token_stream(),
    };
    Ok(with_errors(&quote!(#expanded #reported), errors))
}

/// Returns the message about a block without `#[tool_router]`.
fn without_router(block: &OpaqueImpl) -> Error {
    let prompts = block.attrs.iter().find(|attr| tool::last_is(attr, "prompt_router"));
    let message = if prompts.is_some() {
        "`#[resilient]` guards the tools of `#[tool_router]`, and this block has prompts, which have no hook; place it \
         above each `#[prompt]` instead"
    } else {
        "`#[resilient]` on an `impl` block goes above its `#[tool_router]`; there is none below it"
    };
    let span = prompts.map_or_else(|| block.impl_token.span(), |prompts| prompts.path().span());
    Error::custom(message).with_span(&span)
}

/// Checks the keys that the block passes to its tools.
fn check(args: &Args, block: &OpaqueImpl, project: &Project, errors: &mut Accumulator) {
    let tools = block.tools();
    let in_file = |tool: &str| project.file.as_ref().and_then(|file| file.tools.get(tool));
    let has_timeout = |(tool, own): &(String, Args)| {
        own.timeout.is_some() || own.profile.is_some() || in_file(tool).is_some_and(|table| table.timeout.is_some())
    };
    policy::of_block(args, project, !tools.iter().all(has_timeout), !tools.iter().any(has_timeout), errors);
    let all = std::iter::once(("", args)).chain(tools.iter().map(|(name, own)| (&**name, own)));
    policy::of_breakers(all, errors);
}

/// Passes the block's keys to a tool. Returns whether the tool is guarded.
fn inherit(
    function: &mut OpaqueFn,
    krate: &Krate,
    keys: &TokenStream,
    has_features: bool,
    is_reported: bool,
) -> darling::Result<bool> {
    let Some(tool_at) = function.attrs.iter().position(tool::is_tool) else { return Ok(false) };
    let [inherited, inserted, reported] = [INHERITED, INSERTED, REPORTED].map(|key| format_ident!("{key}"));
    let reported = is_reported.then(|| quote!(, #reported));
    let Some(own_at) = function.attrs.iter().position(|attr| tool::last_is(attr, "resilient")) else {
        // A tool whose return type cannot carry an error has a record too, from which the hook reads its timeout, and a
        // sync tool has one with the features of the block.
        let is_guarded = tool::can_inherit(function)
            || hooked::can_be_limited(function)
            || has_features && hooked::is_sync_tool(function);
        if is_guarded {
            let attribute = syn::parse_quote!(#[#krate::resilient(#inherited(#keys), #inserted #reported)]);
            function.attrs.insert(tool_at, attribute);
        }
        return Ok(is_guarded);
    };
    if own_at > tool_at {
        // The attribute on the function reports that it is in the wrong position.
        return Ok(false);
    }
    let own = function.attrs.remove(own_at);
    let path = own.path();
    let written = match &own.meta {
        Meta::Path(_) => TokenStream::new(),
        Meta::List(list) => list.tokens.clone(),
        Meta::NameValue(_) => {
            return Err(Error::custom("expected keys in brackets: `#[resilient(retry = 3)]`").with_span(path));
        }
    };
    let is_skipped = args::parse_silently(written.clone()).skip.is_some();
    // The user may write a trailing comma.
    let needs_comma = !written.is_empty() && !written.to_string().trim_end().ends_with(',');
    let comma = needs_comma.then(|| quote!(,));
    // The tool only has to know that the block has keys, to reject its own.
    let keys = (!is_skipped).then_some(keys);
    function.attrs.insert(own_at, syn::parse_quote!(#[#path(#written #comma #inherited(#keys) #reported)]));
    Ok(!is_skipped)
}

/// The functions that the block's router calls.
struct Functions {
    /// The names of the functions that return the records of guarded tools.
    sites: Vec<Ident>,
    /// The names of the functions that register how to explain arguments.
    explained: Vec<Ident>,
    /// The latter functions themselves.
    tokens: TokenStream,
}

impl Functions {
    /// Returns, for each `Parameters<T>` of a tool, a function that registers how to explain arguments that do not parse
    /// as `T`.
    ///
    /// The function is in the block and has the type in its signature, as the tool does, so that rustc reports mistakes
    /// in the type once.
    fn explained(block: &OpaqueImpl, krate: &Krate) -> Self {
        let mut functions = Self { sites: Vec::new(), explained: Vec::new(), tokens: TokenStream::new() };
        for function in block.functions() {
            let Some(tool) = Tool::find(&function.attrs).filter(|tool| !tool.is_prompt) else { continue };
            if !function.sig.generics.params.is_empty() {
                continue;
            }
            let own = function.sig.ident.unraw().to_string();
            let tool_name = tool.name.as_ref().unwrap_or(&own);
            for (index, ty) in function.arguments().filter_map(|argument| parameters(&argument.ty)).enumerate() {
                let name = format_ident!("__resilient_{own}_explained_{index}", span = Span::call_site());
                functions.tokens.extend(quote! {
                    #[doc(hidden)]
                    #[allow(deprecated)]
                    fn #name(__of: #krate::__private::Explained<#ty>, __all: &mut #krate::__private::Explanations) {
                        __all.add(#tool_name, __of.__explain());
                    }
                });
                functions.explained.push(name);
            }
        }
        functions
    }
}

/// Returns the `T` of `Parameters<T>`, by the last segment, as rmcp finds it. A type that cannot be named, such as
/// `impl Trait`, cannot be repeated elsewhere.
fn parameters(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Parameters")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(ty) if arguments.args.len() == 1 && !is_nameless(ty) => Some(ty),
        _ => None,
    }
}

/// The arguments of `#[tool_router]`.
struct Router {
    name: Ident,
    vis: Visibility,
    server_handler: bool,
    /// Whether rmcp may reject an argument, and so generate nothing from the block.
    is_doubtful: bool,
}

impl Router {
    /// Reads the attribute and replaces it by one that makes a router under a hidden name.
    fn take(attribute: &mut Attribute, errors: &mut Accumulator) -> darling::Result<Self> {
        let written_at = attribute.bracket_token.span.join();
        let name = format_ident!("tool_router", span = Span::call_site().located_at(written_at));
        let mut router = Self { name, vis: Visibility::Inherited, server_handler: false, is_doubtful: false };
        let mut kept = Vec::new();
        for entry in list::of_rmcp(&attribute.meta, &["router", "vis", "server_handler"], errors) {
            match &entry {
                NestedMeta::Meta(meta) if meta.path().is_ident("router") => router.name = FromMeta::from_meta(meta)?,
                NestedMeta::Meta(meta) if meta.path().is_ident("vis") => router.vis = FromMeta::from_meta(meta)?,
                NestedMeta::Meta(meta) if meta.path().is_ident("server_handler") => {
                    router.server_handler = FromMeta::from_meta(meta)?;
                }
                other => {
                    let allows_empty = matches!(other, NestedMeta::Meta(meta) if meta.path().is_ident(ALLOW_EMPTY));
                    router.is_doubtful |= !allows_empty;
                    kept.push(other.to_token_stream());
                }
            }
        }
        let (path, hidden) = (attribute.path(), router.hidden("built"));
        *attribute = syn::parse_quote!(#[#path(router = #hidden #(, #kept)*)]);
        Ok(router)
    }

    fn hidden(&self, what: &str) -> Ident {
        format_ident!("__resilient_{}_{what}", self.name.unraw(), span = Span::call_site())
    }

    /// Returns the block with its router under a hidden name, the public name as a copy of the shared router, and, if
    /// `server_handler` is set, the handler that uses the shared router.
    fn expand(&self, block: &OpaqueImpl, functions: &Functions, krate: &Krate, project: &Project) -> TokenStream {
        let p = quote!(#krate::__private);
        let Self { name, vis, server_handler, is_doubtful } = self;
        let Functions { sites, explained, tokens } = functions;
        let label = name.unraw().to_string();
        let (built, shared) = (self.hidden("built"), self.hidden("shared"));
        let OpaqueImpl { generics, self_ty, .. } = block;
        let (parameters, _, where_clause) = generics.split_for_impl();
        let doc = " The tools of this block, each with the hook: a copy of what is built once per process.";
        let handler = server_handler.then(|| {
            quote! {
                #[#p::rmcp::tool_handler(router = #p::routed(Self::#shared()))]
                impl #parameters #p::rmcp::ServerHandler for #self_ty #where_clause {}
            }
        });
        // The handler uses the shared router, not its copy. `allow(dead_code)` on the copy would hide that the type is
        // never used.
        let used = server_handler.then(|| quote!(let _ = Self::#name;));
        let tables = project.file.iter().flat_map(|file| &file.tools).filter_map(|(name, table)| {
            let place = table.place.as_ref()?.to_string();
            Some(quote!((#name, #place)))
        });
        let (watched, switches) = (project.watched(), project.switches());
        let is_doubtful = *is_doubtful || block.has_half_typed_function();
        let unbuilt = is_doubtful.then(|| unbuilt(block, &built, functions, &p));
        quote! {
            #block
            #watched

            impl #parameters #self_ty #where_clause {
                #tokens

                fn #shared() -> &'static #p::rmcp::handler::server::router::tool::ToolRouter<Self> {
                    #used
                    #unbuilt
                    #p::shared(#label, Self::#built, &[#(Self::#sites),*], &[#(#tables),*], #switches, |__all| {
                        #(Self::#explained(#p::Explained::HERE, __all);)*
                    })
                }

                #[doc = #doc]
                #vis fn #name() -> #p::rmcp::handler::server::router::tool::ToolRouter<Self> {
                    ::core::clone::Clone::clone(Self::#shared())
                }
            }

            #handler
        }
    }
}

/// Replaces the functions that rmcp generates from the block. If rmcp rejects the block, its error is then the only
/// one. Otherwise rmcp's functions take precedence over these.
fn unbuilt(block: &OpaqueImpl, built: &Ident, functions: &Functions, p: &TokenStream) -> TokenStream {
    let (OpaqueImpl { generics, self_ty, .. }, Functions { sites, explained, .. }) = (block, functions);
    let (parameters, _, where_clause) = generics.split_for_impl();
    quote! {
        #[allow(dead_code)]
        trait __Unbuilt: ::core::marker::Sized {
            fn #built() -> #p::rmcp::handler::server::router::tool::ToolRouter<Self> {
                loop {}
            }
            #(fn #sites() -> &'static #p::Site {
                loop {}
            })*
            #(fn #explained<T>(_: T, _: &mut #p::Explanations) {})*
        }
        impl #parameters __Unbuilt for #self_ty #where_clause {}
    }
}
