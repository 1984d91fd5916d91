//! `retry = 3`, `retry(max = 3, base = "1s", factor = 2.0, cap = "30s", jitter = equal, on(timeout))`.

use darling::FromMeta;
use proc_macro2::Span;
use resilient_policy::{Jitter, KindSet, Policy, Retry, check_values};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, Meta};

use super::{At, Count, DurationArg, Factor, Setting, Share, expected, kinds, one_word, quoted_count};
use crate::literal::{self, Wanted};
use crate::resilient::parse::list;
use crate::resilient::parse::origins::Places;

const KEYS: &[&str] = &["max", "base", "factor", "cap", "jitter", "on", "budget"];

#[derive(Debug, Clone, Default, FromMeta)]
struct Keys {
    #[darling(default)]
    max: Option<Retries>,
    #[darling(default)]
    base: Option<DurationArg>,
    #[darling(default)]
    factor: Option<Factor>,
    #[darling(default)]
    cap: Option<DurationArg>,
    #[darling(default)]
    jitter: Option<JitterArg>,
    #[darling(default)]
    on: Option<On>,
    #[darling(default)]
    budget: Option<Setting<Share>>,
}

/// The value of `retry`.
#[derive(Debug, Clone)]
pub(crate) struct RetryArgs {
    keys: Keys,
    span: Span,
}

impl FromMeta for RetryArgs {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match item {
            Meta::List(list) => {
                let span = list.path.span();
                let keys = list::keys(list, KEYS, |keys, errors| {
                    let mut places = Places::default();
                    let policy = Policy::new().retry(Self { keys, span }.lower(&mut places));
                    places.tell(&check_values(&policy), span, errors);
                })?;
                Ok(Self { keys, span })
            }
            Meta::NameValue(pair) => match &pair.value {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Err(quoted_count("retry", text)),
                value @ Expr::Lit(ExprLit { lit: Lit::Int(_), .. }) => {
                    let keys = Keys { max: Some(Retries::from_expr(value)?), ..Keys::default() };
                    Ok(Self { keys, span: pair.path.span() })
                }
                other => Err(expected("a number: `retry = 3`, or `retry = none`").with_span(other)),
            },
            Meta::Path(path) => Err(expected("a number: `retry = 3`").with_span(path)),
        }
    }
}

impl RetryArgs {
    /// Where the key stands.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    pub(crate) fn lower(&self, places: &mut Places) -> Retry {
        // Without `..`, so that no key can be forgotten.
        let Keys { max, base, factor, cap, jitter, on, budget } = &self.keys;
        let mut retry = Retry::new(Retry::DEFAULT_MAX);
        if let Some(Retries(At { value, span })) = max {
            retry.max = *value;
            places.put("retry.max", *span);
        }
        if let Some(DurationArg(At { value, span })) = base {
            retry.base = *value;
            places.put("retry.base", *span);
        }
        if let Some(Factor(At { value, span })) = factor {
            retry.factor = *value;
            places.put("retry.factor", *span);
        }
        if let Some(DurationArg(At { value, span })) = cap {
            retry.cap = *value;
            places.put("retry.cap", *span);
        }
        if let Some(JitterArg(jitter)) = jitter {
            retry.jitter = *jitter;
        }
        if let Some(On(on)) = on {
            retry.on = *on;
        }
        match budget {
            Some(Setting::Is(Share(At { value, span }))) => {
                retry.budget = Some(*value);
                places.put("retry.budget", *span);
            }
            Some(Setting::None) => retry.budget = None,
            None => {}
        }
        retry
    }
}

/// How often a call may be repeated. The policy has the range; what does not fit into its type is told here.
#[derive(Debug, Clone)]
struct Retries(At<u32>);

impl FromMeta for Retries {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        match literal::read(value, Wanted::Count)? {
            Some(Lit::Int(number)) if number.base10_parse::<u32>().is_err() => {
                Err(expected("a number of retries from 1 to 10").with_span(number))
            }
            _ => Count::from_expr(value).map(|Count(count)| Self(count)),
        }
    }

    only_after_equals!("a whole number");
}

#[derive(Debug, Clone)]
struct JitterArg(Jitter);

impl FromMeta for JitterArg {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        one_word("jitter", value, Jitter::NAMES, Jitter::from_name).map(Self)
    }

    only_after_equals!("a kind of jitter");
}

#[derive(Debug, Clone)]
struct On(KindSet);

impl FromMeta for On {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let Meta::List(list) = item else {
            return Err(expected("kinds in brackets: `on(timeout, unavailable)`").with_span(item));
        };
        kinds::read(list.tokens.clone(), item).map(Self)
    }
}
