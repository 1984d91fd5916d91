//! `crate = ::path`: where the generated code finds the runtime.

use darling::FromMeta;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Expr, Meta, Path};

/// The path to `resilient-runtime` as generated code names it.
#[derive(Debug, Clone)]
pub(crate) struct Krate(TokenStream);

impl Default for Krate {
    fn default() -> Self {
        Self(quote!(::resilient_runtime))
    }
}

impl Krate {
    /// Takes only a path that means the same everywhere: `::path` or `crate::path`.
    pub(crate) fn from_path(path: &Path) -> darling::Result<Self> {
        let absolute =
            path.leading_colon.is_some() || path.segments.first().is_some_and(|first| first.ident == "crate");
        if absolute {
            Ok(Self(path.to_token_stream()))
        } else {
            let shown = path.to_token_stream().to_string().replace(' ', "");
            Err(darling::Error::custom(format!("expected an absolute path; write `crate = ::{shown}`")).with_span(path))
        }
    }
}

impl FromMeta for Krate {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match item {
            Meta::NameValue(pair) => match &pair.value {
                Expr::Path(path) => Self::from_path(&path.path),
                other => {
                    Err(darling::Error::custom("expected a path; write `crate = ::resilient_runtime`").with_span(other))
                }
            },
            other => {
                Err(darling::Error::custom("expected a path; write `crate = ::resilient_runtime`").with_span(other))
            }
        }
    }
}

impl ToTokens for Krate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}
