//! Generates the conversions to rmcp's types, if the runtime is built with rmcp.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::DeriveInput;

use crate::krate::Krate;
use crate::mcp_error::expand::bounds::Bounds;
use crate::mcp_error::expand::call_site;

/// A concrete impl for each type: an impl for all `ToolError` types would violate the orphan rules.
pub(crate) fn expand(node: &DeriveInput, krate: &Krate) -> TokenStream {
    let span = Span::mixed_site();
    let ident = call_site(&node.ident);
    let (impl_generics, ty_generics, _) = node.generics.split_for_impl();
    let mut bounds = Bounds::new(&node.generics);
    bounds.whole(&quote_spanned!(span=> #ident #ty_generics), &quote_spanned!(span=> #krate::ToolError));
    let clause = bounds.where_clause();
    let private = quote_spanned!(span=> #krate::__private);
    quote_spanned! {span=>
        #private::with_rmcp! {
            #[automatically_derived]
            impl #impl_generics #private::rmcp::handler::server::tool::IntoCallToolResult
                for #ident #ty_generics #clause
            {
                fn into_call_tool_result(
                    self,
                ) -> ::core::result::Result<#private::rmcp::model::CallToolResponse, #private::rmcp::ErrorData> {
                    #private::tool_error(&self)
                }
            }

            #[automatically_derived]
            impl #impl_generics ::core::convert::From<#ident #ty_generics> for #private::rmcp::ErrorData #clause {
                fn from(error: #ident #ty_generics) -> Self {
                    #private::error_data(&error)
                }
            }
        }
    }
}
