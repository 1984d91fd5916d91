//! Converts an attribute to the tree of located values that the reader of `resilient-policy` reads.

use darling::Error;
use darling::ast::NestedMeta;
use darling::error::Accumulator;
use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use resilient_policy::{Entry, Mistake, Node, Value};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Meta};

use super::list;
use crate::parse::literal::literal;

/// Returns one entry of a list: `key`, `key = value` or `key(..)`.
pub(crate) fn entry(meta: &NestedMeta, errors: &mut Accumulator) -> Option<Entry<Span>> {
    let (key, location) = (list::name_of(meta)?, list::span_of(meta));
    let value = match meta {
        NestedMeta::Meta(Meta::Path(path)) => Node::new(path.span(), Value::Alone),
        NestedMeta::Meta(Meta::List(list)) => Node::new(meta.span(), words(list.tokens.clone(), errors)),
        NestedMeta::Meta(Meta::NameValue(pair)) => node(&pair.value),
        NestedMeta::NameValueInvalidExpr(_) | NestedMeta::Lit(_) => return None,
    };
    Some(Entry { key, location, value })
}

/// Returns the words of `on(timeout, unavailable)`.
fn words(tokens: TokenStream, errors: &mut Accumulator) -> Value<Span> {
    let words = list::split(tokens, "kind", errors).into_iter().map(|word| match syn::parse2::<Expr>(word.clone()) {
        Ok(value) => node(&value),
        // A keyword is a word as well.
        Err(_) => Node::new(word.span(), Value::Code(code(&word))),
    });
    Value::List(words.collect())
}

/// Returns the value of an expression.
pub(crate) fn node(value: &Expr) -> Node<Span> {
    let kind = match value {
        Expr::Lit(ExprLit { lit, .. }) => literal(lit),
        Expr::Path(path) => match path.path.get_ident() {
            Some(word) => Value::Word(word.to_string()),
            None => Value::Code(code(path)),
        },
        // An invisible group around a metavariable of `macro_rules!`.
        Expr::Group(group) => return node(&group.expr),
        other => Value::Code(code(other)),
    };
    Node::new(value.span(), kind)
}

/// Returns tokens as text without spaces.
fn code(tokens: &impl ToTokens) -> String {
    tokens.to_token_stream().to_string().replace([' ', '\n'], "")
}

/// Returns a mistake as an error at its token.
pub(crate) fn error(mistake: &Mistake<Span>) -> Error {
    Error::custom(&mistake.message).with_span(&mistake.place)
}
