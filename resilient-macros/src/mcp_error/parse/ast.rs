//! The enum or struct: its variants, their fields and their attributes. A struct is one variant, with the attributes of
//! the struct.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Fields, Member, Type};

use crate::mcp_error::parse::attr::{ContainerAttrs, FieldAttrs, VariantAttrs};
use crate::mcp_error::parse::display::{self, Display};
use crate::mcp_error::parse::errors::Errors;
use crate::mcp_error::parse::keys::Owner;

pub(crate) struct Input<'a> {
    pub(crate) node: &'a DeriveInput,
    pub(crate) attrs: ContainerAttrs,
    pub(crate) variants: Vec<Variant<'a>>,
}

pub(crate) struct Variant<'a> {
    pub(crate) ident: &'a Ident,
    /// Whether this is the whole struct.
    pub(crate) is_struct: bool,
    pub(crate) attrs: VariantAttrs,
    pub(crate) display: Display,
    pub(crate) fields: Vec<Field<'a>>,
    /// Whether something in the attributes was not understood. Then a key that seems to be missing may be there.
    pub(crate) is_doubtful: bool,
}

pub(crate) struct Field<'a> {
    pub(crate) index: usize,
    pub(crate) member: Member,
    /// `id`, `0`
    pub(crate) name: String,
    pub(crate) ty: &'a Type,
    pub(crate) attrs: FieldAttrs,
    /// Whether thiserror returns the field as `source()`.
    pub(crate) is_source: bool,
}

impl<'a> Input<'a> {
    /// Returns `None` for a union.
    pub(crate) fn from_syn(node: &'a DeriveInput, errors: &mut Errors) -> Option<Self> {
        let mut attrs = ContainerAttrs::default();
        let display = display::read(&node.attrs);
        let variants = match &node.data {
            Data::Struct(data) => {
                let before = errors.len();
                let mut own = VariantAttrs::default();
                attrs.read(&node.attrs, Owner::Struct, Some(&mut own), errors);
                let fields = fields(&data.fields, false, errors);
                vec![Variant {
                    ident: &node.ident,
                    is_struct: true,
                    attrs: own,
                    display: display.unwrap_or_else(|| Display::Unknown(node.ident.to_token_stream())),
                    fields,
                    is_doubtful: errors.len() > before,
                }]
            }
            Data::Enum(data) => {
                attrs.read(&node.attrs, Owner::Enum, None, errors);
                let variants = data.variants.iter().map(|variant| Variant::from_syn(variant, display.as_ref(), errors));
                variants.collect()
            }
            Data::Union(data) => {
                errors.at(
                    data.union_token,
                    "expected an enum or a struct: `#[derive(McpError)]` cannot tell what a union holds",
                );
                return None;
            }
        };
        Some(Self { node, attrs, variants })
    }
}

impl<'a> Variant<'a> {
    fn from_syn(node: &'a syn::Variant, inherited: Option<&Display>, errors: &mut Errors) -> Self {
        let before = errors.len();
        let attrs = VariantAttrs::read(&node.attrs, errors);
        let fields = fields(&node.fields, true, errors);
        Self {
            ident: &node.ident,
            is_struct: false,
            attrs,
            // thiserror applies an `#[error(..)]` on the enum to all variants without one.
            display: display::read(&node.attrs)
                .or_else(|| inherited.cloned())
                .unwrap_or_else(|| Display::Unknown(node.ident.to_token_stream())),
            fields,
            is_doubtful: errors.len() > before,
        }
    }

    /// Returns the pattern `Self::Variant { id: __field0, .. }`, which binds `bound`.
    pub(crate) fn pattern(&self, bound: &[&Field<'_>]) -> TokenStream {
        let span = Span::mixed_site();
        let members = bound.iter().map(|field| &field.member);
        let bindings = bound.iter().map(|field| field.binding(span));
        let path = if self.is_struct {
            quote_spanned!(span=> Self)
        } else {
            let mut ident = self.ident.clone();
            ident.set_span(ident.span().resolved_at(Span::call_site()));
            quote_spanned!(span=> Self::#ident)
        };
        quote_spanned!(span=> #path { #(#members: #bindings,)* .. })
    }

    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }
}

impl Field<'_> {
    /// Returns the local to which a pattern binds the field.
    pub(crate) fn binding(&self, span: Span) -> Ident {
        format_ident!("__field{}", self.index, span = span.resolved_at(Span::mixed_site()))
    }
}

fn fields<'a>(nodes: &'a Fields, of_enum: bool, errors: &mut Errors) -> Vec<Field<'a>> {
    let says_source = |field: &syn::Field| {
        field.attrs.iter().any(|attr| attr.path().is_ident("source") || attr.path().is_ident("from"))
    };
    let is_said = nodes.iter().any(says_source);
    nodes
        .iter()
        .zip(nodes.members())
        .enumerate()
        .map(|(index, (node, member))| {
            let name = match &member {
                Member::Named(ident) => ident.unraw().to_string(),
                Member::Unnamed(index) => index.index.to_string(),
            };
            Field {
                index,
                is_source: if is_said { says_source(node) } else { name == "source" },
                member,
                name,
                ty: &node.ty,
                attrs: FieldAttrs::read(&node.attrs, Owner::Field { of_enum }, errors),
            }
        })
        .collect()
}
