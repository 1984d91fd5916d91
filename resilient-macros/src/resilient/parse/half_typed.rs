//! Recognizes functions that are being typed: rustc recovers from some mistakes, reports them, and expands the
//! attribute nevertheless.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, FnArg, Generics, Pat, Token, parenthesized};

/// Returns whether a parameter of the function has no type. rustc reports it for each item that it parses.
pub(crate) fn has_parameter_without_type(item: &TokenStream) -> bool {
    let parameters = parameters.parse2(item.clone());
    parameters.and_then(|parameters| any_without_type.parse2(parameters)).unwrap_or(false)
}

fn parameters(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    while !input.peek(Token![fn]) {
        input.parse::<TokenTree>()?;
    }
    input.parse::<Token![fn]>()?;
    let _name: TokenTree = input.parse()?;
    input.parse::<Generics>()?;
    let parameters;
    parenthesized!(parameters in input);
    input.parse::<TokenStream>()?;
    parameters.parse()
}

fn any_without_type(input: ParseStream<'_>) -> syn::Result<bool> {
    while input.fork().parse::<FnArg>().is_ok() {
        input.parse::<FnArg>()?;
        input.parse::<Option<Token![,]>>()?;
    }
    if input.is_empty() {
        return Ok(false);
    }
    input.call(Attribute::parse_outer)?;
    Pat::parse_multi(input)?;
    let colon: Option<Token![:]> = input.parse()?;
    let is_without_type = colon.is_none() || input.is_empty() || input.peek(Token![,]);
    input.parse::<TokenStream>()?;
    Ok(is_without_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_parameter_without_a_type_is_left_to_rustc() {
        for (function, is_left) in [
            ("async fn f(a) -> u32 {}", true),
            ("async fn f(a:) -> u32 {}", true),
            ("async fn f(a, b: u32) -> u32 {}", true),
            ("async fn f(&self, a: u32, b) -> u32 {}", true),
            ("async fn f(&self, Parameters(a)) -> u32 {}", true),
            ("pub(crate) async fn f<F: Fn(u8) -> u8>(a) -> u32 {}", true),
            ("async fn f(&self, a: HashMap<u8, u16>, mut b: crate::B,) -> u32 {}", false),
            ("async fn f(self: Arc<Self>, a: impl Fn(u8) -> HashMap<u8, u16>) -> u32 {}", false),
            ("async fn f() -> (u8, u8) {}", false),
            ("async fn f", false),
        ] {
            let tokens = function.parse().expect(function);
            assert_eq!(has_parameter_without_type(&tokens), is_left, "{function}");
        }
    }
}
