//! Checks privacy: the client reads public texts only, and secrets appear neither in answers nor in logs.

use resilient_policy::ErrorKind;

use crate::mcp_error::parse::{Display, Errors, Field, Key, Variant};
use crate::mcp_error::plan::Text;
use crate::mcp_error::plan::template::Template;

/// Returns the text of a variant that the client reads. `message`, `public` (the `Display` text) and `private` (the
/// kind's sentence) select it. Without one of them a known kind decides. If an upstream chooses the kind, one of them
/// is required: the author of the `Display` text did not know which readers it has.
pub(crate) fn text<'a>(variant: &'a Variant<'a>, kind: Option<ErrorKind>, errors: &mut Errors) -> Option<Text<'a>> {
    let mut choices = variant.attrs.all(&[Key::Message, Key::Public, Key::Private]);
    let choice = choices.next();
    if let (Some(first), Some(again)) = (choice, choices.next()) {
        let (first, again) = (&first.word, &again.word);
        let why = format!(
            "`{again}` beside `{first}`: the client reads either the `message`, the Display (`public`) or the kind's \
             own sentence (`private`); keep one"
        );
        errors.at(again, why);
        return None;
    }
    match choice.map(|attr| attr.key) {
        Some(Key::Message) => return Template::read(Key::Message, variant, errors).map(Text::Template),
        Some(Key::Public) => return Some(Text::Display),
        None if kind.is_some_and(ErrorKind::is_public) => {}
        _ => return Some(Text::Sentence),
    }
    source_stays_unread(variant, errors);
    Some(Text::Display)
}

/// Checks texts that include a source's text. The author of the source did not write it for a client, so a `Display`
/// text that prints a source is only public if `public` says so.
fn source_stays_unread(variant: &Variant<'_>, errors: &mut Errors) {
    // A transparent `Display` prints its field, whether or not the field is marked as a source.
    let is_printed_whole = matches!(variant.display, Display::Transparent(_));
    for source in variant.fields.iter().filter(|field| field.is_source || is_printed_whole) {
        let cures = "say `#[mcp(message = \"..\")]` for another text, `#[mcp(private)]` for the kind's own sentence, or \
                     `#[mcp(public)]` if it may";
        if let Display::Unknown(code) = &variant.display {
            let why = format!(
                "the client may read the source `{}` of this error, as its `Display` is code that can print every field; \
                 {cures}",
                source.name
            );
            errors.at(code, why);
            // Report one mistake, however many sources there are.
            return;
        }
        let why = format!("the client would read the source `{}` of this error; {cures}", source.name);
        printed(variant, source, why, errors);
    }
}

/// Checks `secret` fields: they are not part of `detail`, and the `Display` text, which is in every log, does not print
/// them.
pub(crate) fn secrets_stay_secret(variant: &Variant<'_>, errors: &mut Errors) {
    for field in variant.fields.iter().filter(|field| field.attrs.has(Key::Secret)) {
        if let Some(again) = field.attrs.all(&[Key::Secret, Key::Detail]).nth(1) {
            let why = format!("`{}` cannot be `secret` and a `detail` that the client reads; keep one", field.name);
            errors.at(&again.word, why);
        }
        let why = format!("this text prints `{}`, which is marked `secret` and must not reach a log", field.name);
        printed(variant, field, why, errors);
    }
}

/// Reports a field that thiserror's `#[error(..)]` prints, at the text that prints it.
fn printed(variant: &Variant<'_>, field: &Field<'_>, why: String, errors: &mut Errors) {
    match &variant.display {
        Display::Format(format) if format.prints(&field.name) => errors.at(&format.literal, why),
        Display::Transparent(word) => errors.at(word, why),
        Display::Format(_) | Display::Unknown(_) => {}
    }
}
