//! Parses `log_args(req.team_id, req.limit)`, the arguments that the log may show.

use darling::FromMeta;
use syn::punctuated::Punctuated;
use syn::{Expr, Meta, Token};

use super::expected;
use crate::parse::list;

/// Expressions over the parameters.
#[derive(Debug, Clone)]
pub(crate) struct LogArgs(pub(crate) Vec<Expr>);

impl FromMeta for LogArgs {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let Meta::List(list) = item else {
            return Err(expected("arguments in brackets: `log_args(req.team_id, req.limit)`").with_span(item));
        };
        let shown = list::parse("log_args", Punctuated::<Expr, Token![,]>::parse_terminated, list.tokens.clone())?;
        if shown.is_empty() {
            return Err(expected("at least one argument: `log_args(req.team_id)`").with_span(item));
        }
        Ok(Self(shown.into_iter().collect()))
    }
}

/// Returns the expression in `plain(..)`, which is logged although its name is that of a secret: `plain(req.session)`.
pub(crate) fn plain(shown: &Expr) -> Option<&Expr> {
    let Expr::Call(call) = shown else { return None };
    let Expr::Path(name) = &*call.func else { return None };
    let only = call.args.first().filter(|_| call.args.len() == 1);
    only.filter(|_| call.attrs.is_empty() && name.path.is_ident("plain"))
}
