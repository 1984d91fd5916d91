//! Derives and checks the codes of the variants.

use proc_macro2::TokenStream;
use quote::ToTokens;
use resilient_policy::{check_code, screaming_snake};

use crate::mcp_error::parse::{Errors, Input, Key, Variant, error};

/// Returns the code of each variant. `None` if the variant has no code, or an invalid one.
pub(crate) fn of_each(input: &Input<'_>, errors: &mut Errors) -> Vec<Option<String>> {
    let prefix = prefix(input, errors);
    let mut seen: Vec<(String, String)> = Vec::new();
    let mut code_of = |variant: &Variant<'_>| {
        let (code, tokens) = code(variant, prefix.as_deref(), errors)?;
        let name = variant.name();
        match seen.iter().find(|(seen, _)| *seen == code) {
            Some((_, first)) => {
                errors.at(tokens, format!("`{code}` is the code of `{first}` and of `{name}`; each needs its own"));
            }
            None => seen.push((code.clone(), name)),
        }
        Some(code)
    };
    input.variants.iter().map(&mut code_of).collect()
}

/// Returns the value of `code`, else the prefix and the name, with the tokens for a message about it.
fn code(variant: &Variant<'_>, prefix: Option<&str>, errors: &mut Errors) -> Option<(String, TokenStream)> {
    if variant.attrs.has(Key::Transparent) {
        return None;
    }
    if variant.attrs.has(Key::Code) {
        let literal = variant.attrs.text(Key::Code)?;
        if let Err(why) = check_code(&literal.value()) {
            errors.at(literal, why);
        }
        return Some((literal.value(), literal.to_token_stream()));
    }
    let name = variant.name();
    let code = format!("{}{}", prefix?, screaming_snake(&name));
    if check_code(&code).is_err() {
        let why = format!("`{name}` makes the code `{code}`, which is not allowed; say `code = \"..\"`");
        errors.at(variant.ident, why);
    }
    Some((code, variant.ident.to_token_stream()))
}

/// Returns the prefix with `_`, or an empty text without one. `None` if it is invalid, which is reported.
fn prefix(input: &Input<'_>, errors: &mut Errors) -> Option<String> {
    if !input.attrs.has(Key::Prefix) {
        return Some(String::new());
    }
    let literal = input.attrs.text(Key::Prefix)?;
    let prefix = literal.value();
    let bare = prefix.trim_end_matches('_');
    let joined = match check_code(&prefix) {
        Ok(()) if bare != prefix => error(literal, format!("`prefix` is joined with `_`; write `\"{bare}\"`")),
        checked => checked.map(|()| format!("{prefix}_")).or_else(|why| error(literal, why)),
    };
    errors.handle(joined)
}
