//! Generates `CODES` and `catalog()`, the list of possible errors.

use proc_macro2::TokenStream;
use quote::ToTokens;
use resilient_policy::ErrorKind;

use crate::krate::Krate;
use crate::mcp_error::expand::code::{call_site, hygienic, kind_path};
use crate::mcp_error::parse::{Display, Key, Variant};
use crate::mcp_error::plan::{Model, Own, Text};

/// The inherent impl. It is as visible as the type, and may be unused.
pub(crate) fn expand(model: &Model<'_>) -> TokenStream {
    let (krate, node) = (&model.krate, model.node);
    let (ident, vis) = (call_site(&node.ident), &node.vis);
    let (impl_generics, ty_generics, where_clause) = node.generics.split_for_impl();
    let codes = model.own().map(|(_, own)| &own.code);
    let entries = model.own().map(|(variant, own)| entry(krate, variant, own));
    hygienic! {
        #[automatically_derived]
        impl #impl_generics #ident #ty_generics #where_clause {
            /// The codes of these errors, in the order of the variants. A transparent variant
            /// answers with the code of what it holds, which is not among them.
            #[allow(dead_code)]
            #vis const CODES: &'static [&'static ::core::primitive::str] = &[#(#codes),*];

            /// What can go wrong, one entry for each of [`CODES`](Self::CODES).
            #[allow(dead_code)]
            #[must_use]
            #vis const fn catalog() -> &'static [#krate::error::CatalogEntry] {
                const ENTRIES: &[#krate::error::CatalogEntry] = &[#(#entries),*];
                ENTRIES
            }
        }
    }
}

fn entry(krate: &Krate, variant: &Variant<'_>, own: &Own<'_>) -> TokenStream {
    let (code, kind) = (&own.code, own.kind.known());
    let retryable = variant.attrs.flag(Key::Retryable).or_else(|| kind.map(ErrorKind::is_retryable));
    let hint = match &own.hint {
        Some(hint) => Some(hint.shown()),
        None => kind.map(|kind| kind.default_hint().to_owned()),
    };
    let message = match (&own.text, &variant.display) {
        (Text::Template(template), _) => Some(template.shown()),
        (Text::Display, Display::Format(format)) => format.template().map(syn::LitStr::value),
        (Text::Display, _) => None,
        (Text::Sentence, _) => kind.map(|kind| kind.public_sentence().to_owned()),
    };
    let kind = option(kind.map(|kind| kind_path(krate, kind)));
    let (retryable, hint, message) = (option(retryable), option(hint), option(message));
    hygienic!(#krate::__private::catalog_entry(#code, #kind, #retryable, #hint, #message))
}

fn option(value: Option<impl ToTokens>) -> TokenStream {
    let none = || hygienic!(::core::option::Option::None);
    value.map_or_else(none, |value| hygienic!(::core::option::Option::Some(#value)))
}
