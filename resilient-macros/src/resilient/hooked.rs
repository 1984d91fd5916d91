//! Tools of a block that the hook limits: their return type cannot carry an error, so the hook enforces the timeout
//! around them. Also attributes that the block could not see.

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use resilient_policy::Override;
use syn::parse::{ParseStream, Parser};
use syn::{AttrStyle, Attribute, Meta, Type};

use crate::parse::list;
use crate::project::Project;
use crate::resilient::check::{parameters, policy, shape};
use crate::resilient::expand::span::{glue, group_like};
use crate::resilient::parse::args::{self, Args, Property};
use crate::resilient::parse::function::{OpaqueFn, last_name};
use crate::resilient::parse::tool::{self, Tool};
use crate::resilient::plan::{Enforced, Plan};
use crate::resilient::{authorize, expand, plan};

/// Returns whether the hook limits this tool of a block, instead of the function itself.
pub(super) fn is_limited(args: &Args, function: &OpaqueFn) -> bool {
    let carries_no_error = args.inserted.is_some() || has_no_error(function);
    args.inherited.is_some() && (carries_no_error && can_be_limited(function) || is_sync_with_words(args, function))
}

/// Returns whether the hook can limit a tool that inherits from its block: rmcp awaits it, and its return type does not
/// seem to carry an error.
pub(super) fn can_be_limited(function: &OpaqueFn) -> bool {
    is_tool(function) && !tool::can_inherit(function) && is_awaited(function)
}

/// Returns whether the function is a tool that rmcp does not await.
pub(super) fn is_sync_tool(function: &OpaqueFn) -> bool {
    function.sig.asyncness.is_none() && !function.is_boxed_already() && is_tool(function)
}

fn is_tool(function: &OpaqueFn) -> bool {
    Tool::find(&function.attrs).is_some_and(|tool| !tool.is_prompt)
}

/// Returns whether the function is `async` or returns a future explicitly.
fn is_awaited(function: &OpaqueFn) -> bool {
    let returns_a_future = match function.output() {
        Some(Type::ImplTrait(output)) => output.bounds.to_token_stream().to_string().contains("Future"),
        Some(output) => last_name(output)
            .is_some_and(|name| matches!(name.as_str(), "Pin" | "BoxFuture" | "LocalBoxFuture" | "MaybeBoxFuture")),
        None => false,
    };
    function.sig.asyncness.is_some() || returns_a_future
}

/// Returns whether this is a sync tool whose attribute only has keys that the hook can use, or comes from its block. A key
/// that could not be read may be one of the former.
fn is_sync_with_words(args: &Args, function: &OpaqueFn) -> bool {
    let is_named = args.name.is_some() || args.log_args.is_some();
    let has_effect = args.read_only.is_some() || args.idempotent.is_some();
    let inherits_features = args.inherited.as_ref().is_some_and(|inherited| inherited.features().is_some());
    let is_switched = args.critical.is_some() || args.feature.is_some() || inherits_features;
    let is_authorized = args.authorize.is_some() || args.inserted.is_some();
    (is_named || has_effect || is_switched || is_authorized || args.is_incomplete)
        && args.timeout.is_none()
        && is_sync_tool(function)
}

/// Returns whether the return type certainly cannot carry an error. Any unknown name may be an alias.
fn has_no_error(function: &OpaqueFn) -> bool {
    const PLAIN: &[&str] = &[
        "String", "Json", "Vec", "Option", "Cow", "Value", "Content", "bool", "char", "u8", "u16", "u32", "u64",
        "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64",
    ];
    match function.output() {
        None | Some(Type::Tuple(_) | Type::Reference(_) | Type::Array(_) | Type::Slice(_)) => true,
        Some(output) => last_name(output).is_some_and(|name| {
            PLAIN.contains(&name.as_str()) || name == "ContentBlock" || name == "InputRequiredResult"
        }),
    }
}

