//! Finds the source of each variant's kind. Exactly one has to be given.

use proc_macro2::Ident;
use resilient_policy::ErrorKind;

use crate::mcp_error::parse::{Errors, Field, Key, Value, Variant};
use crate::mcp_error::plan::KindFrom;

/// The source of a variant's kind. `None` means that it was wrong and has been reported.
pub(crate) enum Origin<'a> {
    /// The field of a transparent variant, which answers all questions.
    Transparent(Option<&'a Field<'a>>),
    /// The variant, with a kind from this source.
    Own(Option<KindFrom<'a>>),
}

/// Returns the source of a variant's kind.
pub(crate) fn of<'a>(variant: &'a Variant<'a>, errors: &mut Errors) -> Origin<'a> {
    let name = variant.name();
    let mut sources = sources(variant);
    let Some((first, origin)) = sources.next() else {
        // An unknown key may be a misspelling of the missing one.
        if !variant.is_doubtful {
            errors.at(variant.ident, nowhere(variant));
        }
        return Origin::Own(None);
    };
    for (again, _) in sources {
        let why = format!("`{first}` already says the kind of `{name}`; `{again}` would say it again, keep one");
        errors.at(again, why);
    }
    if let Origin::Transparent(None) = origin {
        let found = variant.fields.len();
        let why = format!("`transparent` needs exactly one field, which answers everything; `{name}` has {found}");
        errors.at(first, why);
    }
    origin
}

/// Returns all keys that give the kind, in the order of the text.
fn sources<'a>(variant: &'a Variant<'a>) -> impl Iterator<Item = (&'a Ident, Origin<'a>)> {
    let own = variant.attrs.all(&[Key::Kind, Key::Transparent]).map(|attr| {
        let origin = match (attr.key, &attr.value, variant.fields.as_slice()) {
            (Key::Kind, Some(Value::Kind(kind)), _) => Origin::Own(Some(KindFrom::Word(*kind))),
            (Key::Kind, ..) => Origin::Own(None),
            (_, _, [only]) => Origin::Transparent(Some(only)),
            _ => Origin::Transparent(None),
        };
        (&attr.word, origin)
    });
    let of_fields = variant.fields.iter().flat_map(|field| {
        field.attrs.all(&[Key::Status, Key::Classify]).map(move |attr| {
            let kind = if attr.key == Key::Status { KindFrom::Status(field) } else { KindFrom::Classify(field) };
            (&attr.word, Origin::Own(Some(kind)))
        })
    });
    own.chain(of_fields)
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
