//! Reads the values of `#[mcp(key = value)]`. Each message shows the expected form.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use resilient_policy::{
    ErrorKind, Form as SharedForm, Number, Setting, Syntax, Value as Shared, one_of, read_text, snake, without_quotes,
};
use syn::parse::{ParseStream, Parser};
use syn::{Expr, ExprLit, ExprUnary, Lit, LitBool, LitStr, UnOp};

use crate::krate::Krate;
use crate::mcp_error::parse::attrs::Written;
use crate::mcp_error::parse::errors::error;
use crate::mcp_error::parse::keys::{Entry, Key};
use crate::parse::node::node;

/// The form of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// No value.
    Alone,
    Text,
    Flag,
    Kind,
    Severity,
    /// A JSON-RPC code, with or without a sign.
    Protocol,
    /// The path of the runtime.
    Path,
}

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

impl Form {
    fn expected(self) -> &'static str {
        match self {
            Self::Alone => "no value",
            Self::Text => "a string",
            Self::Flag => "`true` or `false`",
            Self::Kind => "the name of a kind",
            Self::Severity => "`low`, `medium`, `high` or `critical`",
            Self::Protocol => "an integer",
            Self::Path => "a path",
        }
    }

    /// Returns whether a text would be right without its quotes.
    fn is_right_without_quotes(self, text: &str) -> bool {
        match self {
            Self::Flag => matches!(text, "true" | "false"),
            Self::Severity => matches!(text, "low" | "medium" | "high" | "critical"),
            Self::Protocol => text.parse::<i32>().is_ok() && !text.starts_with('+'),
            _ => false,
        }
    }
}

/// Reads the value of a key. `word` is the token of the key.
pub(crate) fn read(key: Key, word: &Ident, written: &Written) -> syn::Result<Value> {
    let Entry { name, form, example, .. } = key.entry();
    let expected = || format!("expected {}: `{name} = {example}`", form.expected());
    let tokens = match (form, written) {
        (Form::Alone, Written::Nothing) => return Ok(Value::Alone),
        (Form::Alone, Written::Value(tokens)) => {
            return error(tokens, format!("`{name}` takes no value; expected `{name}` alone"));
        }
        (Form::Alone, Written::List(list)) => {
            return error(list, format!("`{name}` takes no list; expected `{name}` alone"));
        }
        (_, Written::Nothing) => return error(word, expected()),
        (_, Written::List(list)) => return error(list, expected()),
        (_, Written::Value(tokens)) => tokens,
    };
    let parser = |input: ParseStream<'_>| Ok((input.parse::<Expr>(), input.parse::<TokenStream>()?));
    match parser.parse2(tokens.clone())? {
        (Ok(_), rest) if !rest.is_empty() => error(rest, format!("expected `,` after the value of `{name}`")),
        (Ok(expr), _) => single(name, form, expr)?.map_or_else(|| error(tokens, expected()), Ok),
        (Err(_), _) => error(tokens, expected()),
    }
}

/// Reads an expression. Returns `None` if it has nothing in common with the form.
fn single(name: &str, form: Form, mut expr: Expr) -> syn::Result<Option<Value>> {
    // An invisible group around a metavariable of `macro_rules!`.
    while let Expr::Group(group) = expr {
        expr = *group.expr;
    }
    let node = node(&expr);
    if let Shared::Text(text) = &node.value
        && form.is_right_without_quotes(text)
    {
        return error(expr, without_quotes(text));
    }
    Ok(Some(match (form, &expr) {
        (Form::Text, Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => match read_text(&node.value) {
            Ok(_) => Value::Text(text.clone()),
            Err(why) => return error(text, why),
        },
        (Form::Flag, Expr::Lit(ExprLit { lit: Lit::Bool(flag), .. })) => Value::Flag(flag.clone()),
        (Form::Severity, Expr::Path(_)) => match SharedForm::SEVERITY.read(name, &node, Syntax::Attribute) {
            Ok(word) => Value::Severity(word),
            Err(mistakes) => return error(expr, mistakes.into_iter().map(|it| it.message).collect::<String>()),
        },
        (Form::Path, Expr::Path(path)) if path.qself.is_none() => match Krate::from_path(&path.path) {
            Ok(krate) => Value::Path(krate),
            Err(why) => return error(path, why),
        },
        (Form::Kind, _) => match kind(&node.value) {
            Some(Ok(kind)) => Value::Kind(kind),
            Some(Err(why)) => return error(expr, why),
            None => return Ok(None),
        },
        (Form::Protocol, Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr: digits, .. })) => {
            return protocol(&expr, digits, -1);
        }
        (Form::Protocol, digits) => return protocol(&expr, digits, 1),
        _ => return Ok(None),
    }))
}

/// Reads the name of a kind, or returns the message about another word. Returns `None` for what is no word.
fn kind(value: &Shared<Span>) -> Option<Result<ErrorKind, String>> {
    let (word, is_bare) = match value {
        Shared::Word(word) => (word.trim_start_matches("r#").to_owned(), true),
        Shared::Text(text) => (text.replace('-', "_"), false),
        // `ErrorKind::NotFound`, or `not-found`, which the parser reads as a subtraction.
        Shared::Code(code) => (code.rsplit("::").next()?.replace('-', "_"), false),
        _ => return None,
    };
    let is_word = word.chars().all(|c| c.is_alphanumeric() || c == '_');
    let snake = snake(&word);
    Some(match (word.parse().ok(), snake.parse::<ErrorKind>().ok(), is_bare) {
        (Some(kind), _, true) => Ok(kind),
        (_, Some(kind), true) => Err(format!("unknown kind `{word}`; write `{kind}`")),
        (_, Some(kind), false) => Err(format!("a kind is one word without quotes; write `{kind}`")),
        (_, None, _) if matches!(value, Shared::Code(_)) && !is_word => return None,
        (_, None, _) => {
            let meant = match ErrorKind::from_foreign_name(&snake) {
                Some(kind) => format!("; did you mean `{kind}`?"),
                None => one_of(&word, ErrorKind::NAMES),
            };
            Err(format!("{}unknown kind `{word}`{meant}", if is_bare { "" } else { "expected a bare word: " }))
        }
    })
}

/// Reads a JSON-RPC code from its sign and its digits.
fn protocol(whole: &Expr, digits: &Expr, sign: i128) -> syn::Result<Option<Value>> {
    match node(digits).value {
        Shared::Integer(number) => match i32::try_from(sign * number) {
            Ok(code) => Ok(Some(Value::Protocol(code, whole.to_token_stream()))),
            Err(_) => error(whole, "expected an integer of 32 bits: `protocol = -33001`"),
        },
        // The sign is a separate token and is kept.
        Shared::Suffixed(number @ Number::Whole(_), suffix) => {
            error(digits, SharedForm::COUNT.suffixed(&number, &suffix))
        }
        _ => Ok(None),
    }
}