/// Returns the unchanged tool and the record from which the hook reads its timeout.
pub(super) fn limited(args: &Args, written: TokenStream, function: &OpaqueFn, project: &Project) -> TokenStream {
    let mut errors = Error::accumulator();
    shape::second(&function.attrs, &mut errors);
    needs_an_error(written, &mut errors);
    let enforced = if is_awaited(function) { Enforced::ByHook } else { Enforced::Nowhere };
    let plan = plan::plan(args, enforced, function, project, &mut errors);
    policy::of_function(&plan, args, project, function.sig.ident.span(), &mut errors);
    parameters::check(function, args, &plan.guards.keys, &mut errors);
    match errors.finish() {
        Ok(()) => {
            let beside = authorize::beside(args, &plan, function);
            let expanded = expand::hooked(&plan, &show_arguments(&plan, function));
            quote!(#expanded #beside)
        }
        Err(errors) => expand::unguarded(function, &plan.krate, errors),
    }
}

/// Evaluates `log_args` at the start of the body, where the parameters have their names.
fn show_arguments(plan: &Plan, function: &OpaqueFn) -> OpaqueFn {
    let mut function = hoisted(function.clone());
    if let (Some(first), Some(owner)) = (plan.log_args.first(), &plan.site_fn) {
        let shown = expand::log_args(plan, |_| TokenStream::new());
        let (at, body) = (glue(first), function.body.stream());
        let body = quote_spanned!(at=> Self::#owner().entry() #shown .show(); #body);
        function.body = group_like(&function.body, body);
    }
    function
}

/// Returns the record that the block's router needs, for a tool that opts out in an attribute that the block could not
/// see.
pub(super) fn skipped(args: &Args, function: &OpaqueFn, project: &Project) -> Option<TokenStream> {
    args.inserted.as_ref()?;
    let (inherited, feature) = (args.inherited.clone(), Some(Override::None));
    let own = Args { inherited, feature, reported: args.reported, ..Args::default() };
    let plan = args::silently(|errors| plan::plan(&own, Enforced::Nowhere, function, project, errors));
    Some(expand::hooked_site(&plan, function))
}

/// Rejects keys that need a return type which can carry an error.
fn needs_an_error(written: TokenStream, errors: &mut Accumulator) {
    for entry in &args::entries(written) {
        let name = list::name_of(entry);
        let is_none = entry.to_token_stream().to_string().ends_with("= none");
        if args::has(&name, Property::NeedsAnError) && !is_none {
            let message = format!(
                "`{name}` needs a return type that can carry an error: `Result<T, E>`, `CallToolResult` or \
                 `CallToolResponse`; of the limits, this tool can have `timeout` alone"
            );
            errors.push(Error::custom(message).with_span(entry.path()));
        }
    }
}

/// Merges the keys that the block has inserted below an attribute that it could not see: one in `cfg_attr`, or under
/// another name.
pub(super) fn take_in(args: &mut Args, function: &mut OpaqueFn) {
    let below = function.attrs.iter().enumerate().find_map(|(at, attr)| Some((at, inserted(attr)?)));
    if let Some((at, below)) = below.filter(|_| args.inherited.is_none()) {
        function.attrs.remove(at);
        (args.inherited, args.reported, args.inserted) = (below.inherited, below.reported, below.inserted);
    }
}

/// Returns the keys in an attribute that a block has inserted.
fn inserted(attr: &Attribute) -> Option<Args> {
    let Meta::List(list) = &attr.meta else { return None };
    let args = tool::last_is(attr, "resilient").then(|| args::parse_silently(list.tokens.clone()));
    args.filter(|args| args.inserted.is_some())
}

/// Moves the inner attributes of the body to the function, if an expression in the body cannot have them. Documentation
/// comes last: rmcp takes doc comments after the last other attribute as the tool's description.
pub(super) fn hoisted(mut function: OpaqueFn) -> OpaqueFn {
    let split = |body: ParseStream<'_>| Ok((body.call(Attribute::parse_inner)?, body.parse::<TokenStream>()?));
    let Ok((mut inner, rest)) = Parser::parse2(split, function.body.stream()) else { return function };
    if inner.is_empty() {
        return function;
    }
    for attr in &mut inner {
        attr.style = AttrStyle::Outer;
    }
    function.body = group_like(&function.body, rest);
    let (docs, others): (Vec<_>, Vec<_>) = inner.into_iter().partition(|attr| attr.path().is_ident("doc"));
    function.attrs = others.into_iter().chain(function.attrs).chain(docs).collect();
    function
}
