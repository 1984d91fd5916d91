//! Reads the values of `#[mcp(key = value)]`. Each message shows the expected form.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use resilient_policy::{
    ErrorKind, Form as SharedForm, Number, Setting, Syntax, Value as Shared, read_kind, read_text, without_quotes,
};
use syn::parse::{ParseStream, Parser};
use syn::{Expr, ExprLit, ExprPath, ExprUnary, Lit, LitBool, LitStr, UnOp};

use super::{Form, Key, KeyEntry, error};
use crate::krate::Krate;
use crate::parse::node::node;

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Alone,
    Text(LitStr),
    Flag(LitBool),
    Kind(ErrorKind),
    Severity(Setting),
    /// A JSON-RPC code and its tokens.
    Protocol(i32, TokenStream),
    Path(Krate),
}

/// What follows a key: `= value` or `(..)`.
pub(crate) struct Written {
    /// `value` or `list`
    pub(crate) what: &'static str,
    pub(crate) tokens: TokenStream,
}

impl Value {
    /// Reads the value of a key. `word` is the token of the key.
    pub(crate) fn read(key: Key, word: &Ident, written: Option<&Written>) -> syn::Result<Value> {
        let KeyEntry { name, form, example, .. } = key.entry();
        let expected = || format!("expected {}: `{name} = {example}`", form.expected());
        let Written { what, tokens } = match written {
            Some(written) => written,
            None if form == Form::Alone => return Ok(Value::Alone),
            None => return error(word, expected()),
        };
        if form == Form::Alone {
            return error(tokens, format!("`{name}` takes no {what}; expected `{name}` alone"));
        }
        let parser = |input: ParseStream<'_>| Ok((input.parse::<Expr>(), input.parse::<TokenStream>()?));
        let Ok((expr, rest)) = parser.parse2(tokens.clone()) else { return error(tokens, expected()) };
        match expr.ok().and_then(|expr| single(name, form, expr)) {
            Some(value) if rest.is_empty() => value,
            Some(_) => error(rest, format!("expected `,` after the value of `{name}`")),
            None => error(tokens, expected()),
        }
    }
}

/// Reads an expression. Returns `None` if it has nothing in common with the form.
fn single(name: &str, form: Form, mut expr: Expr) -> Option<syn::Result<Value>> {
    // An invisible group around a metavariable of `macro_rules!`.
    while let Expr::Group(group) = expr {
        expr = *group.expr;
    }
    let node = node(&expr);
    let value = match (form, &expr, &node.value) {
        (_, _, Shared::Text(text)) if is_right_without_quotes(form, text) => Err(without_quotes(text)),
        (Form::Text, Expr::Lit(ExprLit { lit: Lit::Str(text), .. }), value) => {
            read_text(value).map(|_| Value::Text(text.clone()))
        }
        (Form::Flag, Expr::Lit(ExprLit { lit: Lit::Bool(flag), .. }), _) => Ok(Value::Flag(flag.clone())),
        (Form::Kind, _, value) => read_kind(value)?.map(Value::Kind),
        (Form::Severity, _, Shared::Word(_)) => SharedForm::SEVERITY
            .read(name, &node, Syntax::Attribute)
            .map(Value::Severity)
            .map_err(|mistakes| mistakes.into_iter().map(|mistake| mistake.message).collect()),
        (Form::Path, Expr::Path(ExprPath { qself: None, path, .. }), _)
            if path.segments.iter().all(|segment| segment.arguments.is_none()) =>
        {
            Krate::from_path(path).map(Value::Path).map_err(|why| why.to_string())
        }
        (Form::Protocol, ..) => return protocol(&expr),
        _ => return None,
    };
    Some(value.or_else(|why| error(&expr, why)))
}

/// Returns whether a text would be right without its quotes.
fn is_right_without_quotes(form: Form, text: &str) -> bool {
    match form {
        Form::Flag => matches!(text, "true" | "false"),
        Form::Severity => matches!(text, "low" | "medium" | "high" | "critical"),
        Form::Protocol => text.parse::<i32>().is_ok() && !text.starts_with('+'),
        _ => false,
    }
}

/// Reads a JSON-RPC code.
fn protocol(expr: &Expr) -> Option<syn::Result<Value>> {
    let (sign, digits) = match expr {
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr: digits, .. }) => (-1, &**digits),
        digits => (1, digits),
    };
    let out_of_range = || error(expr, "expected an integer of 32 bits: `protocol = -33001`");
    Some(match node(digits).value {
        Shared::Integer(number) => match i32::try_from(sign * number) {
            Ok(code) => Ok(Value::Protocol(code, expr.to_token_stream())),
            Err(_) => out_of_range(),
        },
        // Without its suffix, the number has to be right.
        Shared::Suffixed(Number::Whole(number), _)
            if number.parse().is_ok_and(|number: i128| i32::try_from(sign * number).is_err()) =>
        {
            out_of_range()
        }
        // The sign is a separate token and is kept.
        Shared::Suffixed(number @ Number::Whole(_), suffix) => {
            error(digits, SharedForm::COUNT.suffixed(&number, &suffix))
        }
        _ => return None,
    })
}
