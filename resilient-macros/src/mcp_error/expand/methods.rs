//! Generates the impl of a trait from a table of its methods: one arm for each variant that differs from the default.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::Ident;

use crate::mcp_error::expand::bounds::Bounds;
use crate::mcp_error::expand::code::{ask, call_site, hygienic};
use crate::mcp_error::parse::{Field, Variant};
use crate::mcp_error::plan::{Answer, Model, Own};

/// A method of a trait: its name, its type, the trait's default unless the method is required, and what a variant
/// answers itself.
pub(crate) type Method<'f, 'a> = (&'static str, TokenStream, Option<TokenStream>, &'f Answers<'f, 'a>);
type Answers<'f, 'a> = dyn Fn(&'a Variant<'a>, &Own<'a>) -> Option<Arm<'a>> + 'f;

/// The answer of one variant: the fields that it needs, and its code.
pub(crate) type Arm<'a> = (Vec<&'a Field<'a>>, TokenStream);

/// Returns an answer that needs no field.
pub(crate) fn plain<'a>(code: impl ToTokens) -> Arm<'a> {
    (Vec::new(), code.to_token_stream())
}

/// Returns the impl of a trait. A method is left out if no variant and no field answers it: the trait's default is
/// then the same.
pub(crate) fn implementation<'a>(
    model: &Model<'a>,
    of: &str,
    bounds: &Bounds<'_>,
    methods: &[Method<'_, 'a>],
    more: Option<&TokenStream>,
) -> TokenStream {
    let (krate, of) = (&model.krate, Ident::new(of, Span::mixed_site()));
    let methods = methods.iter().filter_map(|(name, returns, default, own)| {
        let name = Ident::new(name, Span::mixed_site());
        let arms = model.cases().iter().filter_map(|case| {
            let arm = match &case.answer {
                Answer::Own(answer) => own(case.variant, answer)?,
                Answer::Field(field) => {
                    let asked = ask(krate, "transparent", field);
                    (vec![*field], hygienic!(#krate::#of::#name(#asked)))
                }
            };
            Some((case.variant, arm))
        });
        let body = body(model, default.as_ref(), &arms.collect::<Vec<_>>())?;
        Some(hygienic! {
            fn #name(&self) -> #returns {
                #body
            }
        })
    });
    let (impl_generics, ty_generics, _) = model.node.generics.split_for_impl();
    let (ident, clause) = (call_site(&model.node.ident), bounds.where_clause());
    hygienic! {
        #[automatically_derived]
        impl #impl_generics #krate::#of for #ident #ty_generics #clause {
            #(#methods)*
            #more
        }
    }
}

/// Returns a body in which `default` answers for the variants without an arm. Returns `None` if there is no arm and the
/// method is not required: the trait's default is then the same.
fn body(model: &Model<'_>, default: Option<&TokenStream>, arms: &[(&Variant<'_>, Arm<'_>)]) -> Option<TokenStream> {
    match arms {
        [] if default.is_some() => return None,
        [] if model.cases.is_none() => return Some(hygienic!(::core::unreachable!())),
        // An empty enum has no value to match.
        [] => return Some(hygienic!(match *self {})),
        [(variant, (fields, body))] if variant.is_struct => {
            let binding = (!fields.is_empty()).then(|| {
                let pattern = pattern(variant, fields);
                hygienic!(let #pattern = self;)
            });
            return Some(hygienic!(#binding #body));
        }
        _ => {}
    }
    let patterns = arms.iter().map(|(variant, (fields, _))| pattern(variant, fields));
    let bodies = arms.iter().map(|(_, (_, body))| body);
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
