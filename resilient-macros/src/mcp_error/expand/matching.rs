//! Generates bodies of methods: one arm for each variant that differs from the default.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use crate::mcp_error::parse::ast::Field;
use crate::mcp_error::plan::{Case, Model};

/// The answer of one variant, and the fields that it needs.
pub(crate) struct Arm<'a> {
    pub(crate) fields: Vec<&'a Field<'a>>,
    pub(crate) body: TokenStream,
}

impl<'a> Arm<'a> {
    pub(crate) fn new(body: TokenStream) -> Self {
        Self { fields: Vec::new(), body }
    }

    pub(crate) fn with(fields: Vec<&'a Field<'a>>, body: TokenStream) -> Self {
        Self { fields, body }
    }
}

/// Returns a body in which every variant answers.
pub(crate) fn total<'a>(model: &Model<'a>, arm: impl Fn(&Case<'a>) -> Arm<'a>) -> TokenStream {
    let span = Span::mixed_site();
    match model.cases.as_slice() {
        // An empty enum has no value to match.
        [] => quote_spanned!(span=> match *self {}),
        cases => {
            let arms: Vec<_> = cases.iter().map(|case| (case, arm(case))).collect();
            matched(&arms, None)
        }
    }
}

/// Returns a body in which some variants answer, and `default` answers for the others. Returns `None` if no variant
/// answers: the trait's default is then the same.
pub(crate) fn partial<'a>(
    model: &Model<'a>,
    default: &TokenStream,
    arm: impl Fn(&Case<'a>) -> Option<Arm<'a>>,
) -> Option<TokenStream> {
    let arms: Vec<_> = model.cases.iter().filter_map(|case| Some((case, arm(case)?))).collect();
    let rest = (arms.len() < model.cases.len()).then_some(default);
    if arms.is_empty() { None } else { Some(matched(&arms, rest)) }
}

fn matched(arms: &[(&Case<'_>, Arm<'_>)], rest: Option<&TokenStream>) -> TokenStream {
    let span = Span::mixed_site();
    if let [(case, arm)] = arms
        && case.variant.is_struct
    {
        let body = &arm.body;
        if arm.fields.is_empty() {
            return body.clone();
        }
        let pattern = case.variant.pattern(&arm.fields);
        return quote_spanned! {span=>
            let #pattern = self;
            #body
        };
    }
    let patterns = arms.iter().map(|(case, arm)| case.variant.pattern(&arm.fields));
    let bodies = arms.iter().map(|(_, arm)| &arm.body);
    let rest = rest.map(|rest| quote_spanned!(span=> _ => #rest,));
    quote_spanned! {span=>
        match self {
            #(#patterns => #bodies,)*
            #rest
        }
    }
}
