//! Generates the impls. Locals are hygienic and paths are absolute. Code that requires a trait of a field's type calls
//! a function that names the type with the user's span, so that rustc reports a missing impl there, once.

pub(crate) mod bounds;
pub(crate) mod catalog;
pub(crate) mod dummy;
pub(crate) mod matching;
pub(crate) mod rmcp;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use resilient_policy::ErrorKind;
use syn::Ident;

use crate::krate::Krate;
use crate::mcp_error::expand::bounds::Bounds;
use crate::mcp_error::expand::matching::{Arm, partial, total};
use crate::mcp_error::parse::ast::Field;
use crate::mcp_error::plan::{Answer, Case, KindFrom, Model, Own, Text};

/// Returns everything that the derive generates.
pub(crate) fn expand(model: &Model<'_>) -> TokenStream {
    let expansion = Expansion::new(model);
    let classify = expansion.classify();
    let mcp_error = expansion.mcp_error();
    let catalog = crate::mcp_error::expand::catalog::expand(model);
    let rmcp = crate::mcp_error::expand::rmcp::expand(model.node, &model.krate);
    quote!(#classify #mcp_error #catalog #rmcp)
}

struct Expansion<'m, 'a> {
    model: &'m Model<'a>,
    krate: &'m Krate,
    /// `::krate::__private`
    private: TokenStream,
    span: Span,
}

impl<'m, 'a> Expansion<'m, 'a> {
    fn new(model: &'m Model<'a>) -> Self {
        let (krate, span) = (&model.krate, Span::mixed_site());
        Self { model, krate, private: quote_spanned!(span=> #krate::__private), span }
    }

    fn classify(&self) -> TokenStream {
        let Self { krate, span, .. } = *self;
        let kind = total(self.model, |case| self.kind(case));
        let unknown = quote_spanned!(span=> ::core::option::Option::None);
        let retry_after = partial(self.model, &unknown, |case| self.retry_after(case)).map(|body| {
            quote_spanned! {span=>
                fn retry_after(&self) -> ::core::option::Option<::core::time::Duration> {
                    #body
                }
            }
        });
        let unsure = quote_spanned!(span=> false);
        let was_not_performed = partial(self.model, &unsure, |case| self.was_not_performed(case)).map(|body| {
            quote_spanned! {span=>
                fn was_not_performed(&self) -> ::core::primitive::bool {
                    #body
                }
            }
        });
        let header = self.header(&quote_spanned!(span=> #krate::Classify), &Bounds::of_classify(self.model));
        quote_spanned! {span=>
            #header {
                fn kind(&self) -> #krate::ErrorKind {
                    #kind
                }
                #retry_after
                #was_not_performed
            }
        }
    }

    fn mcp_error(&self) -> TokenStream {
        let Self { krate, private, span, .. } = self;
        let span = *span;
        let code = total(self.model, |case| self.code(case));
        let message = total(self.model, |case| self.message(case));
        let kind = quote_spanned!(span=> #krate::Classify::kind(self));
        let boolean = quote_spanned!(span=> ::core::primitive::bool);
        let cow = quote_spanned!(span=> ::std::borrow::Cow);
        let option = quote_spanned!(span=> ::core::option::Option);
        let methods = [
            self.method(
                "hint",
                &quote_spanned!(span=> #option<#cow<'_, ::core::primitive::str>>),
                &quote_spanned!(span=> #option::Some(#cow::Borrowed(#kind.default_hint()))),
                |own| {
                    let hint = own.hint.as_ref()?;
                    let text = hint.expand();
                    Some(Arm::with(hint.fields(), quote_spanned!(span=> #option::Some(#text))))
                },
            ),
            self.method(
                "retry_override",
                &quote_spanned!(span=> #option<::core::primitive::bool>),
                &quote_spanned!(span=> #option::None),
                |own| own.retryable.map(|said| Arm::new(quote_spanned!(span=> #option::Some(#said)))),
            ),
            // A field whose type overrides this method answers too.
            self.method(
                "is_retryable",
                &boolean,
                &quote_spanned!(span=>
                    #option::unwrap_or_else(#krate::ToolError::retry_override(self), || #kind.is_retryable())
                ),
                |_| None,
            ),
            self.method("trips_breaker", &boolean, &quote_spanned!(span=> #kind.trips_breaker()), |own| {
                own.trips_breaker.map(|said| Arm::new(quote!(#said)))
            }),
            self.method("falls_back", &boolean, &quote_spanned!(span=> #kind.falls_back()), |own| {
                own.falls_back.map(|said| Arm::new(quote!(#said)))
            }),
            self.method(
                "severity",
                &quote_spanned!(span=> #private::Severity),
                &quote_spanned!(span=> #kind.severity()),
                |own| {
                    let name = Ident::new(&format!("{:?}", own.severity?), span);
                    Some(Arm::new(quote_spanned!(span=> #private::Severity::#name)))
                },
            ),
            self.method(
                "details",
                &quote_spanned!(span=> #private::Details),
                &quote_spanned!(span=> #private::Details::new()),
                |own| self.details(own),
            ),
            self.method(
                "protocol_code",
                &quote_spanned!(span=> #option<::core::primitive::i32>),
                &quote_spanned!(span=> #option::None),
                |own| own.protocol.map(|code| Arm::new(quote_spanned!(span=> #option::Some(#code)))),
            ),
            self.method(
                "as_resilience",
                &quote_spanned!(span=> #option<&#krate::ResilienceError>),
                &quote_spanned!(span=> #option::None),
                |_| None,
            ),
        ];
        let header = self.header(&quote_spanned!(span=> #krate::ToolError), &Bounds::of_mcp_error(self.model));
        // A type with parameters may contain borrows, which the macro cannot recognize.
        let is_generic = !self.model.node.generics.params.is_empty();
        let injected = (!is_generic).then(|| quote_spanned!(span=> #private::injected! {}));
        quote_spanned! {span=>
            #header {
                fn code(&self) -> #cow<'static, ::core::primitive::str> {
                    #code
                }
                fn public_message(&self) -> #cow<'_, ::core::primitive::str> {
                    #message
                }
                #(#methods)*
                #injected
            }
        }
    }

    /// Returns a method for which the trait has a default. It is generated if a variant or a field gives an answer.
    fn method(
        &self,
        name: &str,
        answer: &TokenStream,
        default: &TokenStream,
        own: impl Fn(&Own<'a>) -> Option<Arm<'a>>,
    ) -> Option<TokenStream> {
        let Self { krate, span, .. } = self;
        let span = *span;
        let name = Ident::new(name, span);
        let body = partial(self.model, default, |case| match &case.answer {
            Answer::Own(said) => own(said),
            Answer::Field(field) => Some(self.delegate(field, &quote_spanned!(span=> #krate::ToolError::#name))),
        })?;
        Some(quote_spanned! {span=>
            fn #name(&self) -> #answer {
                #body
            }
        })
    }

    /// Calls `method(field)` for a field that has to be a `ToolError`.
    fn delegate(&self, field: &'a Field<'a>, method: &TokenStream) -> Arm<'a> {
        let asked = self.ask("transparent", field);
        Arm::with(vec![field], quote_spanned!(self.span=> #method(#asked)))
    }

    /// Calls `helper::<FieldType>()(field)`, so that rustc reports a missing impl at the type.
    fn ask(&self, helper: &str, field: &Field<'_>) -> TokenStream {
        let Self { private, span, .. } = self;
        let (helper, ty, binding) = (Ident::new(helper, *span), field.ty, field.binding(*span));
        quote_spanned!(*span=> #private::#helper::<#ty>()(#binding))
    }

    fn kind(&self, case: &Case<'a>) -> Arm<'a> {
        let Self { krate, span, .. } = self;
        match &case.answer {
            Answer::Field(field) => self.delegate(field, &quote_spanned!(*span=> #krate::Classify::kind)),
            Answer::Own(own) => match own.kind {
                KindFrom::Word(kind) => Arm::new(kind_path(krate, kind)),
                KindFrom::Status(field) => Arm::with(vec![field], self.ask("status", field)),
                KindFrom::Classify(field) => {
                    let asked = self.ask("classify", field);
                    Arm::with(vec![field], quote_spanned!(*span=> #krate::Classify::kind(#asked)))
                }
            },
        }
    }

    fn retry_after(&self, case: &Case<'a>) -> Option<Arm<'a>> {
        let Self { krate, span, .. } = self;
        let method = quote_spanned!(*span=> #krate::Classify::retry_after);
        match &case.answer {
            Answer::Field(field) => Some(self.delegate(field, &method)),
            Answer::Own(Own { retry_after: Some(field), .. }) => {
                Some(Arm::with(vec![field], self.ask("retry_after", field)))
            }
            Answer::Own(Own { kind: KindFrom::Classify(field), .. }) => {
                let asked = self.ask("classify", field);
                Some(Arm::with(vec![field], quote_spanned!(*span=> #method(#asked))))
            }
            Answer::Own(_) => None,
        }
    }

    fn was_not_performed(&self, case: &Case<'a>) -> Option<Arm<'a>> {
        let Self { krate, span, .. } = self;
        let method = quote_spanned!(*span=> #krate::Classify::was_not_performed);
        match &case.answer {
            Answer::Field(field) => Some(self.delegate(field, &method)),
            Answer::Own(Own { kind: KindFrom::Classify(field), .. }) => {
                let asked = self.ask("classify", field);
                Some(Arm::with(vec![field], quote_spanned!(*span=> #method(#asked))))
            }
            Answer::Own(_) => None,
        }
    }

    fn code(&self, case: &Case<'a>) -> Arm<'a> {
        let Self { krate, span, .. } = self;
        match &case.answer {
            Answer::Field(field) => self.delegate(field, &quote_spanned!(*span=> #krate::ToolError::code)),
            Answer::Own(Own { code, .. }) => Arm::new(quote_spanned!(*span=> ::std::borrow::Cow::Borrowed(#code))),
        }
    }

    fn message(&self, case: &Case<'a>) -> Arm<'a> {
        let Self { krate, private, span, .. } = self;
        let span = *span;
        let own = match &case.answer {
            Answer::Field(field) => {
                return self.delegate(field, &quote_spanned!(span=> #krate::ToolError::public_message));
            }
            Answer::Own(own) => own,
        };
        match &own.text {
            Text::Template(template) => Arm::with(template.fields(), template.expand()),
            Text::Display => Arm::new(quote_spanned!(span=> #private::display(self))),
            Text::Sentence => {
                let ask = || quote_spanned!(span=> #krate::Classify::kind(self));
                let kind = own.kind.known().map_or_else(ask, |kind| kind_path(krate, kind));
                Arm::new(quote_spanned!(span=> ::std::borrow::Cow::Borrowed(#kind.public_sentence())))
            }
        }
    }

    fn details(&self, own: &Own<'a>) -> Option<Arm<'a>> {
        let Self { private, span, .. } = self;
        let span = *span;
        if own.details.is_empty() {
            return None;
        }
        let inserts = own.details.iter().map(|field| {
            let (ty, name, binding) = (field.ty, &field.name, field.binding(span));
            quote_spanned!(span=> #private::detail::<#ty>()(&mut __details, #name, #binding);)
        });
        let body = quote_spanned! {span=> {
            let mut __details = #private::Details::new();
            #(#inserts)*
            __details
        }};
        Some(Arm::with(own.details.clone(), body))
    }

    fn header(&self, implemented: &TokenStream, bounds: &Bounds<'_>) -> TokenStream {
        let (impl_generics, ty_generics, _) = self.model.node.generics.split_for_impl();
        let (ident, clause) = (call_site(&self.model.node.ident), bounds.where_clause());
        quote_spanned! {self.span=>
            #[automatically_derived]
            impl #impl_generics #implemented for #ident #ty_generics #clause
        }
    }
}

/// `::krate::ErrorKind::NotFound`
pub(crate) fn kind_path(krate: &Krate, kind: ErrorKind) -> TokenStream {
    let span = Span::mixed_site();
    let name = Ident::new(kind.variant_name(), span);
    quote_spanned!(span=> #krate::ErrorKind::#name)
}

/// Returns the name of the user's type with the hygiene of the call site.
pub(crate) fn call_site(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(ident.span().resolved_at(Span::call_site()));
    ident
}
