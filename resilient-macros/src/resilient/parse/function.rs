//! Parses a function whose body stays a group of tokens, so that rustc reports the mistakes in half-typed code.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, FnArg, Pat, PatType, ReceiverKind, ReturnType, Signature, Type, Visibility};

/// A function with an unparsed body.
#[derive(Debug, Clone)]
pub(crate) struct OpaqueFn {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Group,
}

impl Parse for OpaqueFn {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        match bare(input.parse()?) {
            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => Ok(Self { attrs, vis, sig, body }),
            other => Err(syn::Error::new(other.span(), "`#[resilient]` needs a function with a body")),
        }
    }
}

/// Removes the invisible groups around metavariables of `macro_rules!`.
fn bare(token: TokenTree) -> TokenTree {
    let TokenTree::Group(group) = &token else { return token };
    let mut inner = group.stream().into_iter();
    match (group.delimiter(), inner.next(), inner.next()) {
        (Delimiter::None, Some(only), None) => bare(only),
        _ => token,
    }
}

impl OpaqueFn {
    /// Returns the return type.
    pub(crate) fn output(&self) -> Option<&Type> {
        match &self.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, output) => Some(output),
        }
    }

    /// Returns the arguments after the receiver.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &PatType> {
        self.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(argument) => Some(argument),
            FnArg::Receiver(_) => None,
        })
    }

    /// Returns whether the receiver is `&self`, which any number of attempts can share.
    pub(crate) fn receiver_can_be_shared(&self) -> bool {
        self.sig.receiver().is_none_or(|receiver| match &receiver.kind {
            ReceiverKind::Reference(_, _, mutability) => mutability.is_none(),
            ReceiverKind::Typed(_, ty) => matches!(&**ty, Type::Reference(reference) if reference.mutability.is_none()),
            _ => false,
        })
    }

    /// Returns whether `#[async_trait]` has rewritten the function, which adds a lifetime with a known name.
    pub(crate) fn is_of_async_trait(&self) -> bool {
        self.sig.generics.lifetimes().any(|parameter| parameter.lifetime.ident == "async_trait")
    }

    /// Returns whether the return type is the boxed future that rmcp's `#[tool]` makes from an `async fn`.
    pub(crate) fn is_boxed_already(&self) -> bool {
        self.sig.asyncness.is_none() && self.output().and_then(last_name).is_some_and(|last| last == "Pin")
    }
}

/// Returns the last segment of a type that is a path.
pub(crate) fn last_name(ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    path.path.segments.last().map(|last| last.ident.to_string())
}

/// Returns the name of an argument, if its pattern is a plain name.
pub(crate) fn plain_name(argument: &PatType) -> Option<&syn::Ident> {
    match &*argument.pat {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => Some(&name.ident),
        _ => None,
    }
}

/// Returns whether a type is or contains `impl Trait`, which a `let` cannot have, or `_`, which gives no information.
pub(crate) fn is_nameless(ty: &Type) -> bool {
    let text = ty.to_token_stream().to_string();
    // `'_` is a lifetime, and `r#impl` is a name.
    let mut words = text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '\'' | '#'));
    words.any(|word| word == "impl" || word == "_")
}

impl ToTokens for OpaqueFn {
    /// The unchanged function.
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attrs, vis, sig, body } = self;
        tokens.extend(quote!(#(#attrs)* #vis #sig #body));
    }
}
