//! Error codes: how they are derived from names, which are allowed, and which JSON-RPC and MCP reserve.

use quote::ToTokens;

use crate::mcp_error::parse::ast::Input;
use crate::mcp_error::parse::errors::Errors;
use resilient_policy::screaming_snake;

/// The maximum length of a code.
const LONGEST: usize = 64;

/// Checks a code. Returns the message if it is not allowed.
pub(crate) fn code_problem(code: &str) -> Option<String> {
    let upper = code.starts_with(|c: char| c.is_ascii_uppercase())
        && code.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    if !upper {
        let mended = screaming_snake(code).replace(['-', ' ', '.'], "_");
        let hint = if mended != code && code_problem(&mended).is_none() {
            format!("; did you mean `{mended}`?")
        } else {
            String::new()
        };
        Some(format!("expected an upper-case letter, then upper-case letters, digits and `_`{hint}"))
    } else if code.len() > LONGEST {
        Some(format!("a code has at most {LONGEST} characters, `{code}` has {}", code.len()))
    } else {
        None
    }
}

/// Checks a custom JSON-RPC code. Returns the message if it is not allowed.
pub(crate) fn protocol_problem(code: i32) -> Option<String> {
    match code {
        // parse error, invalid request, method not found, invalid params, internal error
        -32_700 | -32_603..=-32_600 => None,
        -32_002 => Some(
            "`-32002` (resource not found) must no longer be sent; MCP answers with `-32602`, and a code of your own \
             lies outside -32768..=-32000"
                .into(),
        ),
        -32_042 => Some(
            "`-32042` (URL elicitation required) must no longer be sent; a code of your own lies outside \
             -32768..=-32000"
                .into(),
        ),
        -32_768..=-32_000 => Some(format!(
            "`{code}` is reserved by JSON-RPC and MCP; expected a code outside -32768..=-32000 such as `-33001`, or one \
             of the five standard ones, `-32700` and `-32603` to `-32600`"
        )),
        _ => None,
    }
}

/// Returns the code of each variant: the value of `code`, else the prefix and the name. `None` if the variant has no
/// code, or an invalid one.
pub(crate) fn of_each(input: &Input<'_>, errors: &mut Errors) -> Vec<Option<String>> {
    let prefix = prefix(input, errors);
    let mut seen: Vec<(String, String)> = Vec::new();
    let mut codes = Vec::with_capacity(input.variants.len());
    for variant in &input.variants {
        let (code, place) = match (variant.attrs.transparent.said(), variant.attrs.code.said(), &prefix) {
            (None, Some(said), _) => {
                let Some(literal) = &said.value else {
                    codes.push(None);
                    continue;
                };
                let code = literal.value();
                if let Some(why) = code_problem(&code) {
                    errors.at(literal, why);
                }
                (code, literal.to_token_stream())
            }
            (None, None, Ok(prefix)) => {
                let code = format!("{prefix}{}", screaming_snake(&variant.name()));
                if code_problem(&code).is_some() {
                    let why = format!(
                        "`{}` makes the code `{code}`, which is not allowed; say `code = \"..\"`",
                        variant.name()
                    );
                    errors.at(variant.ident, why);
                }
                (code, variant.ident.to_token_stream())
            }
            (Some(_), ..) | (None, None, Err(())) => {
                codes.push(None);
                continue;
            }
        };
        if let Some((_, first)) = seen.iter().find(|(seen, _)| *seen == code) {
            errors.at(
                place,
                format!("`{code}` is the code of `{first}` and of `{}`; each needs its own", variant.name()),
            );
        } else {
            seen.push((code.clone(), variant.name()));
        }
        codes.push(Some(code));
    }
    codes
}

/// Returns the prefix with `_`, or an empty text. Reports an invalid prefix.
fn prefix(input: &Input<'_>, errors: &mut Errors) -> Result<String, ()> {
    let Some(said) = input.attrs.prefix.said() else { return Ok(String::new()) };
    let literal = said.value.as_ref().ok_or(())?;
    let prefix = literal.value();
    let problem = code_problem(&prefix).or_else(|| {
        let bare = prefix.trim_end_matches('_');
        (bare != prefix).then(|| format!("`{}` is joined with `_`; write `\"{bare}\"`", said.key))
    });
    match problem {
        None => Ok(format!("{prefix}_")),
        Some(why) => {
            errors.at(literal, why);
            Err(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_upper_case_and_short() {
        assert_eq!(code_problem("MAKE_2"), None);
        for wrong in ["", "make", "_MAKE", "2MAKE", "MAKE-X", "MÄKE", &"X".repeat(65)] {
            assert!(code_problem(wrong).is_some(), "{wrong:?}");
        }
        assert!(code_problem("make-x").is_some_and(|why| why.ends_with("did you mean `MAKE_X`?")));
    }

    #[test]
    fn the_reserved_band_is_refused_but_for_the_five_standard_codes() {
        for fine in [-32_700, -32_600, -32_601, -32_602, -32_603, -33_001, -32_769, -31_999, 0, 1] {
            assert_eq!(protocol_problem(fine), None);
        }
        for reserved in [-32_768, -32_000, -32_001, -32_002, -32_042, -32_099, -32_604, -32_701] {
            assert!(protocol_problem(reserved).is_some_and(|why| why.contains(&format!("`{reserved}`"))));
        }
    }
}
