//! `rate_limit = "100/1s"`, `rate_limit(rate = "100/1s", burst = 20, key = caller, name = "make")`.

use darling::{Error, FromMeta};
use proc_macro2::Span;
use quote::ToTokens;
use resilient_policy::{RateLimitSettings, check_rate_limit, parse_rate};
use syn::spanned::Spanned;
use syn::{BinOp, Expr, Lit, Meta};

use super::{At, Count, KeyOrCaller, Text, expected, is_word};
use crate::literal::{self, Wanted};
use crate::resilient::parse::list;
use crate::resilient::parse::origins::Places;

const KEYS: &[&str] = &["rate", "burst", "key", "max_keys", "name"];

#[derive(Debug, Clone, Default, FromMeta)]
#[expect(clippy::struct_field_names, reason = "the fields are the words of the attribute")]
struct Keys {
    #[darling(default)]
    rate: Option<Rate>,
    #[darling(default)]
    burst: Option<Count>,
    #[darling(default)]
    key: Option<KeyOrCaller>,
    #[darling(default)]
    name: Option<Text>,
    #[darling(default)]
    max_keys: Option<Count>,
}

/// The value of `rate_limit`.
#[derive(Debug, Clone)]
pub(crate) struct RateLimitArgs {
    keys: Keys,
    rate: RateLimitSettings,
    span: Span,
}

impl FromMeta for RateLimitArgs {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match item {
            Meta::List(list) => {
                let span = list.path.span();
                let keys = list::keys(list, KEYS, |keys: Keys, errors| {
                    // What has no `rate` here may have one that could not be read.
                    let any = RateLimitSettings::new(u32::MAX, std::time::Duration::from_secs(1));
                    let rate = keys.rate.as_ref().map_or(any, |rate| rate.0.value);
                    let mut places = Places::default();
                    let (name, settings) = Self { keys, rate, span }.lower(&mut places);
                    places.tell(&check_rate_limit(name.as_deref(), &settings), span, errors);
                })?;
                match keys.rate.as_ref().map(|rate| rate.0.value) {
                    Some(rate) => Ok(Self { keys, rate, span: list.path.span() }),
                    None => Err(expected("how many calls may begin in a time: `rate_limit(rate = \"100/1s\", ..)`")
                        .with_span(&list.path)),
                }
            }
            Meta::NameValue(pair) => {
                let rate = Rate::from_expr(&pair.value)?;
                let value = rate.0.value;
                let keys = Keys { rate: Some(rate), ..Keys::default() };
                Ok(Self { keys, rate: value, span: pair.path.span() })
            }
            Meta::Path(path) => Err(expected("a rate: `rate_limit = \"100/1s\"`").with_span(path)),
        }
    }
}

impl RateLimitArgs {
    /// Where the key stands.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// The name, if it says one, and the settings.
    pub(crate) fn lower(&self, places: &mut Places) -> (Option<String>, RateLimitSettings) {
        // Without `..`, so that no key can be forgotten.
        let Keys { rate, burst, key: _, name, max_keys } = &self.keys;
        places.put("rate_limit", self.span);
        let mut settings = self.rate;
        if let Some(rate) = rate {
            places.put("rate_limit.rate", rate.0.span);
        }
        if let Some(Count(At { value, span })) = burst {
            settings.burst = Some(*value);
            places.put("rate_limit.burst", *span);
        }
        if let Some(Count(At { value, span })) = max_keys {
            settings.max_keys = *value;
            places.put("rate_limit.max_keys", *span);
        }
        let name = name.as_ref().map(|Text(At { value, span })| {
            places.put("rate_limit.name", *span);
            value.clone()
        });
        (name, settings)
    }

    /// Where a bound on keys stands without a key, here or, by the name, elsewhere.
    pub(crate) fn bound_without_key(&self) -> Option<Span> {
        let Keys { key, name, max_keys, .. } = &self.keys;
        max_keys.as_ref().filter(|_| key.is_none() && name.is_none()).map(|max_keys| max_keys.0.span)
    }

    /// Whether each caller has a limit of its own.
    pub(crate) fn by_caller(&self) -> bool {
        self.keys.key.as_ref().is_some_and(|key| is_word(&key.0, "caller"))
    }

    /// The expression that gives each of its values a limit of its own.
    pub(crate) fn key(&self) -> Option<&Expr> {
        self.keys.key.as_ref().map(|key| &key.0).filter(|_| !self.by_caller())
    }
}

/// `"100/1s"`.
#[derive(Debug, Clone)]
struct Rate(At<RateLimitSettings>);

impl FromMeta for Rate {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        match literal::read(value, Wanted::Text)? {
            Some(Lit::Str(text)) => parse_rate(&text.value())
                .map(|value| Self(At { value, span: text.span() }))
                .map_err(|why| Error::custom(why).with_span(text)),
            Some(Lit::Int(number)) => {
                let calls = number.base10_parse::<u32>().ok().filter(|calls| *calls > 0);
                let advice = calls.map(|calls| format!("; write `\"{calls}/1s\"`")).unwrap_or_default();
                Err(expected(&format!("calls and a duration in quotes{advice}")).with_span(number))
            }
            _ => Err(expected(&match unquoted_rate(value) {
                Some(rate) => format!("quotes around the rate: `\"{rate}\"`"),
                None => "calls and a duration such as `\"100/1s\"`".into(),
            })
            .with_span(value)),
        }
    }

    only_after_equals!("calls and a duration such as `\"100/1s\"`");
}

/// The rate that `100/1s` means, which the parser takes for a division.
fn unquoted_rate(value: &Expr) -> Option<String> {
    let Expr::Binary(division) = value else { return None };
    let is_division = matches!(division.op, BinOp::Div(_));
    let (calls, period) = (division.left.to_token_stream(), division.right.to_token_stream());
    Some(format!("{calls}/{period}")).filter(|rate| is_division && parse_rate(rate).is_ok())
}
