//! The path of the runtime: `crate = ::path`, or the name in `Cargo.toml`.

use darling::FromMeta;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Expr, Meta, Path};

use crate::manifest::Manifest;

/// The path to `resilient-runtime` in generated code.
#[derive(Debug, Clone)]
pub(crate) struct Krate(TokenStream);

impl Default for Krate {
    /// Returns the runtime's path under the name that the crate's `Cargo.toml` gives it.
    fn default() -> Self {
        match Manifest::current().other_name_of_the_runtime() {
            Some(name) => {
                let name = Ident::new(name, Span::call_site());
                Self(quote!(::#name))
            }
            None => Self(quote!(::resilient_runtime)),
        }
    }
}

impl Krate {
    /// Accepts only a path that means the same in each module: `::path` or `crate::path`.
    pub(crate) fn from_path(path: &Path) -> darling::Result<Self> {
        let absolute =
            path.leading_colon.is_some() || path.segments.first().is_some_and(|first| first.ident == "crate");
        if absolute {
            Self::check_dependency(path)?;
            Ok(Self(path.to_token_stream()))
        } else {
            Err(darling::Error::custom(Self::relative(path)).with_span(path))
        }
    }
}

impl Krate {
    /// Checks that `Cargo.toml` names the crate. Otherwise rustc reports the missing crate at each generated token.
    fn check_dependency(path: &Path) -> darling::Result<()> {
        let manifest = Manifest::current();
        let Some(first) = path.segments.first().filter(|_| path.leading_colon.is_some()) else { return Ok(()) };
        let name = first.ident.unraw().to_string();
        if !manifest.lacks(&name) {
            return Ok(());
        }
        let message = match manifest.runtime() {
            Some(runtime) => format!("`{name}` is no dependency in `Cargo.toml`; write `{runtime}`"),
            None => format!("`{name}` is no dependency in `Cargo.toml`; expected the crate that has the runtime"),
        };
        Err(darling::Error::custom(message).with_span(&first.ident))
    }

    /// Returns the message about a path whose meaning depends on the module.
    fn relative(path: &Path) -> String {
        // The message points at the first segment alone, so it only suggests a replacement for this segment.
        match path.segments.first() {
            Some(first) if first.ident == "self" || first.ident == "super" || first.ident == "Self" => {
                let shown = path.to_token_stream().to_string().replace(' ', "");
                format!("`{shown}` means something else in another module; expected a path from `crate::` or `::` on")
            }
            Some(first) => format!("expected an absolute path; write `::{}`", first.ident),
            None => "expected an absolute path".into(),
        }
    }
}

impl FromMeta for Krate {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match item {
            Meta::NameValue(pair) => match &pair.value {
                Expr::Path(path) => Self::from_path(&path.path),
                Expr::Lit(text) => {
                    Err(darling::Error::custom("expected a path; write `::resilient_runtime`").with_span(text))
                }
                other => Err(darling::Error::custom("expected a path such as `::resilient_runtime`").with_span(other)),
            },
            Meta::List(_) => {
                Err(darling::Error::custom("expected a path after `=`: `crate = ::resilient_runtime`").with_span(item))
            }
            other @ Meta::Path(_) => {
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
