//! `cache(max_age = "1h", max = 1024, scope = caller, key = expr)`.

use darling::FromMeta;
use proc_macro2::Span;
use resilient_policy::{CacheSettings, Policy, Scope, check_values};
use syn::spanned::Spanned;
use syn::{Expr, Meta};

use super::{At, Count, DurationArg, Key, expected, one_word};
use crate::resilient::parse::list;
use crate::resilient::parse::origins::Places;

const KEYS: &[&str] = &["max_age", "max", "scope", "key"];

#[derive(Debug, Clone, Default, FromMeta)]
struct Keys {
    #[darling(default)]
    max_age: Option<DurationArg>,
    #[darling(default)]
    max: Option<Count>,
    #[darling(default)]
    scope: Option<ScopeArg>,
    #[darling(default)]
    key: Option<Key>,
}

/// The value of `cache`.
#[derive(Debug, Clone)]
pub(crate) struct CacheArgs {
    keys: Keys,
    span: Span,
}

impl FromMeta for CacheArgs {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let Meta::List(list) = item else {
            return Err(expected("settings in brackets: `cache(max_age = \"1h\", max = 1024)`").with_span(item));
        };
        let span = list.path.span();
        let keys = list::keys(list, KEYS, |keys, errors| {
            let mut places = Places::default();
            let policy = Policy::new().cache(Self { keys, span }.lower(&mut places));
            places.tell(&check_values(&policy), span, errors);
        })?;
        Ok(Self { keys, span })
    }
}

impl CacheArgs {
    /// Where the key stands.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Whose answers these are, if it says so.
    pub(crate) fn scope(&self) -> Option<Scope> {
        self.keys.scope.as_ref().map(|scope| scope.0)
    }

    pub(crate) fn lower(&self, places: &mut Places) -> CacheSettings {
        let Keys { max_age, max, scope, key: _ } = &self.keys;
        let mut settings = CacheSettings::new();
        if let Some(DurationArg(At { value, span })) = max_age {
            settings.max_age = *value;
            places.put("cache.max_age", *span);
        }
        if let Some(Count(At { value, span })) = max {
            settings.max = *value;
            places.put("cache.max", *span);
        }
        if let Some(ScopeArg(scope)) = scope {
            settings.scope = *scope;
        }
        settings
    }

    /// The expression that tells one call's answer from another's.
    pub(crate) fn key(&self) -> Option<&Expr> {
        self.keys.key.as_ref().map(|key| &key.0)
    }
}

#[derive(Debug, Clone)]
struct ScopeArg(Scope);

impl FromMeta for ScopeArg {
    fn from_expr(value: &Expr) -> darling::Result<Self> {
        one_word("scope", value, Scope::NAMES, Scope::from_name).map(Self)
    }

    only_after_equals!("`caller` or `shared`");
}
