//! Generates the conversions to rmcp's types, if the runtime is built with rmcp.

use proc_macro2::TokenStream;

use crate::mcp_error::expand::bounds::Bounds;
use crate::mcp_error::expand::code::{call_site, hygienic};
use crate::mcp_error::plan::Model;

/// A concrete impl for each type: an impl for all `ToolError` types would violate the orphan rules.
pub(crate) fn expand(model: &Model<'_>) -> TokenStream {
    let (krate, ident) = (&model.krate, call_site(&model.node.ident));
    let (impl_generics, ty_generics, _) = model.node.generics.split_for_impl();
    let mut bounds = Bounds::new(&model.node.generics);
    bounds.whole(&hygienic!(#ident #ty_generics), &hygienic!(#krate::ToolError));
    let clause = bounds.where_clause();
    let private = hygienic!(#krate::__private);
    hygienic! {
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
