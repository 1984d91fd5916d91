//! The texts of `message` and `hint`, in which `{field}` is replaced by a field's value.

use std::fmt::Write as _;

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use resilient_policy::one_of;
use syn::{Ident, LitStr};

use crate::mcp_error::parse::{Errors, Field, Key, Piece, Variant, error, pieces};

/// A text whose fields exist and may be shown to the client.
pub(crate) struct Template<'a> {
    literal: &'a LitStr,
    /// The format string, with fields renamed to their bindings. The plain text if there are no fields.
    text: String,
    /// The fields in the text, and the trait with which each is formatted.
    pub(crate) uses: Vec<(&'a Field<'a>, &'static str)>,
}

impl<'a> Template<'a> {
    /// Reads the text of `key` (`message` or `hint`), if it is written, or reports its mistakes.
    pub(crate) fn read(key: Key, variant: &'a Variant<'a>, errors: &mut Errors) -> Option<Self> {
        let literal = variant.attrs.text(key)?;
        let before = errors.len();
        let pieces = errors.handle(pieces(&literal.value()).or_else(|why| error(literal, why)))?;
        let is_formatted = pieces.iter().any(|piece| matches!(piece, Piece::Placeholder { .. }));
        let (mut text, mut uses) = (String::new(), Vec::new());
        for piece in pieces {
            match piece {
                Piece::Text(plain) if is_formatted => text.push_str(&plain.replace('{', "{{").replace('}', "}}")),
                Piece::Text(plain) => text.push_str(&plain),
                Piece::Placeholder { name, spec } => match field(&name, &spec, key, variant) {
                    Ok(field) => {
                        let colon = if spec.is_empty() { "" } else { ":" };
                        // Writing to a `String` cannot fail.
                        let _ = write!(text, "{{{}{colon}{spec}}}", field.binding(Span::call_site()));
                        uses.push((field, formatting_trait(&spec)));
                    }
                    Err(why) => errors.at(literal, why),
                },
            }
        }
        (errors.len() == before).then_some(Self { literal, text, uses })
    }

    /// Returns the text for a catalog, with its placeholders.
    pub(crate) fn shown(&self) -> String {
        if self.uses.is_empty() { self.text.clone() } else { self.literal.value() }
    }

    /// Returns the fields to bind, each once.
    pub(crate) fn fields(&self) -> Vec<&'a Field<'a>> {
        let mut fields: Vec<&Field<'_>> = self.uses.iter().map(|(field, _)| *field).collect();
        fields.sort_by_key(|field| field.index);
        fields.dedup_by_key(|field| field.index);
        fields
    }

    /// Returns an expression of type `Cow<str>`. rustc reports missing traits at the text.
    pub(crate) fn expand(&self) -> TokenStream {
        let span = Span::mixed_site();
        let at_text = self.literal.span().resolved_at(span);
        let text = LitStr::new(&self.text, at_text);
        if self.uses.is_empty() {
            return quote_spanned!(span=> ::std::borrow::Cow::Borrowed(#text));
        }
        let names: Vec<Ident> = self.fields().iter().map(|field| field.binding(at_text)).collect();
        quote_spanned!(span=> ::std::borrow::Cow::Owned(::std::format!(#text, #(#names = #names),*)))
    }
}

/// Returns the field of `{name:spec}`.
fn field<'a>(name: &str, spec: &str, key: Key, variant: &'a Variant<'a>) -> Result<&'a Field<'a>, String> {
    let (key, owner) = (key.name(), variant.name());
    let names: Vec<&str> = variant.fields.iter().map(|field| field.name.as_str()).collect();
    if name.is_empty() {
        let example = names.first().copied().unwrap_or("field");
        return Err(format!("`{{}}` in `{key}` names no field; a field is named, as in `{{{example}}}`"));
    }
    let Some(field) = variant.fields.iter().find(|field| field.name == name) else {
        return Err(if names.is_empty() {
            format!("`{key}` names `{name}`, but `{owner}` has no fields")
        } else {
            format!("`{key}` names `{name}`, which is no field of `{owner}`{}", one_of(name, &names))
        });
    };
    if field.attrs.has(Key::Secret) {
        return Err(format!("`{key}` goes to the client and names `{name}`, which is marked `secret`"));
    }
    if spec.contains('$') {
        return Err(format!(
            "a width from another field is not possible in `{key}`; expected a number, as in `{{{name}:5}}`"
        ));
    }
    Ok(field)
}

/// Returns the trait of a format spec, from its last character.
fn formatting_trait(spec: &str) -> &'static str {
    match spec.chars().next_back() {
        Some('?') => "Debug",
        Some('o') => "Octal",
        Some('x') => "LowerHex",
        Some('X') => "UpperHex",
        Some('p') => "Pointer",
        Some('b') => "Binary",
        Some('e') => "LowerExp",
        Some('E') => "UpperExp",
        _ => "Display",
    }
}
