//! Error codes: which texts a code may be, and which numbers JSON-RPC and MCP reserve.

use crate::case::screaming_snake;

const LONGEST: usize = 64;

/// Checks that `code` is an upper-case letter and up to 63 upper-case letters, digits and `_`.
///
/// # Errors
/// Returns a sentence that says what is wrong with the code.
pub fn check_code(code: &str) -> Result<(), String> {
    let is_upper = code.starts_with(|c: char| c.is_ascii_uppercase())
        && code.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    if !is_upper {
        let mended = screaming_snake(code).replace(['-', ' ', '.'], "_");
        let is_better = mended != code && check_code(&mended).is_ok();
        let hint = if is_better { format!("; did you mean `{mended}`?") } else { String::new() };
        return Err(format!("expected an upper-case letter, then upper-case letters, digits and `_`{hint}"));
    }
    if code.len() > LONGEST {
        return Err(format!("a code has at most {LONGEST} characters, `{code}` has {}", code.len()));
    }
    Ok(())
}

/// Checks that JSON-RPC and MCP do not reserve a JSON-RPC code, or define it for errors of any kind.
///
/// # Errors
/// Returns a sentence that names the reason and the codes that are allowed.
pub fn check_protocol_code(code: i32) -> Result<(), String> {
    match code {
        // parse error, invalid request, method not found, invalid params, internal error
        -32_700 | -32_603..=-32_600 => Ok(()),
        -32_002 => {
            Err("`-32002` (resource not found) must no longer be sent; MCP answers with `-32602`, and a code of \
                        your own lies outside -32768..=-32000"
                .into())
        }
        -32_042 => Err("`-32042` (URL elicitation required) must no longer be sent; a code of your own lies outside \
                        -32768..=-32000"
            .into()),
        -32_768..=-32_000 => Err(format!(
            "`{code}` is reserved by JSON-RPC and MCP; expected a code outside -32768..=-32000 such as `-33001`, or one \
             of the five standard ones, `-32700` and `-32603` to `-32600`"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_upper_case_and_short() {
        assert_eq!(check_code("MAKE_2"), Ok(()));
        for wrong in ["", "make", "_MAKE", "2MAKE", "MAKE-X", "MÄKE", &"X".repeat(65)] {
            assert!(check_code(wrong).is_err(), "{wrong:?}");
        }
        assert!(check_code("make-x").is_err_and(|why| why.ends_with("did you mean `MAKE_X`?")));
    }

    #[test]
    fn the_reserved_band_is_refused_except_for_the_five_standard_codes() {
        for fine in [-32_700, -32_600, -32_601, -32_602, -32_603, -33_001, -32_769, -31_999, 0, 1] {
            assert_eq!(check_protocol_code(fine), Ok(()));
        }
        for reserved in [-32_768, -32_000, -32_001, -32_002, -32_042, -32_099, -32_604, -32_701] {
            assert!(check_protocol_code(reserved).is_err_and(|why| why.contains(&format!("`{reserved}`"))));
        }
    }
}
