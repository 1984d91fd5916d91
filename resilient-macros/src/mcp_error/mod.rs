//! `#[derive(McpError)]`: attributes → rules → model → impls, or every mistake and a stand-in.

mod ast;
mod attr;
mod bounds;
mod catalog;
mod check;
mod code;
mod display;
mod dummy;
mod errors;
mod expand;
mod keys;
mod list;
mod matching;
mod model;
mod names;
mod origin;
mod pieces;
mod privacy;
mod rmcp;
mod template;
#[cfg(test)]
mod tests;
mod value;

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use self::ast::Input;
use self::errors::Errors;

/// The derive.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let node: DeriveInput = match syn::parse2(input) {
        Ok(node) => node,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::default();
    let Some(input) = Input::from_syn(&node, &mut errors) else {
        return errors.to_compile_errors();
    };
    match check::check(&input, &mut errors) {
        Some(model) if errors.is_empty() => expand::expand(&model),
        _ => {
            let krate = input.attrs.krate.value().cloned().unwrap_or_default();
            let (errors, dummy) = (errors.to_compile_errors(), dummy::expand(&node, &krate));
            quote!(#dummy #errors)
        }
    }
}
