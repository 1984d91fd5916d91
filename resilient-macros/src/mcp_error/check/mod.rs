//! Checks the rules between the keys of a variant, and builds the model.

pub(crate) mod code;
pub(crate) mod origin;
pub(crate) mod privacy;

use resilient_policy::{ErrorKind, Fault};
use syn::LitBool;

use crate::mcp_error::check::origin::Origin;
use crate::mcp_error::parse::ast::{Field, Input, Variant};
use crate::mcp_error::parse::attr::{FieldAttrs, Said, Slot};
use crate::mcp_error::parse::errors::Errors;
use crate::mcp_error::parse::keys::Key;
use crate::mcp_error::plan::template::Template;
use crate::mcp_error::plan::{Answer, Case, KindFrom, Model, Own};

/// Returns the model, or `None` if there are mistakes.
pub(crate) fn check<'a>(input: &'a Input<'a>, errors: &mut Errors) -> Option<Model<'a>> {
    let codes = code::of_each(input, errors);
    // Check all variants before returning, so that all mistakes are reported.
    let cases: Vec<Option<Case<'a>>> =
        input.variants.iter().zip(codes).map(|(variant, code)| case(variant, code, errors)).collect();
    let krate = input.attrs.krate.value().cloned().unwrap_or_default();
    Some(Model { node: input.node, krate, cases: cases.into_iter().collect::<Option<_>>()? })
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
    let attrs = &variant.attrs;
    let known = kind.and_then(KindFrom::known);
    retry_makes_sense(attrs.retryable.said(), known, errors);
    if let Some(protocol) = attrs.protocol.value()
        && let Some(why) = code::protocol_problem(protocol.value)
    {
        errors.at(&protocol.tokens, why);
    }
    let hint = attrs.hint.value().and_then(|hint| Template::read(Key::Hint, hint, variant, errors));
    let text = privacy::text(variant, known, errors);
    let retry_after = at_most_one(variant, |attrs| &attrs.retry_after, errors);
    Some(Own {
        kind: kind?,
        code: code?,
        text: text?,
        hint,
        retry_after,
        retryable: attrs.retryable.value().map(LitBool::value),
        trips_breaker: attrs.trips_breaker.value().map(LitBool::value),
        falls_back: attrs.fallback.value().map(LitBool::value),
        severity: attrs.severity.value().copied(),
        protocol: attrs.protocol.value().map(|code| code.value),
        details: variant.fields.iter().filter(|field| field.attrs.detail.is_said()).collect(),
    })
}

/// Checks `retryable`: errors caused by the caller stay the same however often the call is repeated, except for a
/// conflict, which may pass. A cancelled call is not repeated either.
fn retry_makes_sense(retryable: Option<&Said<LitBool>>, kind: Option<ErrorKind>, errors: &mut Errors) {
    let (Some(said), Some(kind)) = (retryable, kind) else { return };
    if kind == ErrorKind::Cancelled {
        errors.at(&said.key, "a cancelled call is never retried; remove `retryable`");
    } else if let Some(value) = said.value.as_ref().filter(|value| value.value())
        && kind.fault() == Fault::Caller
        && kind != ErrorKind::Conflict
    {
        errors.at(
            value,
            format!("a caller's mistake stays one when it is repeated: `{kind}` cannot be `retryable = true`"),
        );
    }
}

/// Reports keys beside `transparent`, which would have no effect.
fn only_transparent(variant: &Variant<'_>, errors: &mut Errors) {
    let on_fields = variant.fields.iter().flat_map(|field| {
        // Without `..`, so that a new key cannot be forgotten.
        let FieldAttrs { status: _, classify: _, retry_after, detail, secret: _ } = &field.attrs;
        [retry_after.key(), detail.key()].into_iter().flatten()
    });
    for key in variant.attrs.own().chain(on_fields) {
        errors.at(key, format!("`{key}` has no meaning beside `transparent`: the field answers everything; remove it"));
    }
}

/// Returns the one field with this key. A second one is a mistake.
fn at_most_one<'a>(
    variant: &'a Variant<'a>,
    slot: impl Fn(&'a FieldAttrs) -> &'a Slot<()>,
    errors: &mut Errors,
) -> Option<&'a Field<'a>> {
    let mut fields = variant.fields.iter().filter_map(|field| Some((field, slot(&field.attrs).said()?)));
    let (first, _) = fields.next()?;
    for (_, again) in fields {
        errors.at(
            &again.key,
            format!("`{}` is already the `{}` of `{}`; keep one of the two", first.name, again.key, variant.name()),
        );
    }
    Some(first)
}
