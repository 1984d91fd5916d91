//! Generates the impls. Locals are hygienic and paths are absolute. Code that requires a trait of a field's type calls
//! a function that names the type with the user's span, so that rustc reports a missing impl there, once.

pub(crate) mod bounds;
pub(crate) mod catalog;
pub(crate) mod matching;
pub(crate) mod rmcp;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use resilient_policy::{ErrorKind, Setting};
use syn::Ident;

use crate::krate::Krate;
use crate::mcp_error::expand::bounds::Bounds;
use crate::mcp_error::expand::matching::Arm;
use crate::mcp_error::parse::ast::{Field, Variant};
use crate::mcp_error::parse::keys::Key;
use crate::mcp_error::parse::value::Value;
use crate::mcp_error::plan::{Answer, KindFrom, Model, Own, Text};

/// Like `quote!`, for code whose names neither see nor hide those of the user.
macro_rules! hygienic {
    ($($tokens:tt)*) => {
        ::quote::quote_spanned!(::proc_macro2::Span::mixed_site()=> $($tokens)*)
    };
}
pub(crate) use hygienic;

/// Returns everything that the derive generates. For a type with mistakes the methods panic; they exist so that rustc
/// does not report each use of the type as well.
pub(crate) fn expand(model: &Model<'_>) -> TokenStream {
    let expansion = Expansion { model, krate: &model.krate };
    let (classify, tool_error) = (expansion.classify(), expansion.tool_error());
    let (catalog, rmcp) = (catalog::expand(model), rmcp::expand(model));
    quote!(#classify #tool_error #catalog #rmcp)
}

struct Expansion<'m, 'a> {
    model: &'m Model<'a>,
    krate: &'m Krate,
}

/// A method of a trait: its name, its type, the trait's default unless the method is required, and what a variant
/// answers itself.
type Method<'f, 'a> = (&'static str, TokenStream, Option<TokenStream>, &'f Answers<'f, 'a>);
type Answers<'f, 'a> = dyn Fn(&'a Variant<'a>, &Own<'a>) -> Option<Arm<'a>> + 'f;

impl<'a> Expansion<'_, 'a> {
    fn classify(&self) -> TokenStream {
        let krate = self.krate;
        let option = hygienic!(::core::option::Option);
        let methods: [Method<'_, 'a>; 3] = [
            ("kind", hygienic!(#krate::ErrorKind), None, &|_, own| match own.kind {
                KindFrom::Word(kind) => Some(Arm::new(kind_path(krate, kind))),
                KindFrom::Status(field) => Some(Arm::with(vec![field], self.ask("status", field))),
                KindFrom::Classify(_) => self.classified(own, "kind"),
            }),
            ("retry_after", hygienic!(#option<::core::time::Duration>), Some(hygienic!(#option::None)), &|_, own| {
                match own.retry_after {
                    Some(field) => Some(Arm::with(vec![field], self.ask("retry_after", field))),
                    None => self.classified(own, "retry_after"),
                }
            }),
            ("was_not_performed", hygienic!(::core::primitive::bool), Some(hygienic!(false)), &|_, own| {
                self.classified(own, "was_not_performed")
            }),
        ];
        self.implementation("Classify", &Bounds::of_classify(self.model), &methods, None)
    }

    fn tool_error(&self) -> TokenStream {
        let krate = self.krate;
        let private = hygienic!(#krate::__private);
        let boolean = hygienic!(::core::primitive::bool);
        let option = hygienic!(::core::option::Option);
        let cow = hygienic!(::std::borrow::Cow);
        let none = Some(hygienic!(#option::None));
        let kind = hygienic!(#krate::Classify::kind(self));
        let methods: [Method<'_, 'a>; 11] = [
            ("code", hygienic!(#cow<'static, ::core::primitive::str>), None, &|_, Own { code, .. }| {
                Some(Arm::new(hygienic!(#cow::Borrowed(#code))))
            }),
            ("public_message", hygienic!(#cow<'_, ::core::primitive::str>), None, &|_, own| Some(self.message(own))),
            (
                "hint",
                hygienic!(#option<#cow<'_, ::core::primitive::str>>),
                Some(hygienic!(#option::Some(#cow::Borrowed(#kind.default_hint())))),
                &|_, own| {
                    let hint = own.hint.as_ref()?;
                    let text = hint.expand();
                    Some(Arm::with(hint.fields(), hygienic!(#option::Some(#text))))
                },
            ),
            ("retry_override", hygienic!(#option<#boolean>), none.clone(), &|variant, _| {
                let flag = variant.attrs.flag(Key::Retryable)?;
                Some(Arm::new(hygienic!(#option::Some(#flag))))
            }),
            // A field whose type overrides this method answers too.
            (
                "is_retryable",
                boolean.clone(),
                Some(hygienic! {
                    #option::unwrap_or_else(#krate::ToolError::retry_override(self), || #kind.is_retryable())
                }),
                &|_, _| None,
            ),
            ("trips_breaker", boolean.clone(), Some(hygienic!(#kind.trips_breaker())), &|variant, _| {
                variant.attrs.flag(Key::TripsBreaker).map(|flag| Arm::new(quote!(#flag)))
            }),
            ("falls_back", boolean.clone(), Some(hygienic!(#kind.falls_back())), &|variant, _| {
                variant.attrs.flag(Key::Fallback).map(|flag| Arm::new(quote!(#flag)))
            }),
            ("severity", hygienic!(#private::Severity), Some(hygienic!(#kind.severity())), &|variant, _| {
                let Some(Value::Severity(Setting::Word(word))) = variant.attrs.value(Key::Severity) else {
                    return None;
                };
                let name = Ident::new(word.variant, Span::mixed_site());
                Some(Arm::new(hygienic!(#private::Severity::#name)))
            }),
            ("details", hygienic!(#private::Details), Some(hygienic!(#private::Details::new())), &|variant, _| {
                self.details(variant)
            }),
            ("protocol_code", hygienic!(#option<::core::primitive::i32>), none.clone(), &|variant, _| {
                let Some(Value::Protocol(code, _)) = variant.attrs.value(Key::Protocol) else { return None };
                Some(Arm::new(hygienic!(#option::Some(#code))))
            }),
            ("as_resilience", hygienic!(#option<&#krate::ResilienceError>), none.clone(), &|_, _| None),
        ];
        // A type with parameters may contain borrows, which the macro cannot recognize.
        let is_injected = self.model.node.generics.params.is_empty() && self.model.cases.is_some();
        let injected = is_injected.then(|| hygienic!(#private::injected! {}));
        self.implementation("ToolError", &Bounds::of_tool_error(self.model), &methods, injected)
    }

    /// Returns the impl of a trait. A method is left out if no variant and no field answers it: the trait's default is
    /// then the same.
    fn implementation(
        &self,
        of: &str,
        bounds: &Bounds<'_>,
        methods: &[Method<'_, 'a>],
        more: Option<TokenStream>,
    ) -> TokenStream {
        let (krate, of) = (self.krate, Ident::new(of, Span::mixed_site()));
        let methods = methods.iter().filter_map(|(name, returns, default, own)| {
            let name = Ident::new(name, Span::mixed_site());
            let body = matching::body(self.model, default.as_ref(), |case| match &case.answer {
                Answer::Own(said) => own(case.variant, said),
                Answer::Field(field) => {
                    let asked = self.ask("transparent", field);
                    Some(Arm::with(vec![field], hygienic!(#krate::#of::#name(#asked))))
                }
            })?;
            Some(hygienic! {
                fn #name(&self) -> #returns {
                    #body
                }
            })
        });
        let (impl_generics, ty_generics, _) = self.model.node.generics.split_for_impl();
        let (ident, clause) = (call_site(&self.model.node.ident), bounds.where_clause());
        hygienic! {
            #[automatically_derived]
            impl #impl_generics #krate::#of for #ident #ty_generics #clause {
                #(#methods)*
                #more
            }
        }
    }

    /// Calls `helper::<FieldType>()(field)`, so that rustc reports a missing impl at the type.
    fn ask(&self, helper: &str, field: &Field<'_>) -> TokenStream {
        let (krate, span) = (self.krate, Span::mixed_site());
        let (helper, ty, binding) = (Ident::new(helper, span), field.ty, field.binding(span));
        hygienic!(#krate::__private::#helper::<#ty>()(#binding))
    }

    /// Calls a method of `Classify` on the field with `classify`, if there is one.
    fn classified(&self, own: &Own<'a>, method: &str) -> Option<Arm<'a>> {
        let KindFrom::Classify(field) = own.kind else { return None };
        let (krate, method, asked) = (self.krate, Ident::new(method, Span::mixed_site()), self.ask("classify", field));
        Some(Arm::with(vec![field], hygienic!(#krate::Classify::#method(#asked))))
    }

    fn message(&self, own: &Own<'a>) -> Arm<'a> {
        let krate = self.krate;
        match &own.text {
            Text::Template(template) => Arm::with(template.fields(), template.expand()),
            Text::Display => Arm::new(hygienic!(#krate::__private::display(self))),
            Text::Sentence => {
                let ask = || hygienic!(#krate::Classify::kind(self));
                let kind = own.kind.known().map_or_else(ask, |kind| kind_path(krate, kind));
                Arm::new(hygienic!(::std::borrow::Cow::Borrowed(#kind.public_sentence())))
            }
        }
    }

    fn details(&self, variant: &'a Variant<'a>) -> Option<Arm<'a>> {
        let krate = self.krate;
        let details = variant.details();
        let inserts = details.iter().map(|field| {
            let (ty, name, binding) = (field.ty, &field.name, field.binding(Span::mixed_site()));
            hygienic!(#krate::__private::detail::<#ty>()(&mut __details, #name, #binding);)
        });
        let body = hygienic! {{
            let mut __details = #krate::__private::Details::new();
            #(#inserts)*
            __details
        }};
        (!details.is_empty()).then(|| Arm::with(details, body))
    }
}

/// `::krate::ErrorKind::NotFound`
pub(crate) fn kind_path(krate: &Krate, kind: ErrorKind) -> TokenStream {
    let name = Ident::new(kind.variant_name(), Span::mixed_site());
    hygienic!(#krate::ErrorKind::#name)
}

/// Returns the name of the user's type or variant with the hygiene of the call site.
pub(crate) fn call_site(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(ident.span().resolved_at(Span::call_site()));
    ident
}
