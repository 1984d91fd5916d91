//! Generates bodies of methods: one arm for each variant that differs from the default.

use proc_macro2::{Span, TokenStream};

use crate::mcp_error::expand::{call_site, hygienic};
use crate::mcp_error::parse::ast::{Field, Variant};
use crate::mcp_error::plan::{Case, Model};

/// The answer of one variant, and the fields that it needs.
pub(crate) struct Arm<'a> {
    fields: Vec<&'a Field<'a>>,
    body: TokenStream,
}

impl<'a> Arm<'a> {
    pub(crate) fn new(body: TokenStream) -> Self {
        Self { fields: Vec::new(), body }
    }

    pub(crate) fn with(fields: Vec<&'a Field<'a>>, body: TokenStream) -> Self {
        Self { fields, body }
    }
}

/// Returns a body in which `default` answers for the variants without an arm. Returns `None` if there is no arm and the
/// method is not required: the trait's default is then the same.
pub(crate) fn body<'a>(
    model: &Model<'a>,
    default: Option<&TokenStream>,
    arm: impl Fn(&Case<'a>) -> Option<Arm<'a>>,
) -> Option<TokenStream> {
    let arms: Vec<_> = model.cases().iter().filter_map(|case| Some((case.variant, arm(case)?))).collect();
    match arms.as_slice() {
        [] if default.is_some() => return None,
        [] if model.cases.is_none() => return Some(hygienic!(::core::unreachable!())),
        // An empty enum has no value to match.
        [] => return Some(hygienic!(match *self {})),
        [(variant, Arm { fields, body })] if variant.is_struct => {
            let binding = (!fields.is_empty()).then(|| {
                let pattern = pattern(variant, fields);
                hygienic!(let #pattern = self;)
            });
            return Some(hygienic!(#binding #body));
        }
        _ => {}
    }
    let patterns = arms.iter().map(|(variant, arm)| pattern(variant, &arm.fields));
    let bodies = arms.iter().map(|(_, arm)| &arm.body);
    let rest = default.filter(|_| arms.len() < model.cases().len()).map(|rest| hygienic!(_ => #rest,));
    Some(hygienic! {
        match self {
            #(#patterns => #bodies,)*
            #rest
        }
    })
}

/// Returns the pattern `Self::Variant { id: __field0, .. }`, which binds `bound`.
fn pattern(variant: &Variant<'_>, bound: &[&Field<'_>]) -> TokenStream {
    let members = bound.iter().map(|field| &field.member);
    let bindings = bound.iter().map(|field| field.binding(Span::mixed_site()));
    let name = (!variant.is_struct).then(|| {
        let ident = call_site(variant.ident);
        hygienic!(::#ident)
    });
    hygienic!(Self #name { #(#members: #bindings,)* .. })
}
