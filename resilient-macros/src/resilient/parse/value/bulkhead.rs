//! `bulkhead = 20`, `bulkhead(max = 20, queue = 40, wait = "1s", name = "make", key = expr)`.

use darling::FromMeta;
use proc_macro2::Span;
use resilient_policy::{BulkheadSettings, check_bulkhead};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, Meta};

use super::{At, Count, DurationArg, Key, Text, expected, quoted_count};
use crate::resilient::parse::list;
use crate::resilient::parse::origins::Places;

const KEYS: &[&str] = &["max", "queue", "wait", "name", "key", "max_keys"];

#[derive(Debug, Clone, Default, FromMeta)]
#[expect(clippy::struct_field_names, reason = "the fields are the words of the attribute")]
struct Keys {
    #[darling(default)]
    max: Option<Count>,
    #[darling(default)]
    queue: Option<Count>,
    #[darling(default)]
    wait: Option<DurationArg>,
    #[darling(default)]
    name: Option<Text>,
    #[darling(default)]
    key: Option<Key>,
    #[darling(default)]
    max_keys: Option<Count>,
}

/// The value of `bulkhead`.
#[derive(Debug, Clone)]
pub(crate) struct BulkheadArgs {
    keys: Keys,
    max: u32,
    span: Span,
}

impl FromMeta for BulkheadArgs {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match item {
            Meta::List(list) => {
                let span = list.path.span();
                let keys = list::keys(list, KEYS, |keys: Keys, errors| {
                    // What has no `max` here may have one that could not be read.
                    let max = keys.max.as_ref().map_or(1, |max| max.0.value);
                    let mut places = Places::default();
                    let (name, settings) = Self { keys, max, span }.lower(&mut places);
                    places.tell(&check_bulkhead(name.as_deref(), &settings), span, errors);
                })?;
                match keys.max.as_ref().map(|max| max.0.value) {
                    Some(max) => Ok(Self { keys, max, span: list.path.span() }),
                    None => {
                        Err(expected("how many attempts may run at a time: `bulkhead(max = 20, ..)`")
                            .with_span(&list.path))
                    }
                }
            }
            Meta::NameValue(pair) => match &pair.value {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Err(quoted_count("bulkhead", text)),
                value @ Expr::Lit(ExprLit { lit: Lit::Int(_), .. }) => {
                    let max = Count::from_expr(value)?;
                    let number = max.0.value;
                    let keys = Keys { max: Some(max), ..Keys::default() };
                    Ok(Self { keys, max: number, span: pair.path.span() })
                }
                other => Err(expected("a number: `bulkhead = 20`, or `bulkhead = none`").with_span(other)),
            },
            Meta::Path(path) => Err(expected("a number: `bulkhead = 20`").with_span(path)),
        }
    }
}

impl BulkheadArgs {
    /// The name, if it says one, and the settings.
    pub(crate) fn lower(&self, places: &mut Places) -> (Option<String>, BulkheadSettings) {
        // Without `..`, so that no key can be forgotten.
        let Keys { max, queue, wait, name, key: _, max_keys } = &self.keys;
        places.put("bulkhead", self.span);
        let mut settings = BulkheadSettings::new(self.max);
        if let Some(max) = max {
            places.put("bulkhead.max", max.0.span);
        }
        if let Some(Count(At { value, span })) = queue {
            settings.queue = *value;
            places.put("bulkhead.queue", *span);
        }
        if let Some(DurationArg(At { value, span })) = wait {
            settings.wait = Some(*value);
            places.put("bulkhead.wait", *span);
        }
        if let Some(Count(At { value, span })) = max_keys {
            settings.max_keys = *value;
            places.put("bulkhead.max_keys", *span);
        }
        let name = name.as_ref().map(|Text(At { value, span })| {
            places.put("bulkhead.name", *span);
            value.clone()
        });
        (name, settings)
    }

    /// Where a bound on keys stands without a key, here or, by the name, elsewhere.
    pub(crate) fn bound_without_key(&self) -> Option<Span> {
        let Keys { key, name, max_keys, .. } = &self.keys;
        max_keys.as_ref().filter(|_| key.is_none() && name.is_none()).map(|max_keys| max_keys.0.span)
    }

    /// The expression that gives each of its values a bulkhead of its own.
    pub(crate) fn key(&self) -> Option<&Expr> {
        self.keys.key.as_ref().map(|key| &key.0)
    }
}
