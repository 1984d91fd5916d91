//! Pieces of generated code. Locals are hygienic and paths are absolute.

use proc_macro2::{Span, TokenStream};
use resilient_policy::ErrorKind;
use syn::Ident;

use crate::krate::Krate;
use crate::mcp_error::parse::Field;

/// Like `quote!`, for code whose names neither see nor hide those of the user.
macro_rules! hygienic {
    ($($tokens:tt)*) => {
        ::quote::quote_spanned!(::proc_macro2::Span::mixed_site()=> $($tokens)*)
    };
}
pub(crate) use hygienic;

/// Calls `helper::<FieldType>()(field)`, so that rustc reports a missing impl at the type.
pub(crate) fn ask(krate: &Krate, helper: &str, field: &Field<'_>) -> TokenStream {
    let span = Span::mixed_site();
    let (helper, ty, binding) = (Ident::new(helper, span), field.ty, field.binding(span));
    hygienic!(#krate::__private::#helper::<#ty>()(#binding))
}

/// `::krate::ErrorKind::NotFound`
pub(crate) fn kind_path(krate: &Krate, kind: ErrorKind) -> TokenStream {
    let name = Ident::new(kind.variant_name(), Span::mixed_site());
    hygienic!(#krate::ErrorKind::#name)
}

/// Returns the name of the user's type or variant with the hygiene of the call site.
pub(crate) fn call_site(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(ident.span().resolved_at(Span::call_site()));
    ident
}
