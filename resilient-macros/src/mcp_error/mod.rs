//! `#[derive(McpError)]`: parse → check → plan → expand; on any mistake, impls without answers and all mistakes.

mod check;
mod expand;
mod parse;
mod plan;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use self::parse::{Errors, Input};

/// Expands the derive.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let node: DeriveInput = match syn::parse2(input) {
        Ok(node) => node,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::default();
    let Some(input) = Input::from_syn(&node, &mut errors) else {
        return errors.to_compile_errors();
    };
    let model = check::check(&input, &mut errors);
    let (impls, errors) = (expand::expand(&model), errors.to_compile_errors());
    quote!(#impls #errors)
}
