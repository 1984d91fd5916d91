//! Generates the impls. Code that requires a trait of a field's type calls a function that names the type with the
//! user's span, so that rustc reports a missing impl there, once.

pub(crate) mod bounds;
pub(crate) mod catalog;
pub(crate) mod code;
pub(crate) mod methods;
pub(crate) mod rmcp;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use resilient_policy::Setting;
use syn::Ident;

use crate::krate::Krate;
use crate::mcp_error::expand::bounds::Bounds;
use crate::mcp_error::expand::code::{ask, hygienic, kind_path};
use crate::mcp_error::expand::methods::{Arm, Method, implementation, plain};
use crate::mcp_error::parse::{Key, Value, Variant};
use crate::mcp_error::plan::{KindFrom, Model, Own, Text};

/// Returns everything that the derive generates. For a type with mistakes the methods panic; they exist so that rustc
/// does not report each use of the type as well.
pub(crate) fn expand(model: &Model<'_>) -> TokenStream {
    let (classify, tool_error) = (classify(model), tool_error(model));
    let (catalog, rmcp) = (catalog::expand(model), rmcp::expand(model));
    quote!(#classify #tool_error #catalog #rmcp)
}

fn classify<'a>(model: &Model<'a>) -> TokenStream {
    let krate = &model.krate;
    let (option, boolean) = (hygienic!(::core::option::Option), hygienic!(::core::primitive::bool));
    let duration = hygienic!(#option<::core::time::Duration>);
    let methods: [Method<'_, 'a>; 3] = [
        ("kind", hygienic!(#krate::ErrorKind), None, &|_, own| match own.kind {
            KindFrom::Word(kind) => Some(plain(kind_path(krate, kind))),
            KindFrom::Status(field) => Some((vec![field], ask(krate, "status", field))),
            KindFrom::Classify(_) => classified(krate, own, "kind"),
        }),
        ("retry_after", duration, Some(hygienic!(#option::None)), &|_, own| match own.retry_after {
            Some(field) => Some((vec![field], ask(krate, "retry_after", field))),
            None => classified(krate, own, "retry_after"),
        }),
        ("was_not_performed", boolean, Some(hygienic!(false)), &|_, own| classified(krate, own, "was_not_performed")),
    ];
    implementation(model, "Classify", &Bounds::of_classify(model), &methods, None)
}

fn tool_error<'a>(model: &Model<'a>) -> TokenStream {
    let krate = &model.krate;
    let private = hygienic!(#krate::__private);
    let boolean = hygienic!(::core::primitive::bool);
    let option = hygienic!(::core::option::Option);
    let cow = hygienic!(::std::borrow::Cow);
    let none = Some(hygienic!(#option::None));
    let kind = hygienic!(#krate::Classify::kind(self));
    let text = hygienic!(#cow<'_, ::core::primitive::str>);
    let hint = hygienic!(#option::Some(#cow::Borrowed(#kind.default_hint())));
    let is_retryable = hygienic! {
        #option::unwrap_or_else(#krate::ToolError::retry_override(self), || #kind.is_retryable())
    };
    let methods: [Method<'_, 'a>; 11] = [
        ("code", hygienic!(#cow<'static, ::core::primitive::str>), None, &|_, Own { code, .. }| {
            Some(plain(hygienic!(#cow::Borrowed(#code))))
        }),
        ("public_message", text.clone(), None, &|_, own| Some(message(krate, own))),
        ("hint", hygienic!(#option<#text>), Some(hint), &|_, own| {
            let hint = own.hint.as_ref()?;
            let text = hint.expand();
            Some((hint.fields(), hygienic!(#option::Some(#text))))
        }),
        ("retry_override", hygienic!(#option<#boolean>), none.clone(), &|variant, _| {
            let flag = variant.attrs.flag(Key::Retryable)?;
            Some(plain(hygienic!(#option::Some(#flag))))
        }),
        // A field whose type overrides this method answers too.
        ("is_retryable", boolean.clone(), Some(is_retryable), &|_, _| None),
        ("trips_breaker", boolean.clone(), Some(hygienic!(#kind.trips_breaker())), &|variant, _| {
            variant.attrs.flag(Key::TripsBreaker).map(plain)
        }),
        ("falls_back", boolean.clone(), Some(hygienic!(#kind.falls_back())), &|variant, _| {
            variant.attrs.flag(Key::Fallback).map(plain)
        }),
        ("severity", hygienic!(#private::Severity), Some(hygienic!(#kind.severity())), &|variant, _| {
            let severity = variant.attrs.value(Key::Severity)?;
            let Value::Severity(Setting::Word(word)) = severity else { return None };
            let name = Ident::new(word.variant, Span::mixed_site());
            Some(plain(hygienic!(#private::Severity::#name)))
        }),
        ("details", hygienic!(#private::Details), Some(hygienic!(#private::Details::new())), &|variant, _| {
            details(krate, variant)
        }),
        ("protocol_code", hygienic!(#option<::core::primitive::i32>), none.clone(), &|variant, _| {
            let Some(Value::Protocol(code, _)) = variant.attrs.value(Key::Protocol) else { return None };
            Some(plain(hygienic!(#option::Some(#code))))
        }),
        ("as_resilience", hygienic!(#option<&#krate::ResilienceError>), none.clone(), &|_, _| None),
    ];
    // A type with parameters may contain borrows, which the macro cannot recognize.
    let is_injected = model.node.generics.params.is_empty() && model.cases.is_some();
    let injected = is_injected.then(|| hygienic!(#private::injected! {}));
    implementation(model, "ToolError", &Bounds::of_tool_error(model), &methods, injected.as_ref())
}

/// Calls a method of `Classify` on the field with `classify`, if there is one.
fn classified<'a>(krate: &Krate, own: &Own<'a>, method: &str) -> Option<Arm<'a>> {
    let KindFrom::Classify(field) = own.kind else { return None };
    let (method, asked) = (Ident::new(method, Span::mixed_site()), ask(krate, "classify", field));
    Some((vec![field], hygienic!(#krate::Classify::#method(#asked))))
}

fn message<'a>(krate: &Krate, own: &Own<'a>) -> Arm<'a> {
    match &own.text {
        Text::Template(template) => (template.fields(), template.expand()),
        Text::Display => plain(hygienic!(#krate::__private::display(self))),
        Text::Sentence => {
            let ask = || hygienic!(#krate::Classify::kind(self));
            let kind = own.kind.known().map_or_else(ask, |kind| kind_path(krate, kind));
            plain(hygienic!(::std::borrow::Cow::Borrowed(#kind.public_sentence())))
        }
    }
}

fn details<'a>(krate: &Krate, variant: &'a Variant<'a>) -> Option<Arm<'a>> {
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
    (!details.is_empty()).then_some((details, body))
}
