//! The model of a valid type: all decisions are made, and the fields are the only syntax left.

pub(crate) mod template;

use resilient_policy::{ErrorKind, Severity};
use syn::DeriveInput;

use crate::krate::Krate;
use crate::mcp_error::parse::ast::{Field, Variant};
use crate::mcp_error::plan::template::Template;

pub(crate) struct Model<'a> {
    pub(crate) node: &'a DeriveInput,
    pub(crate) krate: Krate,
    pub(crate) cases: Vec<Case<'a>>,
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
    pub(crate) retryable: Option<bool>,
    pub(crate) trips_breaker: Option<bool>,
    pub(crate) falls_back: Option<bool>,
    pub(crate) severity: Option<Severity>,
    pub(crate) protocol: Option<i32>,
    pub(crate) details: Vec<&'a Field<'a>>,
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

impl<'a> Case<'a> {
    pub(crate) fn own(&self) -> Option<&Own<'a>> {
        match &self.answer {
            Answer::Own(own) => Some(own),
            Answer::Field(_) => None,
        }
    }
}

impl KindFrom<'_> {
    /// Returns the kind, if it is known at compile time.
    pub(crate) fn known(self) -> Option<ErrorKind> {
        match self {
            Self::Word(kind) => Some(kind),
            Self::Status(_) | Self::Classify(_) => None,
        }
    }
}
