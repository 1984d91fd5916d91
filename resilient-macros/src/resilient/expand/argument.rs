//! Generates code for arguments: stored between attempts, cloned, inspected, and bound to their names in the body.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, Pat, PatType, Type};

use crate::resilient::expand::policy;
use crate::resilient::expand::span::{exactly, glue, group_like};
use crate::resilient::parse::function::{OpaqueFn, is_nameless, plain_name};
use crate::resilient::parse::value::plain;
use crate::resilient::plan::Plan;

/// Returns the expressions over the parameters that run before the first attempt.
pub(crate) fn looks(plan: &Plan, arguments: &[Argument<'_>]) -> Option<TokenStream> {
    let look = |at| look(arguments, at);
    let keys = &plan.guards.keys;
    let mut looks = policy::keys(keys, look);
    looks.extend(plan.timeout_from.as_ref().map(|from| {
        let at = glue(from);
        let look = look(at);
        quote_spanned!(at=> .timeout_from(|| { #look #from }))
    }));
    looks.extend(log_args(plan, look));
    (!looks.is_empty()).then_some(looks)
}

/// Returns the call that shows the arguments in the log. `look` binds the parameters for their expressions.
pub(crate) fn log_args(plan: &Plan, look: impl Fn(Span) -> TokenStream) -> Option<TokenStream> {
    let at = glue(plan.log_args.first()?);
    let look = look(at);
    let shown = plan.log_args.iter().map(|shown| {
        let name = shown.to_token_stream().to_string().replace([' ', '\n'], "");
        let shown = plain(shown).unwrap_or(shown);
        let at = glue(shown);
        quote_spanned!(at=> __shown.add(#name, &(#shown));)
    });
    Some(quote_spanned!(at=> .log_args(|__shown| { #look #(#shown)* })))
}

/// One argument of the function.
pub(crate) struct Argument<'a> {
    /// The `#[cfg(..)]` attributes, which apply to all code about the argument.
    pub(crate) cfgs: Vec<&'a Attribute>,
    /// The other attributes, which apply to the argument in the body.
    lints: Vec<&'a Attribute>,
    /// The user's name, if the pattern is a plain name.
    pub(crate) own: Option<&'a Ident>,
    /// The name outside of the body.
    pub(crate) name: Ident,
    /// The name of the value that an attempt gets, if the argument is stored between attempts.
    part: Ident,
    pub(crate) pattern: &'a Pat,
    pub(crate) ty: &'a Type,
}

impl<'a> Argument<'a> {
    pub(crate) fn all(function: &'a OpaqueFn) -> Vec<Self> {
        function.arguments().enumerate().map(|(index, argument)| Self::new(index, argument)).collect()
    }

    fn new(index: usize, argument: &'a PatType) -> Self {
        let hidden = |name: String| Ident::new(&name, glue(&argument.ty));
        let (cfgs, lints): (Vec<_>, Vec<_>) = argument.attrs.iter().partition(|attr| is_cfg(attr));
        let own = plain_name(argument);
        Self {
            cfgs,
            own,
            name: own
                // A use of a name with `_` would trigger a lint, and lint attributes apply in the body only.
                .filter(|name| !name.to_string().starts_with('_') && lints.is_empty())
                .cloned()
                .unwrap_or_else(|| hidden(format!("__argument_{index}"))),
            part: hidden(format!("__part_{index}")),
            lints,
            pattern: &argument.pat,
            ty: &argument.ty,
        }
    }

    /// Returns whether each attempt can copy the argument, because its type is a shared reference.
    fn is_shared_reference(&self) -> bool {
        matches!(self.ty, Type::Reference(reference) if reference.mutability.is_none())
    }

    /// Clones the argument behind a reference.
    pub(crate) fn copy(&self, reference: &impl ToTokens, p: &TokenStream) -> TokenStream {
        copy(reference, p, glue(self.ty))
    }

    /// Binds the argument to the user's pattern inside the body.
    pub(crate) fn rebind(&self, is_kept: bool) -> TokenStream {
        let Self { cfgs, lints, pattern, ty, .. } = self;
        let name = if is_kept && !self.is_shared_reference() { &self.part } else { &self.name };
        let at = glue(ty);
        let ty = (!is_nameless(ty)).then(|| quote_spanned!(at=> : #ty));
        let is_unused = matches!(pattern, Pat::Ident(named) if named.ident.to_string().starts_with('_'));
        let unused = is_unused.then(|| quote_spanned!(at=> #[allow(clippy::no_effect_underscore_binding)]));
        quote_spanned!(at=> #(#cfgs)* #unused #(#lints)* let #pattern #ty = #name;)
    }
}

/// Generates the slots that store arguments between attempts, and the code that takes the next attempt's values from
/// them.
///
/// One slot holds all arguments as a tuple, since the compiler generates the same code for each slot. An argument under
/// a `cfg` has a separate slot, since an element of a pattern cannot have the attribute.
pub(crate) fn slots(function: &OpaqueFn, arguments: &[Argument<'_>], p: &TokenStream) -> (TokenStream, TokenStream) {
    let all = Span::mixed_site().located_at(function.sig.paren_token.span.join());
    let kept = arguments.iter().filter(|argument| !argument.is_shared_reference());
    let (always, sometimes): (Vec<_>, Vec<_>) = kept.partition(|argument| argument.cfgs.is_empty());
    let together = (!always.is_empty()).then_some(always);
    let slots = together.into_iter().chain(sometimes.into_iter().map(|argument| vec![argument]));
    slots.enumerate().map(|(index, together)| slot(index, &together, p, all)).unzip()
}

fn slot(index: usize, together: &[&Argument<'_>], p: &TokenStream, all: Span) -> (TokenStream, TokenStream) {
    let at = if let [one] = together { glue(one.ty) } else { all };
    let p = &exactly(p.clone(), at);
    let slot = Ident::new(&format!("__slot_{index}"), at);
    let cfgs: Vec<_> = together.iter().flat_map(|argument| &argument.cfgs).collect();
    let names: Vec<_> = together.iter().map(|argument| &argument.name).collect();
    let parts: Vec<_> = together.iter().map(|argument| &argument.part).collect();
    let copies = together.iter().map(|argument| argument.copy(&argument.part, p));
    let keep = quote_spanned!(at=> #(#cfgs)* let mut #slot = #p::Slot::new((#(#names,)*)););
    let next = quote_spanned!(at=>
        #(#cfgs)*
        let (#(#parts,)*) = match #p::Slot::next(&mut #slot, __last) {
            #p::Next::Last(__all) => __all,
            #p::Next::Copied((#(#parts,)*)) => (#(#copies,)*),
            #p::Next::Gone => return ::core::option::Option::None,
        };
    );
    (keep, next)
}

/// Clones the value behind a reference.
pub(crate) fn copy(reference: &impl ToTokens, p: &TokenStream, at: Span) -> TokenStream {
    let p = exactly(p.clone(), at);
    quote_spanned!(at=> #p::Arg::of(#reference).__copy())
}

/// Binds the arguments by reference to the user's names.
pub(crate) fn look(arguments: &[Argument<'_>], place: Span) -> TokenStream {
    let look = arguments.iter().map(|Argument { cfgs, name, pattern, .. }| {
        let pattern = seen_by_reference(pattern.to_token_stream());
        quote_spanned!(place=>
            #(#cfgs)*
            #[allow(unused_variables, unused_mut, clippy::no_effect_underscore_binding)]
            let #pattern = &#name;
        )
    });
    quote!(#(#look)*)
}

/// Removes `mut`, `ref` and `&` from a pattern, which are not allowed if the value is a reference.
fn seen_by_reference(pattern: TokenStream) -> TokenStream {
    let kept = pattern.into_iter().filter_map(|token| match token {
        TokenTree::Ident(word) if word == "mut" || word == "ref" => None,
        TokenTree::Punct(and) if and.as_char() == '&' => None,
        TokenTree::Group(group) => Some(TokenTree::Group(group_like(&group, seen_by_reference(group.stream())))),
        other => Some(other),
    });
    kept.collect()
}

pub(crate) fn is_cfg(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg")
}
