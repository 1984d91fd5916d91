//! `#[resilient]` above `#[tool_router]`: passes its keys to each tool of the block, adds the hook to each route, and
//! builds the router once.

use darling::Error;
use darling::ast::NestedMeta;
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{Attribute, GenericArgument, Ident, Meta, PathArguments, Type, Visibility};

use crate::krate::Krate;
use crate::parse::list;
use crate::project::Project;
use crate::resilient::check::{policy, shape};
use crate::resilient::parse::args::{self, Args, INHERITED, INSERTED, REPORTED};
use crate::resilient::parse::block::{ALLOW_EMPTY, Member, OpaqueImpl};
use crate::resilient::parse::function::{OpaqueFn, is_nameless};
use crate::resilient::parse::tool;
use crate::resilient::parse::tool::Tool;
use crate::resilient::parse::value::Setting;
use crate::resilient::plan::site_fn;
use crate::resilient::{handler, hooked};

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
        let prompts = block.attrs.iter().find(|attr| tool::last_is(attr, "prompt_router"));
        errors.push(if let Some(prompts) = prompts {
            Error::custom(
                "`#[resilient]` guards the tools of `#[tool_router]`, and this block has prompts, which have no hook; \
             place it above each `#[prompt]` instead",
            )
            .with_span(prompts.path())
        } else {
            let message = "`#[resilient]` on an `impl` block goes above its `#[tool_router]`; there is none below it";
            Error::custom(message).with_span(&block.impl_token)
        });
        return errors.finish_with(TokenStream::new());
    };
    shape::second(&block.attrs, &mut errors);
    check(&args, &block, project, &mut errors);
    // The first attribute has passed its keys to all tools, so a second one cannot.
    let twice = block.attrs.iter().any(|attr| tool::last_is(attr, "resilient"));
    let mut reported = match errors.finish() {
        Err(reported) if twice => return Err(reported),
        checked => checked.err(),
    };
    if block.attrs.get(router_at).is_some_and(|router| block.is_refused_as_empty(router)) {
        // rmcp reports it, with the router's name that the user wrote.
        let reported = reported.map(Error::write_errors);
        return Ok(quote!(#block #reported));
    }
    let mut errors = Error::accumulator();
    let explained = explained(&block, &args.krate.clone().unwrap_or_default());
    let (explained, functions): (Vec<_>, Vec<_>) = explained.into_iter().unzip();
    let functions = functions.into_iter().collect::<TokenStream>();
    let mut guarded = Vec::new();
    for member in &mut block.members {
        if let Member::Function(function) = member
            && inherit(function, &args, attribute, reported.is_some(), &mut errors)
        {
            guarded.push(site_fn(&function.sig.ident));
        }
    }
    let router = Router::take(block.attrs.get_mut(router_at), &mut errors);
    let router = errors.handle(router).map(|mut router| {
        router.is_doubtful |= block.has_half_typed_function();
        router
    });
    if let Err(more) = errors.finish() {
        reported = Some(Error::multiple(reported.into_iter().chain([more]).collect()));
    }
    // Expand the block even if there are mistakes, since other code uses its tools and its handler.
    let expanded = match router {
        Some(router) => with_router(&block, &router, (&guarded, &explained), &functions, &args, project),
        None => block.to_token_stream(),
    };
    let reported = reported.map(Error::write_errors);
    Ok(quote!(#expanded #reported))
}

/// Checks the keys that the block passes to its tools.
fn check(args: &Args, block: &OpaqueImpl, project: &Project, errors: &mut darling::error::Accumulator) {
    let tools = block.tools();
    let in_file = |tool: &str| project.file.as_ref().and_then(|file| file.tools.get(tool));
    let has_timeout = |(tool, own): &(String, Args)| {
        own.timeout.is_some() || own.profile.is_some() || in_file(tool).is_some_and(|table| table.timeout.is_some())
    };
    policy::of_block(args, project, !tools.iter().all(has_timeout), !tools.iter().any(has_timeout), errors);
    let all = std::iter::once(("", args)).chain(tools.iter().map(|(name, own)| (&**name, own)));
    let breakers = all.filter_map(|(name, args)| Some((name, args.breaker.as_ref().and_then(Setting::value)?)));
    policy::of_breakers(breakers, errors);
}

/// Passes the block's keys to a tool. Returns whether the tool is guarded.
fn inherit(
    function: &mut OpaqueFn,
    args: &Args,
    keys: &TokenStream,
    reported: bool,
    errors: &mut darling::error::Accumulator,
) -> bool {
    let Some(tool_at) = function.attrs.iter().position(tool::is_tool) else { return false };
    let own_at = function.attrs.iter().position(|attr| tool::last_is(attr, "resilient"));
    let krate = args.krate.clone().unwrap_or_default();
    let (inherited, word) = (format_ident!("{INHERITED}"), format_ident!("{REPORTED}"));
    let reported = reported.then(|| quote!(, #word));
    let Some(own_at) = own_at else {
        // A tool whose return type cannot carry an error has a record too, from which the hook reads its timeout.
        let guarded = tool::can_inherit(function) || hooked::can_be_limited(function);
        if guarded {
            let inserted = format_ident!("{INSERTED}");
            let attribute = syn::parse_quote!(#[#krate::resilient(#inherited(#keys), #inserted #reported)]);
            function.attrs.insert(tool_at, attribute);
        }
        return guarded;
    };
    if own_at > tool_at {
        // The attribute on the function reports that it is in the wrong position.
        return false;
    }
    let own = function.attrs.remove(own_at);
    let path = own.path();
    let written = match &own.meta {
        Meta::Path(_) => TokenStream::new(),
        Meta::List(list) => list.tokens.clone(),
        Meta::NameValue(_) => {
            errors.push(Error::custom("expected keys in brackets: `#[resilient(retry = 3)]`").with_span(path));
            return false;
        }
    };
    let is_skipped = args::parse_silently(written.clone()).skip.is_some();
    // The user may write a trailing comma.
    let ends_with_comma = written
        .clone()
        .into_iter()
        .last()
        .is_some_and(|last| matches!(last, TokenTree::Punct(p) if p.as_char() == ','));
    let comma = (!written.is_empty() && !ends_with_comma).then(|| quote!(,));
    // The tool only has to know that the block has keys, to reject its own.
    let keys = (!is_skipped).then_some(keys);
    let merged = syn::parse_quote!(#[#path(#written #comma #inherited(#keys) #reported)]);
    function.attrs.insert(own_at, merged);
    !is_skipped
}

/// Returns, for each `Parameters<T>` of a tool, a function that registers how to explain arguments that do not parse as
/// `T`.
///
/// The function is in the block and has the type in its signature, as the tool does, so that rustc reports mistakes in
/// the type once.
fn explained(block: &OpaqueImpl, krate: &Krate) -> Vec<(Ident, TokenStream)> {
    let tools = block.members.iter().filter_map(|member| match member {
        Member::Function(function) if function.sig.generics.params.is_empty() => {
            Some((function, Tool::find(&function.attrs).filter(|tool| !tool.is_prompt)?))
        }
        _ => None,
    });
    tools
        .flat_map(|(function, tool)| {
            let own = syn::ext::IdentExt::unraw(&function.sig.ident).to_string();
            let types = function.arguments().filter_map(|argument| parameters(&argument.ty)).enumerate();
            let tool_name = tool.name.unwrap_or_else(|| own.clone());
            types.map(move |(index, ty)| {
                let name = format_ident!("__resilient_{own}_explained_{index}", span = Span::call_site());
                let function = quote! {
                    #[doc(hidden)]
                    #[allow(deprecated)]
                    fn #name(__of: #krate::__private::Explained<#ty>, __all: &mut #krate::__private::Explanations) {
                        __all.add(#tool_name, __of.__explain());
                    }
                };
                (name, function)
            })
        })
        .collect()
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
    /// Whether rmcp may reject the block, and so generate nothing from it.
    is_doubtful: bool,
}

impl Router {
    /// Reads the attribute and replaces it by one that makes a router under a hidden name.
    fn take(attribute: Option<&mut Attribute>, errors: &mut darling::error::Accumulator) -> darling::Result<Self> {
        let Some(attribute) = attribute else { return Err(Error::custom("expected `#[tool_router]`")) };
        let written_at = attribute.bracket_token.span.join();
        let name = format_ident!("tool_router", span = Span::call_site().located_at(written_at));
        let mut router = Self { name, vis: Visibility::Inherited, server_handler: false, is_doubtful: false };
        let mut kept = Vec::new();
        for entry in list::of_rmcp(&attribute.meta, &["router", "vis", "server_handler"], errors) {
            let NestedMeta::Meta(meta) = &entry else {
                router.is_doubtful = true;
                kept.push(entry.to_token_stream());
                continue;
            };
            if meta.path().is_ident("router") {
                router.name = <Ident as darling::FromMeta>::from_meta(meta)?;
            } else if meta.path().is_ident("vis") {
                router.vis = <Visibility as darling::FromMeta>::from_meta(meta)?;
            } else if meta.path().is_ident("server_handler") {
                router.server_handler = <bool as darling::FromMeta>::from_meta(meta)?;
            } else {
                router.is_doubtful |= !meta.path().is_ident(ALLOW_EMPTY);
                kept.push(entry.to_token_stream());
            }
        }
        let (path, hidden) = (attribute.path(), router.hidden("built"));
        *attribute = syn::parse_quote!(#[#path(router = #hidden #(, #kept)*)]);
        Ok(router)
    }

    fn hidden(&self, what: &str) -> Ident {
        format_ident!("__resilient_{}_{what}", syn::ext::IdentExt::unraw(&self.name), span = Span::call_site())
    }
}

/// Replaces the functions that rmcp generates from the block. If rmcp rejects the block, its error is then the only
/// one. Otherwise rmcp's functions take precedence over these.
fn unbuilt(
    block: &OpaqueImpl,
    built: &Ident,
    (guarded, explained): (&[Ident], &[Ident]),
    p: &TokenStream,
) -> TokenStream {
    let OpaqueImpl { generics, self_ty, .. } = block;
    let (parameters, _, where_clause) = generics.split_for_impl();
    quote! {
        #[allow(dead_code)]
        trait __Unbuilt: ::core::marker::Sized {
            fn #built() -> #p::rmcp::handler::server::router::tool::ToolRouter<Self> {
                loop {}
            }
            #(fn #guarded() -> &'static #p::Site {
                loop {}
            })*
            #(fn #explained<T>(_: T, _: &mut #p::Explanations) {})*
        }
        impl #parameters __Unbuilt for #self_ty #where_clause {}
    }
}

/// Returns the block with its router under a hidden name, the public name as a copy of the shared router, and, if
/// `server_handler` is set, the handler that uses the shared router.
///
/// `guarded` are the functions that return the records of guarded tools, `explained` those that explain arguments.
fn with_router(
    block: &OpaqueImpl,
    router: &Router,
    (guarded, explained): (&[Ident], &[Ident]),
    functions: &TokenStream,
    args: &Args,
    project: &Project,
) -> TokenStream {
    let krate = args.krate.clone().unwrap_or_default();
    let p = quote!(#krate::__private);
    let Router { name, vis, server_handler, .. } = router;
    let label = syn::ext::IdentExt::unraw(name).to_string();
    let (built, shared) = (router.hidden("built"), router.hidden("shared"));
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
    let watched = project.watched();
    let unbuilt = router.is_doubtful.then(|| unbuilt(block, &built, (guarded, explained), &p));
    quote! {
        #block
        #watched

        impl #parameters #self_ty #where_clause {
            #functions

            fn #shared() -> &'static #p::rmcp::handler::server::router::tool::ToolRouter<Self> {
                #used
                #unbuilt
                #p::shared(#label, Self::#built, &[#(Self::#guarded),*], &[#(#tables),*], |__all| {
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
