//! Finds the source of each variant's kind. Exactly one has to be given.

use proc_macro2::Ident;
use resilient_policy::ErrorKind;

use crate::mcp_error::parse::ast::{Field, Variant};
use crate::mcp_error::parse::errors::Errors;
use crate::mcp_error::plan::KindFrom;

/// The source of a variant's kind. `None` means that it was wrong and has been reported.
pub(crate) enum Origin<'a> {
    /// The field of a transparent variant, which answers all questions.
    Transparent(Option<&'a Field<'a>>),
    /// The variant, with a kind from this source.
    Own(Option<KindFrom<'a>>),
}

/// A key that gives the kind.
struct Source<'a> {
    key: &'a Ident,
    says: Origin<'a>,
}

/// Returns the source of a variant's kind.
pub(crate) fn of<'a>(variant: &'a Variant<'a>, errors: &mut Errors) -> Origin<'a> {
    let mut sources = sources(variant).into_iter();
    let Some(first) = sources.next() else {
        // An unknown key may be a misspelling of the missing one.
        if !variant.is_doubtful {
            errors.at(variant.ident, nowhere(variant));
        }
        return Origin::Own(None);
    };
    for again in sources {
        let name = variant.name();
        errors.at(
            again.key,
            format!("`{}` already says the kind of `{name}`; `{}` would say it again, keep one", first.key, again.key),
        );
    }
    if let Origin::Transparent(None) = first.says {
        let found = variant.fields.len();
        errors.at(
            first.key,
            format!(
                "`transparent` needs exactly one field, which answers everything; `{}` has {found}",
                variant.name()
            ),
        );
    }
    first.says
}

/// Returns all keys that give the kind, in the order of the text.
fn sources<'a>(variant: &'a Variant<'a>) -> Vec<Source<'a>> {
    let mut sources = Vec::new();
    let attrs = &variant.attrs;
    if let Some(said) = attrs.kind.said() {
        let says = Origin::Own(said.value.map(KindFrom::Word));
        sources.push((said.placed().0, Source { key: &said.key, says }));
    }
    if let Some(said) = attrs.transparent.said() {
        let only = match variant.fields.as_slice() {
            [only] => Some(only),
            _ => None,
        };
        sources.push((said.placed().0, Source { key: &said.key, says: Origin::Transparent(only) }));
    }
    sources.sort_by_key(|(order, _)| *order);
    let mut sources: Vec<Source<'a>> = sources.into_iter().map(|(_, source)| source).collect();
    for field in &variant.fields {
        let status = field.attrs.status.said().map(|said| (said.placed(), KindFrom::Status(field)));
        let classify = field.attrs.classify.said().map(|said| (said.placed(), KindFrom::Classify(field)));
        let mut own: Vec<_> = [status, classify].into_iter().flatten().collect();
        own.sort_by_key(|((order, _), _)| *order);
        sources.extend(own.into_iter().map(|((_, key), kind)| Source { key, says: Origin::Own(Some(kind)) }));
    }
    sources
}

fn nowhere(variant: &Variant<'_>) -> String {
    let kinds: Vec<String> = ErrorKind::NAMES.iter().map(|name| format!("`{name}`")).collect();
    format!(
        "`{}` does not say which kind of error it is; expected one of\n  \
         `#[mcp(kind = ..)]` above it\n  \
         `#[mcp(status)]` on a field that holds an HTTP status\n  \
         `#[mcp(classify)]` on a field whose type implements `Classify`\n  \
         `#[mcp(transparent)]` above it, where its only field is a `ToolError`\n\
         the kinds are {}",
        variant.name(),
        kinds.join(", ")
    )
}
