//! Generates `where` clauses: the bounds on type parameters that the fields need.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{GenericArgument, Generics, Ident, PathArguments, Type};

use crate::mcp_error::expand::code::hygienic;
use crate::mcp_error::plan::{Answer, KindFrom, Model, Text};

/// The predicates of the type, and those that one impl adds.
pub(crate) struct Bounds<'a> {
    generics: &'a Generics,
    params: Vec<&'a Ident>,
    added: Vec<TokenStream>,
}

impl<'a> Bounds<'a> {
    pub(crate) fn new(generics: &'a Generics) -> Self {
        let params = generics.type_params().map(|param| &param.ident).collect();
        Self { generics, params, added: Vec::new() }
    }

    /// Adds `ty: bound`, if the type has type parameters. Without parameters, the bound either holds or is an error by
    /// itself.
    pub(crate) fn whole(&mut self, ty: &impl ToTokens, bound: &TokenStream) {
        let predicate = quote!(#ty: #bound);
        let is_there = self.added.iter().any(|added| added.to_string() == predicate.to_string());
        if !self.params.is_empty() && !is_there {
            self.added.push(predicate);
        }
    }

    /// Adds `T: bound` for each type parameter `T`, or projection of one, in a field's type.
    pub(crate) fn field(&mut self, ty: &Type, bound: &TokenStream) {
        let is_param = |ident: &Ident| self.params.contains(&ident);
        match ty {
            Type::Path(path) if path.qself.is_some() => self.whole(path, bound),
            Type::Path(path) if path.path.segments.first().is_some_and(|first| is_param(&first.ident)) => {
                self.whole(path, bound);
            }
            Type::Path(path) => {
                for segment in &path.path.segments {
                    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { continue };
                    for argument in &arguments.args {
                        if let GenericArgument::Type(inner) = argument {
                            self.field(inner, bound);
                        }
                    }
                }
            }
            Type::Array(array) => self.field(&array.elem, bound),
            Type::Group(group) => self.field(&group.elem, bound),
            Type::Paren(paren) => self.field(&paren.elem, bound),
            Type::Reference(reference) => self.field(&reference.elem, bound),
            Type::Slice(slice) => self.field(&slice.elem, bound),
            Type::Tuple(tuple) => tuple.elems.iter().for_each(|elem| self.field(elem, bound)),
            _ => {}
        }
    }

    /// Returns the bounds of `Classify`: those of the fields that provide kind and delay.
    pub(crate) fn of_classify(model: &Model<'a>) -> Self {
        let krate = &model.krate;
        let mut bounds = Self::new(&model.node.generics);
        for case in model.cases() {
            let own = match &case.answer {
                Answer::Own(own) => own,
                Answer::Field(field) => {
                    bounds.field(field.ty, &hygienic!(#krate::ToolError));
                    continue;
                }
            };
            match own.kind {
                KindFrom::Word(_) => {}
                KindFrom::Status(field) => bounds.field(field.ty, &hygienic!(#krate::classify::HttpStatus)),
                KindFrom::Classify(field) => bounds.field(field.ty, &hygienic!(#krate::Classify)),
            }
            if let Some(field) = own.retry_after {
                bounds.field(field.ty, &hygienic!(#krate::__private::RetryAfter));
            }
        }
        bounds
    }

    /// Returns the bounds of `ToolError`: those of `Classify`, and those of the fields in texts for the client.
    pub(crate) fn of_tool_error(model: &Model<'a>) -> Self {
        let krate = &model.krate;
        let mut bounds = Self::of_classify(model);
        bounds.whole(&hygienic!(Self), &hygienic!(::core::error::Error));
        for (variant, own) in model.own() {
            for field in variant.details() {
                bounds.field(field.ty, &hygienic!(#krate::__private::serde::Serialize));
            }
            let message = if let Text::Template(template) = &own.text { Some(template) } else { None };
            for (field, formatting) in message.into_iter().chain(&own.hint).flat_map(|template| &template.uses) {
                let formatting = Ident::new(formatting, Span::mixed_site());
                bounds.field(field.ty, &hygienic!(::core::fmt::#formatting));
            }
        }
        bounds
    }

    pub(crate) fn where_clause(&self) -> TokenStream {
        let written = self.generics.where_clause.iter().flat_map(|clause| &clause.predicates);
        let predicates: Vec<_> = written.map(ToTokens::to_token_stream).chain(self.added.iter().cloned()).collect();
        if predicates.is_empty() { TokenStream::new() } else { quote!(where #(#predicates),*) }
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn only_what_hangs_on_a_type_parameter_gets_a_bound() {
        let generics: Generics = parse_quote!(<'a, T, U: Iterator>);
        let mut bounds = Bounds::new(&generics);
        for ty in [
            parse_quote!(Vec<(T, String)>),
            parse_quote!(&'a [U::Item]),
            parse_quote!(String),
            parse_quote!(<U as Iterator>::Item),
            parse_quote!(T),
        ] {
            bounds.field(&ty, &quote!(Show));
        }
        let expected = quote!(where T: Show, U::Item: Show, <U as Iterator>::Item: Show);
        assert_eq!(bounds.where_clause().to_string(), expected.to_string());
    }

    #[test]
    fn a_type_without_parameters_gets_no_clause() {
        let generics: Generics = parse_quote!(<'a>);
        let mut bounds = Bounds::new(&generics);
        bounds.whole(&quote!(X<'a>), &quote!(Show));
        bounds.field(&parse_quote!(T), &quote!(Show));
        assert!(bounds.where_clause().is_empty());
    }
}
