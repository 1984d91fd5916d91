//! The path of the runtime: `crate = ::path`, or the name in `Cargo.toml`.

use darling::{Error, FromMeta};
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
        let manifest = Manifest::current();
        let name = Ident::new(manifest.runtime().unwrap_or("resilient_runtime"), Span::call_site());
        Self(quote!(::#name))
    }
}

impl Krate {
    /// Accepts only a path that means the same in each module: `::path` or `crate::path`.
    pub(crate) fn from_path(path: &Path) -> darling::Result<Self> {
        // A message about the whole path points at its first segment alone, so it only suggests a replacement for this
        // segment.
        let wrong = |message: String| Err(Error::custom(message).with_span(path));
        match path.segments.first().map(|first| &first.ident) {
            Some(first) if path.leading_colon.is_some() => check_dependency(first)?,
            Some(first) if first == "crate" => {}
            Some(first) if first == "self" || first == "super" || first == "Self" => {
                let shown = path.to_token_stream().to_string().replace(' ', "");
                return wrong(format!(
                    "`{shown}` means something else in another module; expected a path from `crate::` or `::` on"
                ));
            }
            Some(first) => return wrong(format!("expected an absolute path; write `::{first}`")),
            None => return wrong("expected an absolute path".into()),
        }
        Ok(Self(path.to_token_stream()))
    }
}

/// Checks that `Cargo.toml` names the crate. Otherwise rustc reports the missing crate at each generated token.
fn check_dependency(name: &Ident) -> darling::Result<()> {
    let (manifest, known) = (Manifest::current(), name.unraw().to_string());
    if !manifest.lacks(&known) {
        return Ok(());
    }
    let expected = match manifest.runtime() {
        Some(runtime) => format!("write `{runtime}`"),
        None => "expected the crate that has the runtime".into(),
    };
    Err(Error::custom(format!("`{known}` is no dependency in `Cargo.toml`; {expected}")).with_span(name))
}

impl FromMeta for Krate {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let wrong = |message: &str, at: &dyn ToTokens| Err(Error::custom(message).with_span(&at));
        match item {
            Meta::NameValue(pair) => match &pair.value {
                Expr::Path(path) => Self::from_path(&path.path),
                Expr::Lit(text) => wrong("expected a path; write `::resilient_runtime`", text),
                other => wrong("expected a path such as `::resilient_runtime`", other),
            },
            Meta::List(_) => wrong("expected a path after `=`: `crate = ::resilient_runtime`", item),
            Meta::Path(_) => wrong("expected a path; write `crate = ::resilient_runtime`", item),
        }
    }
}

impl ToTokens for Krate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}
