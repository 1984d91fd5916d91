//! `breaker = "make"`, `breaker = MAKE`, `breaker(name = "make", failures = 5, open = "60s")`.

use darling::{Error, FromMeta};
use resilient_policy::{BreakerSettings, check_name};
use syn::{Expr, ExprLit, Lit, Meta, Path};

use super::{At, SettingsArgs, Text, expected};

/// The value of `breaker`.
#[derive(Debug, Clone)]
pub(crate) enum BreakerArgs {
    /// A name.
    Named(At<String>),
    /// A `static Breaker` of the user.
    Static(Path),
    /// A name with settings.
    Set(Box<SettingsArgs<BreakerSettings>>),
}

impl FromMeta for BreakerArgs {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match item {
            Meta::List(_) => SettingsArgs::from_meta(item).map(|set| Self::Set(Box::new(set))),
            Meta::NameValue(pair) => match &pair.value {
                value @ Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) => {
                    let Text(name) = Text::from_expr(value)?;
                    Ok(Self::Named(name))
                }
                Expr::Path(path) if path.qself.is_none() => match unquoted_name(&path.path) {
                    Some(name) => {
                        let message = format!(
                            "a breaker's name stands in quotes, and a `static` in capitals; write `\"{name}\"`, or \
                             for a `static` its path: `self::{name}`"
                        );
                        Err(Error::custom(message).with_span(path))
                    }
                    None => Ok(Self::Static(path.path.clone())),
                },
                other => {
                    Err(expected("a name: `breaker = \"make\"`, or the path of a `static Breaker`").with_span(other))
                }
            },
            Meta::Path(path) => Err(expected("a name: `breaker = \"make\"`").with_span(path)),
        }
    }
}

/// Returns a name that lacks its quotes: statics have names in capitals, so a lower-case word is meant as a text.
fn unquoted_name(path: &Path) -> Option<String> {
    let word = path.get_ident()?.to_string();
    let is_name = check_name(&word).is_ok() && !word.contains(|c: char| c.is_ascii_uppercase());
    (is_name && !matches!(word.as_str(), "self" | "super" | "crate")).then_some(word)
}
