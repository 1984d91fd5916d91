//! What the derive has understood once nothing is wrong: every question answered, no syntax left
//! but the fields.

use resilient_policy::{ErrorKind, Severity};
use syn::DeriveInput;

use super::ast::{Field, Variant};
use super::template::Template;
use crate::krate::Krate;

pub(super) struct Model<'a> {
    pub(super) node: &'a DeriveInput,
    pub(super) krate: Krate,
    pub(super) cases: Vec<Case<'a>>,
}

/// A variant, or the struct.
pub(super) struct Case<'a> {
    pub(super) variant: &'a Variant<'a>,
    pub(super) answer: Answer<'a>,
}

pub(super) enum Answer<'a> {
    /// The field answers everything.
    Field(&'a Field<'a>),
    Own(Own<'a>),
}

pub(super) struct Own<'a> {
    pub(super) kind: KindFrom<'a>,
    pub(super) code: String,
    pub(super) text: Text<'a>,
    pub(super) hint: Option<Template<'a>>,
    pub(super) retry_after: Option<&'a Field<'a>>,
    pub(super) retryable: Option<bool>,
    pub(super) trips_breaker: Option<bool>,
    pub(super) falls_back: Option<bool>,
    pub(super) severity: Option<Severity>,
    pub(super) protocol: Option<i32>,
    pub(super) details: Vec<&'a Field<'a>>,
}

#[derive(Clone, Copy)]
pub(super) enum KindFrom<'a> {
    Word(ErrorKind),
    Status(&'a Field<'a>),
    Classify(&'a Field<'a>),
}

/// What the client reads.
pub(super) enum Text<'a> {
    /// `message = ".."`
    Template(Template<'a>),
    /// The error's own `Display`.
    Display,
    /// The kind's public sentence.
    Sentence,
}

impl<'a> Case<'a> {
    pub(super) fn own(&self) -> Option<&Own<'a>> {
        match &self.answer {
            Answer::Own(own) => Some(own),
            Answer::Field(_) => None,
        }
    }
}

impl KindFrom<'_> {
    /// The kind, where it is known before an error happens.
    pub(super) fn known(self) -> Option<ErrorKind> {
        match self {
            Self::Word(kind) => Some(kind),
            Self::Status(_) | Self::Classify(_) => None,
        }
    }
}
