//! Generates the static record of a guarded function.

use darling::Error;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use crate::krate::Krate;
use crate::resilient::expand::policy;
use crate::resilient::expand::span::{exactly, glue};
use crate::resilient::parse::function::OpaqueFn;
use crate::resilient::plan::{Breaker, Enforced, Plan, site_fn};

/// Returns the static record of the function: the part in its body, and the part beside it. If the function is a tool
/// in a block, a function beside it owns the record. The block's router calls this function, so that the record is
/// known before the first call.
pub(crate) fn site(plan: &Plan, line: Option<u32>, p: &TokenStream, at: Span) -> (TokenStream, TokenStream) {
    let name = &plan.name;
    // Functions with the same name in different modules are different, while a tool's name identifies it.
    let label = if plan.tool_name.is_some() || plan.is_named {
        quote_spanned!(at=> #name)
    } else {
        quote_spanned!(at=> ::core::concat!(::core::module_path!(), "::", #name))
    };
    let tool = plan.tool_name.as_ref().map(|tool| quote_spanned!(at=> .of_tool(#tool)));
    let profiles = &plan.profiles;
    let profiles = (!profiles.is_empty()).then(|| quote_spanned!(at=> .of_profiles(&[#(#profiles),*])));
    let features = &plan.features;
    let features = (!features.is_empty()).then(|| quote_spanned!(at=> .of_features(&[#(#features),*])));
    let critical = plan.critical.map(|_| quote_spanned!(at=> .critical()));
    let invalidates = &plan.invalidates;
    let invalidates = (!invalidates.is_empty()).then(|| quote_spanned!(at=> .invalidates(&[#(#invalidates),*])));
    let policy = policy::tokens(plan, p);
    let (referred, breaker) = match &plan.guards.breaker {
        Some(Breaker::Static(path)) => {
            let place = glue(path);
            let here = exactly(p.clone(), place);
            // A `const` has no `'static` reference: rustc reports that a `static` is needed.
            let referred = quote_spanned!(place=> static __RESILIENT_BREAKER: &#here::Breaker = &#path;);
            (referred, quote_spanned!(place=> .guarded_by(__RESILIENT_BREAKER)))
        }
        Some(Breaker::Named { .. }) | None => Default::default(),
    };
    let enforced = match plan.enforced {
        Enforced::ByFunction => TokenStream::new(),
        Enforced::ByMethod => quote_spanned!(at=> .of_handler()),
        Enforced::ByHook => quote_spanned!(at=> .limited_by_hook()),
        Enforced::Nowhere => quote_spanned!(at=> .not_limited()),
    };
    // `line!()` would return the line of the block.
    let line = line.map_or_else(|| quote_spanned!(at=> ::core::line!()), |line| quote!(#line));
    let record = quote_spanned!(at=>
        #referred
        static __RESILIENT_SITE: #p::Site = #p::Site::new(
            #label,
            #p::Location { module: ::core::module_path!(), file: ::core::file!(), line: #line },
            #policy,
        ) #tool #breaker #profiles #features #invalidates #critical #enforced;
    );
    let Some(owner) = &plan.site_fn else {
        let here = quote_spanned!(at=> #record let __site = &__RESILIENT_SITE;);
        return (here, TokenStream::new());
    };
    // The router of a block of prompts uses no records.
    let unused = plan.is_prompt().then(|| quote_spanned!(at=> #[allow(dead_code)]));
    let beside = quote_spanned!(at=>
        #[doc(hidden)]
        #unused
        fn #owner() -> &'static #p::Site {
            #record
            &__RESILIENT_SITE
        }
    );
    (quote_spanned!(at=> let __site = Self::#owner();), beside)
}

/// Returns the unchanged function with the messages about it, and a record for the block's router, so that rustc does
/// not report it as missing.
pub(crate) fn unguarded(function: &OpaqueFn, krate: &Krate, errors: Error) -> TokenStream {
    let (owner, errors) = (site_fn(&function.sig.ident), errors.write_errors());
    quote!(#function fn #owner() -> &'static #krate::__private::Site { loop {} } #errors)
}
