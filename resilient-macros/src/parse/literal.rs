//! Reads literals as located values.

use resilient_policy::{Number, Value};
use syn::{Lit, LitStr};

/// Returns the literal as a value. Rust's lexer reads `60s` as the number 60 with a suffix.
pub(crate) fn literal<L>(lit: &Lit) -> Value<L> {
    if lit.suffix().is_empty() {
        return match lit {
            Lit::Str(text) => Value::Text(text.value()),
            Lit::Int(number) => Value::Integer(number.base10_parse().unwrap_or(i128::MAX)),
            Lit::Float(number) => number.base10_parse().map_or(Value::Other, Value::Float),
            Lit::Bool(value) => Value::Bool(value.value),
            _ => Value::Other,
        };
    }
    let number = match lit {
        Lit::Int(number) => Number::Whole(number.base10_digits().into()),
        Lit::Float(number) => Number::Fraction(number.base10_digits().into()),
        Lit::Str(text) => Number::Text(LitStr::new(&text.value(), text.span()).token().to_string()),
        _ => Number::Other,
    };
    Value::Suffixed(number, lit.suffix().into())
}

#[cfg(test)]
mod tests {
    use resilient_policy::{Form, Node, Setting, Syntax, read_text};

    use super::*;

    /// Returns the message about a literal. `None` means any text.
    fn said(literal: &str, wanted: Option<Form>) -> String {
        let value: Value<()> = self::literal(&syn::parse_str(literal).expect(literal));
        match wanted {
            None => read_text(&value).err().unwrap_or_default(),
            Some(form) => match form.read("", &Node::new((), value), Syntax::Attribute) {
                Ok(Setting::Count(_) | Setting::Duration(_) | Setting::Window(_) | Setting::Number(_)) => String::new(),
                Ok(_) => "another type".into(),
                Err(mistakes) => mistakes.into_iter().map(|mistake| mistake.message).collect(),
            },
        }
    }

    #[test]
    fn a_unit_outside_quotes_is_never_read_as_a_smaller_one_or_as_a_count() {
        for (literal, wanted, advice) in [
            ("1m", Some(Form::DURATION), "`\"1m\"`"),
            ("1.5m", Some(Form::DURATION), "`\"1.5m\"`"),
            ("5min", Some(Form::DURATION), "`\"5m\"`"),
            ("1h30m", Some(Form::DURATION), "`\"90m\"`"),
            ("60s", Some(Form::Window), "`\"60s\"`"),
            ("60u32", Some(Form::Window), "`60`"),
            ("3s", Some(Form::COUNT), "`3`"),
            ("1_000x", Some(Form::COUNT), "`1000`"),
            ("2x", Some(Form::Number), "`2`"),
            ("2.5x", Some(Form::Number), "`2.5`"),
            ("\"30s\"x", Some(Form::DURATION), "`\"30s\"`"),
            ("\"a \\\" b\"x", None, "`\"a \\\" b\"`"),
        ] {
            let said = said(literal, wanted);
            assert!(said.ends_with(&format!("; write {advice}")), "{literal}: {said}");
        }
        for (literal, wanted) in [
            ("5x", Some(Form::DURATION)),
            ("0s", Some(Form::DURATION)),
            ("1.5s", Some(Form::COUNT)),
            ("99999999999x", Some(Form::COUNT)),
            ("3s", None),
            ("\"3\"x", Some(Form::COUNT)),
            ("'c'x", None),
        ] {
            let said = said(literal, wanted);
            assert!(!said.is_empty() && !said.contains("; write `"), "{literal}: {said}");
        }
        for (literal, wanted) in [("3", Form::COUNT), ("2.5", Form::Number), ("\"30s\"", Form::DURATION)] {
            assert_eq!(said(literal, Some(wanted)), "", "{literal}");
        }
    }
}
