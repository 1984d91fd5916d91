//! Generates names: the user's type and the runtime's kinds.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use resilient_policy::ErrorKind;

use crate::krate::Krate;

/// `::krate::ErrorKind::NotFound`
pub(crate) fn kind_path(krate: &Krate, kind: ErrorKind) -> TokenStream {
    let span = Span::mixed_site();
    let name = Ident::new(kind.variant_name(), span);
    quote_spanned!(span=> #krate::ErrorKind::#name)
}

/// Returns the name of the user's type with the hygiene of the call site.
pub(crate) fn call_site(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(ident.span().resolved_at(Span::call_site()));
    ident
}
