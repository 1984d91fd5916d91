//! `"30s"`.

use std::time::Duration;

use darling::FromMeta;
use resilient_policy::parse_duration;
use syn::{Expr, Lit, Meta};

use super::{At, expected};
use crate::literal::{self, Wanted};

/// A duration as people write it.
#[derive(Debug, Clone)]
pub(crate) struct DurationArg(pub(crate) At<Duration>);

impl FromMeta for DurationArg {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let Meta::NameValue(pair) = item else {
            let key = item.path().get_ident().map_or_else(|| "timeout".into(), ToString::to_string);
            return Err(expected(&format!("a duration: `{key} = \"30s\"`")).with_span(item));
        };
        Self::from_expr(&pair.value)
    }

    fn from_expr(value: &Expr) -> darling::Result<Self> {
        match literal::read(value, Wanted::Duration)? {
            Some(Lit::Str(text)) => parse_duration(&text.value())
                .map(|value| Self(At { value, span: text.span() }))
                .map_err(|why| darling::Error::custom(why).with_span(text)),
            Some(Lit::Int(number)) => {
                let seconds = number.base10_parse::<u32>().ok().filter(|seconds| (1..=86_400).contains(seconds));
                let advice = seconds.map(|seconds| format!("; write `\"{seconds}s\"`")).unwrap_or_default();
                Err(expected(&format!("a duration with its unit in quotes{advice}")).with_span(number))
            }
            _ => Err(expected("a duration such as `\"30s\"`").with_span(value)),
        }
    }
}
