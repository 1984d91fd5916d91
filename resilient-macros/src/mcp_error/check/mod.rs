//! Checks the rules between the keys of a variant, and builds the model.

pub(crate) mod code;
pub(crate) mod origin;
pub(crate) mod privacy;

use resilient_policy::{ErrorKind, Fault, check_protocol_code};

use crate::mcp_error::check::origin::Origin;
use crate::mcp_error::parse::{Attr, Attrs, Errors, Field, Input, Key, Value, Variant};
use crate::mcp_error::plan::template::Template;
use crate::mcp_error::plan::{Answer, Case, KindFrom, Model, Own};

/// Checks a type and returns its model, whose cases are missing if there are mistakes.
pub(crate) fn check<'a>(input: &'a Input<'a>, errors: &mut Errors) -> Model<'a> {
    let codes = code::of_each(input, errors);
    // Check all variants before returning, so that all mistakes are reported.
    let cases: Vec<_> = input.variants.iter().zip(codes).map(|(variant, code)| case(variant, code, errors)).collect();
    let cases = if errors.len() == 0 { cases.into_iter().collect() } else { None };
    Model { node: input.node, krate: input.attrs.krate(), cases }
}

fn case<'a>(variant: &'a Variant<'a>, code: Option<String>, errors: &mut Errors) -> Option<Case<'a>> {
    privacy::secrets_stay_secret(variant, errors);
    let kind = match origin::of(variant, errors) {
        Origin::Own(kind) => kind,
        Origin::Transparent(field) => {
            only_transparent(variant, errors);
            return Some(Case { variant, answer: Answer::Field(field?) });
        }
    };
    let known = kind.and_then(KindFrom::known);
    retry_makes_sense(&variant.attrs, known, errors);
    if let Some(Value::Protocol(code, tokens)) = variant.attrs.value(Key::Protocol)
        && let Err(why) = check_protocol_code(*code)
    {
        errors.at(tokens, why);
    }
    let hint = Template::read(Key::Hint, variant, errors);
    let text = privacy::text(variant, known, errors);
    let retry_after = retry_after(variant, errors);
    Some(Case { variant, answer: Answer::Own(Own { kind: kind?, code: code?, text: text?, hint, retry_after }) })
}

/// Checks `retryable`: errors caused by the caller stay the same however often the call is repeated, except for a
/// conflict, which may pass. A cancelled call is not repeated either.
fn retry_makes_sense(attrs: &Attrs, kind: Option<ErrorKind>, errors: &mut Errors) {
    let (Some(retryable), Some(kind)) = (attrs.get(Key::Retryable), kind) else { return };
    if kind == ErrorKind::Cancelled {
        errors.at(&retryable.word, "a cancelled call is never retried; remove `retryable`");
    } else if let Some(Value::Flag(flag)) = &retryable.value
        && flag.value()
        && kind.fault() == Fault::Caller
        && kind != ErrorKind::Conflict
    {
        let why = format!("a caller's mistake stays one when it is repeated: `{kind}` cannot be `retryable = true`");
        errors.at(flag, why);
    }
}

/// Reports keys beside `transparent`, which would have no effect.
fn only_transparent(variant: &Variant<'_>, errors: &mut Errors) {
    let attrs = variant.attrs.iter().chain(variant.fields.iter().flat_map(|field| field.attrs.iter()));
    for Attr { key, word, .. } in attrs {
        // The keys of the kind are reported elsewhere. A new key cannot be forgotten here.
        let sources = [Key::Kind, Key::Transparent, Key::Status, Key::Classify];
        if !sources.contains(key) && ![Key::Prefix, Key::Crate, Key::Secret].contains(key) {
            let why = format!("`{word}` has no meaning beside `transparent`: the field answers everything; remove it");
            errors.at(word, why);
        }
    }
}

/// Returns the field with `retry_after`. A second one is a mistake.
fn retry_after<'a>(variant: &'a Variant<'a>, errors: &mut Errors) -> Option<&'a Field<'a>> {
    let mut fields = variant.fields.iter().filter_map(|field| Some((field, &field.attrs.get(Key::RetryAfter)?.word)));
    let (first, _) = fields.next()?;
    for (_, again) in fields {
        let name = variant.name();
        errors.at(again, format!("`{}` is already the `{again}` of `{name}`; keep one of the two", first.name));
    }
    Some(first)
}
