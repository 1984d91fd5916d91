//! Generates `CODES` and `catalog()`, the list of possible errors.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};

use crate::krate::Krate;
use crate::mcp_error::expand::{call_site, kind_path};
use crate::mcp_error::parse::display::Display;
use crate::mcp_error::plan::{Case, Model, Own, Text};

pub(crate) fn expand(model: &Model<'_>) -> TokenStream {
    let codes = model.cases.iter().filter_map(Case::own).map(|own| own.code.as_str());
    let entries = model.cases.iter().filter_map(|case| Some(entry(&model.krate, case, case.own()?)));
    inherent(model.node, &model.krate, codes, entries)
}

/// The inherent impl. It is as visible as the type, and may be unused.
pub(crate) fn inherent<'c>(
    node: &syn::DeriveInput,
    krate: &Krate,
    codes: impl Iterator<Item = &'c str>,
    entries: impl Iterator<Item = TokenStream>,
) -> TokenStream {
    let (ident, vis) = (call_site(&node.ident), &node.vis);
    let (impl_generics, ty_generics, where_clause) = node.generics.split_for_impl();
    quote_spanned! {Span::mixed_site()=>
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

fn entry(krate: &Krate, case: &Case<'_>, own: &Own<'_>) -> TokenStream {
    let span = Span::mixed_site();
    let (code, kind) = (&own.code, own.kind.known());
    let retryable = option(own.retryable.or_else(|| kind.map(resilient_policy::ErrorKind::is_retryable)));
    let hint = match &own.hint {
        Some(hint) => Some(hint.shown()),
        None => kind.map(|kind| kind.default_hint().to_owned()),
    };
    let message = match (&own.text, &case.variant.display) {
        (Text::Template(template), _) => Some(template.shown()),
        (Text::Display, Display::Format(format)) => format.template().map(syn::LitStr::value),
        (Text::Display, _) => None,
        (Text::Sentence, _) => kind.map(|kind| kind.public_sentence().to_owned()),
    };
    let (kind, hint, message) = (option(kind.map(|kind| kind_path(krate, kind))), option(hint), option(message));
    quote_spanned!(span=> #krate::__private::catalog_entry(#code, #kind, #retryable, #hint, #message))
}

fn option(value: Option<impl ToTokens>) -> TokenStream {
    let span = Span::mixed_site();
    if let Some(value) = value {
        quote_spanned!(span=> ::core::option::Option::Some(#value))
    } else {
        quote_spanned!(span=> ::core::option::Option::None)
    }
}
