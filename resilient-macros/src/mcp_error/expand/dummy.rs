//! Generates impls for a type with mistakes, so that rustc does not report each use of the type as well.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::DeriveInput;

use super::{catalog, rmcp};
use crate::krate::Krate;
use crate::mcp_error::expand::bounds::Bounds;
use crate::mcp_error::expand::call_site;

pub(crate) fn expand(node: &DeriveInput, krate: &Krate) -> TokenStream {
    let span = Span::mixed_site();
    let ident = call_site(&node.ident);
    let (impl_generics, ty_generics, where_clause) = node.generics.split_for_impl();
    let mut bounds = Bounds::new(&node.generics);
    bounds.whole(&quote_spanned!(span=> Self), &quote_spanned!(span=> ::core::error::Error));
    let clause = bounds.where_clause();
    let inherent = catalog::inherent(node, krate, std::iter::empty(), std::iter::empty());
    let rmcp = rmcp::expand(node, krate);
    quote_spanned! {span=>
        #[automatically_derived]
        impl #impl_generics #krate::Classify for #ident #ty_generics #where_clause {
            fn kind(&self) -> #krate::ErrorKind {
                ::core::unreachable!()
            }
        }

        #[automatically_derived]
        impl #impl_generics #krate::ToolError for #ident #ty_generics #clause {
            fn code(&self) -> ::std::borrow::Cow<'static, ::core::primitive::str> {
                ::core::unreachable!()
            }
            fn public_message(&self) -> ::std::borrow::Cow<'_, ::core::primitive::str> {
                ::core::unreachable!()
            }
        }

        #inherent
        #rmcp
    }
}
