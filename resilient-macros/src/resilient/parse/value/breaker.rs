//! `breaker = "make"`, `breaker = MAKE`, `breaker(name = "make", failures = 5, open = "60s")`.

use darling::{Error, FromMeta};
use proc_macro2::Span;
use resilient_policy::{BreakerKeys, BreakerSettings, Window, check_breaker, check_name};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, Meta, Path};

use super::{At, Count, DurationArg, Fraction, Key, Text, expected};
use crate::literal::{self, Wanted};
use crate::resilient::parse::list;
use crate::resilient::parse::origins::Places;

const KEYS: &[&str] = &[
    "name",
    "failures",
    "rate",
    "window",
    "min_calls",
    "slow",
    "slow_rate",
    "open",
    "probes",
    "successes",
    "key",
    "max_keys",
];

#[derive(Debug, Clone, Default, FromMeta)]
#[expect(clippy::struct_field_names, reason = "the fields are the words of the attribute")]
struct Keys {
    #[darling(default)]
    name: Option<Text>,
    #[darling(default)]
    failures: Option<Count>,
    #[darling(default)]
    rate: Option<Fraction>,
    #[darling(default)]
    window: Option<WindowArg>,
    #[darling(default)]
    min_calls: Option<Count>,
    #[darling(default)]
    slow: Option<DurationArg>,
    #[darling(default)]
    slow_rate: Option<Fraction>,
    #[darling(default)]
    open: Option<DurationArg>,
    #[darling(default)]
    probes: Option<Count>,
    #[darling(default)]
    successes: Option<Count>,
    #[darling(default)]
    key: Option<Key>,
    #[darling(default)]
    max_keys: Option<Count>,
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
                let key_span = list.path.span();
                let keys = list::keys(list, KEYS, |keys: Keys, errors| {
                    let (mut places, set) = (Places::default(), Set { keys, key_span });
                    let (name, settings) = set.lower(&mut places);
                    let problems = check_breaker(name.as_deref().unwrap_or("named"), Some(&settings));
                    places.tell(&problems, key_span, errors);
                })?;
                Ok(Self::Set(Box::new(Set { keys, key_span })))
            }
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

/// A name without its quotes: the names of statics are in capitals, so a word in lower case is meant as a text.
fn unquoted_name(path: &Path) -> Option<String> {
    let word = path.get_ident()?.to_string();
    let is_name = check_name(&word).is_ok() && !word.contains(|c: char| c.is_ascii_uppercase());
    (is_name && !matches!(word.as_str(), "self" | "super" | "crate")).then_some(word)
}

impl Set {
    /// Which keys were written: some make no sense beside, or without, others.
    pub(crate) fn written(&self) -> BreakerKeys {
        BreakerKeys {
            failures: self.keys.failures.is_some(),
            rate: self.keys.rate.is_some(),
            window: self.keys.window.is_some(),
            min_calls: self.keys.min_calls.is_some(),
            slow: self.keys.slow.is_some(),
            slow_rate: self.keys.slow_rate.is_some(),
        }
    }

    /// The name, if it says one, and the settings.
    pub(crate) fn lower(&self, places: &mut Places) -> (Option<String>, BreakerSettings) {
        let Keys {
            name,
            failures,
            rate,
            window,
            min_calls,
            slow,
            slow_rate,
            open,
            probes,
            successes,
            key: _,
            max_keys,
        } = &self.keys;
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
            ("breaker.max_keys", max_keys, &mut settings.max_keys),
        ] {
            if let Some(Count(At { value, span })) = given {
                *setting = *value;
                places.put(path, *span);
            }
        }
        if let Some(Fraction(At { value, span })) = rate {
            settings.rate = Some(*value);
            places.put("breaker.rate", *span);
        }
        if let Some(WindowArg(At { value, span })) = window {
            settings.window = *value;
            places.put("breaker.window", *span);
        }
        if let Some(Count(At { value, span })) = min_calls {
            settings.min_calls = Some(*value);
            places.put("breaker.min_calls", *span);
        }
        if let Some(DurationArg(At { value, span })) = slow {
            settings.slow = Some(*value);
            places.put("breaker.slow", *span);
        }
        if let Some(Fraction(At { value, span })) = slow_rate {
            settings.slow_rate = *value;
            places.put("breaker.slow_rate", *span);
        }
        if let Some(DurationArg(At { value, span })) = open {
            settings.open = *value;
            places.put("breaker.open", *span);
        }
        (name, settings)
    }

    /// Whether it only names a breaker, and perhaps what has one of its own: the settings are those
    /// that another place gives it.
    pub(crate) fn is_bare(&self) -> bool {
        let Keys {
            name,
            failures,
            rate,
            window,
            min_calls,
            slow,
            slow_rate,
            open,
            probes,
            successes,
            key: _,
            max_keys,
        } = &self.keys;
        let counts = [failures, min_calls, probes, successes, max_keys].iter().all(|count| count.is_none());
        let shares = [rate, slow_rate].iter().all(|share| share.is_none());
        name.is_some() && counts && shares && window.is_none() && slow.is_none() && open.is_none()
    }

    /// The name, which is the tool's where none is said, where it stands, and the settings.
    pub(crate) fn named(&self, tool: &str) -> (String, Span, BreakerSettings) {
        let (name, settings) = self.lower(&mut Places::default());
        let span = self.keys.name.as_ref().map_or(self.key_span, |name| name.0.span);
        (name.unwrap_or_else(|| tool.to_owned()), span, settings)
    }

    /// Where a bound on keys stands without a key, here or, by the name, elsewhere.
    pub(crate) fn bound_without_key(&self) -> Option<Span> {
        let Keys { key, name, max_keys, .. } = &self.keys;
        max_keys.as_ref().filter(|_| key.is_none() && name.is_none()).map(|max_keys| max_keys.0.span)
    }

    /// The expression that gives each of its values a breaker of its own.
    pub(crate) fn key(&self) -> Option<&Expr> {
        self.keys.key.as_ref().map(|key| &key.0)
    }
}

/// `100` results, or those of the last `"60s"`.
#[derive(Debug, Clone)]
struct WindowArg(At<Window>);

impl FromMeta for WindowArg {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        match literal::read(value, Wanted::CountOrDuration)? {
            Some(Lit::Int(_)) => {
                let Count(At { value, span }) = Count::from_expr(value)?;
                Ok(Self(At { value: Window::Count(value), span }))
            }
            Some(Lit::Str(text)) if text.value().trim().parse::<u32>().is_ok() => {
                let number = text.value().trim().trim_start_matches('0').to_owned();
                let message = if number.is_empty() {
                    "a number of results stands without quotes, a time has a unit: expected `100` or `\"60s\"`".into()
                } else {
                    format!(
                        "a number of results stands without quotes, a time has a unit; write `{number}` or `\"{number}s\"`"
                    )
                };
                Err(Error::custom(message).with_span(text))
            }
            Some(Lit::Str(_)) => {
                let DurationArg(At { value, span }) = DurationArg::from_expr(value)?;
                Ok(Self(At { value: Window::Time(value), span }))
            }
            _ => Err(expected("a number of results, `window = 100`, or a time, `window = \"60s\"`").with_span(value)),
        }
    }

    only_after_equals!("a number of results or a time");
}
