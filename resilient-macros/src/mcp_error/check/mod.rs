//! Checks the rules between the keys of a variant, and builds the model.

pub(crate) mod code;
pub(crate) mod origin;
pub(crate) mod privacy;

use resilient_policy::{ErrorKind, Fault, check_protocol_code};

use crate::mcp_error::check::origin::Origin;
use crate::mcp_error::parse::ast::{Field, Input, Variant};
use crate::mcp_error::parse::attrs::Attrs;
use crate::mcp_error::parse::errors::Errors;
use crate::mcp_error::parse::keys::Key;
use crate::mcp_error::parse::value::Value;
use crate::mcp_error::plan::template::Template;
use crate::mcp_error::plan::{Answer, Case, KindFrom, Model, Own};

/// Checks a type and returns its model, whose cases are missing if there are mistakes.
pub(crate) fn check<'a>(input: &'a Input<'a>, errors: &mut Errors) -> Model<'a> {
    let codes = code::of_each(input, errors);
    // Check all variants before returning, so that all mistakes are reported.
    let cases: Vec<Option<Case<'a>>> =
        input.variants.iter().zip(codes).map(|(variant, code)| case(variant, code, errors)).collect();
    let cases = if errors.len() == 0 { cases.into_iter().collect() } else { None };
    Model { node: input.node, krate: input.attrs.krate(), cases }
}

fn case<'a>(variant: &'a Variant<'a>, code: Option<String>, errors: &mut Errors) -> Option<Case<'a>> {
    privacy::secrets_stay_secret(variant, errors);
    let answer = match origin::of(variant, errors) {
        Origin::Transparent(field) => {
            only_transparent(variant, errors);
            Answer::Field(field?)
        }
        Origin::Own(kind) => Answer::Own(own(variant, kind, code, errors)?),
    };
    Some(Case { variant, answer })
}

fn own<'a>(
    variant: &'a Variant<'a>,
    kind: Option<KindFrom<'a>>,
    code: Option<String>,
    errors: &mut Errors,
) -> Option<Own<'a>> {
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
    Some(Own { kind: kind?, code: code?, text: text?, hint, retry_after })
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
        errors.at(
            flag,
            format!("a caller's mistake stays one when it is repeated: `{kind}` cannot be `retryable = true`"),
        );
    }
}

/// Reports keys beside `transparent`, which would have no effect.
fn only_transparent(variant: &Variant<'_>, errors: &mut Errors) {
    let all = variant.attrs.iter().chain(variant.fields.iter().flat_map(|field| field.attrs.iter()));
    for word in all.filter(|attr| attr.key.is_about_answers()).map(|attr| &attr.word) {
        errors
            .at(word, format!("`{word}` has no meaning beside `transparent`: the field answers everything; remove it"));
    }
}

/// Returns the field with `retry_after`. A second one is a mistake.
fn retry_after<'a>(variant: &'a Variant<'a>, errors: &mut Errors) -> Option<&'a Field<'a>> {
    let mut fields = variant.fields.iter().filter_map(|field| Some((field, &field.attrs.get(Key::RetryAfter)?.word)));
    let (first, _) = fields.next()?;
    for (_, again) in fields {
        errors.at(
            again,
            format!("`{}` is already the `{again}` of `{}`; keep one of the two", first.name, variant.name()),
        );
    }
    Some(first)
}
