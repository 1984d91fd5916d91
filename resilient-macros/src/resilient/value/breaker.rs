//! `breaker = "make"`, `breaker = MAKE`, `breaker(name = "make", failures = 5, open = "60s")`.

use darling::{Error, FromMeta};
use proc_macro2::Span;
use resilient_policy::BreakerSettings;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, Meta, Path};

use super::{At, Count, DurationArg, Text, expected};
use crate::resilient::list;
use crate::resilient::places::Places;

const KEYS: &[&str] = &["name", "failures", "open", "probes", "successes"];

#[derive(Debug, Clone, Default, FromMeta)]
struct Keys {
    #[darling(default)]
    name: Option<Text>,
    #[darling(default)]
    failures: Option<Count>,
    #[darling(default)]
    open: Option<DurationArg>,
    #[darling(default)]
    probes: Option<Count>,
    #[darling(default)]
    successes: Option<Count>,
}

/// The value of `breaker`.
#[derive(Debug, Clone)]
pub(crate) enum BreakerArgs {
    /// By name.
    Named(At<String>),
    /// A `static Breaker` of the user's.
    Static(Path),
    /// By name, with settings.
    Set(Box<Set>),
}

#[derive(Debug, Clone)]
pub(crate) struct Set {
    keys: Keys,
    key_span: Span,
}

impl FromMeta for BreakerArgs {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match item {
            Meta::List(list) => {
                let mut errors = Error::accumulator();
                let entries = list::entries(list.tokens.clone(), KEYS, &mut errors);
                let keys = errors.handle(Keys::from_list(&entries)).unwrap_or_default();
                errors.finish_with(Self::Set(Box::new(Set { keys, key_span: list.path.span() })))
            }
            Meta::NameValue(pair) => match &pair.value {
                Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) => {
                    Ok(Self::Named(At { value: name.value(), span: name.span() }))
                }
                Expr::Path(path) => Ok(Self::Static(path.path.clone())),
                other => {
                    Err(expected("a name: `breaker = \"make\"`, or the path of a `static Breaker`").with_span(other))
                }
            },
            Meta::Path(path) => Err(expected("a name: `breaker = \"make\"`").with_span(path)),
        }
    }
}

impl Set {
    /// The name, if it says one, and the settings.
    pub(crate) fn lower(&self, places: &mut Places) -> (Option<String>, BreakerSettings) {
        let Keys { name, failures, open, probes, successes } = &self.keys;
        let mut settings = BreakerSettings::new();
        places.put("breaker.name", self.key_span);
        let name = name.as_ref().map(|Text(At { value, span })| {
            places.put("breaker.name", *span);
            value.clone()
        });
        for (path, given, setting) in [
            ("breaker.failures", failures, &mut settings.failures),
            ("breaker.probes", probes, &mut settings.probes),
            ("breaker.successes", successes, &mut settings.successes),
        ] {
            if let Some(Count(At { value, span })) = given {
                *setting = *value;
                places.put(path, *span);
            }
        }
        if let Some(DurationArg(At { value, span })) = open {
            settings.open = *value;
            places.put("breaker.open", *span);
        }
        (name, settings)
    }
}
