//! Converts an attribute to the tree of located values that the reader of `resilient-policy` reads.

use darling::Error;
use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use resilient_policy::{Form, Node, Setting, Syntax, Value};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Meta};

use crate::parse::entries;
use crate::parse::literal::literal;

/// Reads a value in this form.
pub(crate) fn read(form: Form, key: &str, value: &Node<Span>) -> darling::Result<Setting> {
    form.read(key, value, Syntax::Attribute).map_err(|mistakes| {
        let errors = mistakes.iter().map(|mistake| Error::custom(&mistake.message).with_span(&mistake.place));
        Error::multiple(errors.collect())
    })
}

/// Returns the value of `key`, `key = value` or `key(..)`.
pub(crate) fn value(entry: &Meta) -> Node<Span> {
    match entry {
        Meta::Path(_) => Node::new(entry.span(), Value::Alone),
        Meta::List(list) => Node::new(entry.span(), words(list.tokens.clone())),
        Meta::NameValue(pair) => node(&pair.value),
    }
}

/// Returns the words of `on(timeout, unavailable)`.
fn words(tokens: TokenStream) -> Value<Span> {
    let words = entries::split(tokens).into_iter().flatten().map(|word| match syn::parse2::<Expr>(word.clone()) {
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
