//! The model of a valid type. What the checks did not decide is read from the attributes of its variants.

pub(crate) mod template;

use resilient_policy::ErrorKind;
use syn::DeriveInput;

use crate::krate::Krate;
use crate::mcp_error::parse::{Field, Variant};
use crate::mcp_error::plan::template::Template;

pub(crate) struct Model<'a> {
    pub(crate) node: &'a DeriveInput,
    pub(crate) krate: Krate,
    /// `None` for a type with mistakes.
    pub(crate) cases: Option<Vec<Case<'a>>>,
}

/// A variant, or the struct.
pub(crate) struct Case<'a> {
    pub(crate) variant: &'a Variant<'a>,
    pub(crate) answer: Answer<'a>,
}

pub(crate) enum Answer<'a> {
    /// The field provides all answers.
    Field(&'a Field<'a>),
    Own(Own<'a>),
}

pub(crate) struct Own<'a> {
    pub(crate) kind: KindFrom<'a>,
    pub(crate) code: String,
    pub(crate) text: Text<'a>,
    pub(crate) hint: Option<Template<'a>>,
    pub(crate) retry_after: Option<&'a Field<'a>>,
}

#[derive(Clone, Copy)]
pub(crate) enum KindFrom<'a> {
    Word(ErrorKind),
    Status(&'a Field<'a>),
    Classify(&'a Field<'a>),
}

/// The text for the client.
pub(crate) enum Text<'a> {
    /// `message = ".."`
    Template(Template<'a>),
    /// The error's own `Display`.
    Display,
    /// The public sentence of the kind.
    Sentence,
}

impl<'a> Model<'a> {
    pub(crate) fn cases(&self) -> &[Case<'a>] {
        self.cases.as_deref().unwrap_or_default()
    }

    /// Returns the variants that answer themselves.
    pub(crate) fn own(&self) -> impl Iterator<Item = (&'a Variant<'a>, &Own<'a>)> {
        self.cases()
            .iter()
            .filter_map(|case| if let Answer::Own(own) = &case.answer { Some((case.variant, own)) } else { None })
    }
}

impl KindFrom<'_> {
    /// Returns the kind, if it is known at compile time.
    pub(crate) fn known(self) -> Option<ErrorKind> {
        if let Self::Word(kind) = self { Some(kind) } else { None }
    }
}
