//! The enum or struct: its variants, their fields and their attributes. A struct is one variant, with the attributes of
//! the struct.

use proc_macro2::{Ident, Span};
use quote::{ToTokens, format_ident};
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Fields, Member, Type};

use super::{Attrs, Display, Errors, Key, Owner, display};

pub(crate) struct Input<'a> {
    pub(crate) node: &'a DeriveInput,
    pub(crate) attrs: Attrs,
    pub(crate) variants: Vec<Variant<'a>>,
}

pub(crate) struct Variant<'a> {
    pub(crate) ident: &'a Ident,
    /// Whether this is the whole struct.
    pub(crate) is_struct: bool,
    pub(crate) attrs: Attrs,
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
    pub(crate) attrs: Attrs,
    /// Whether thiserror returns the field as `source()`.
    pub(crate) is_source: bool,
}

impl<'a> Input<'a> {
    /// Returns `None` for a union.
    pub(crate) fn from_syn(node: &'a DeriveInput, errors: &mut Errors) -> Option<Self> {
        match &node.data {
            Data::Struct(data) => {
                let whole = Variant::from_syn(&node.ident, &node.attrs, &data.fields, Owner::Struct, None, errors);
                Some(Self { node, attrs: whole.attrs.clone(), variants: vec![whole] })
            }
            Data::Enum(data) => {
                let attrs = Attrs::read(&node.attrs, Owner::Enum, errors);
                // thiserror applies an `#[error(..)]` on the enum to all variants without one.
                let display = display::read(&node.attrs);
                let variants = data.variants.iter().map(|variant| {
                    let syn::Variant { ident, attrs, fields, .. } = variant;
                    Variant::from_syn(ident, attrs, fields, Owner::Variant, display.as_ref(), errors)
                });
                Some(Self { node, attrs, variants: variants.collect() })
            }
            Data::Union(data) => {
                let why = "expected an enum or a struct: `#[derive(McpError)]` cannot tell what a union holds";
                errors.at(data.union_token, why);
                None
            }
        }
    }
}

impl<'a> Variant<'a> {
    /// Reads a variant of an enum, or a struct.
    fn from_syn(
        ident: &'a Ident,
        attrs: &[Attribute],
        fields: &'a Fields,
        owner: Owner,
        inherited: Option<&Display>,
        errors: &mut Errors,
    ) -> Self {
        let before = errors.len();
        let is_struct = owner == Owner::Struct;
        let display = display::read(attrs).or_else(|| inherited.cloned());
        Self {
            ident,
            is_struct,
            attrs: Attrs::read(attrs, owner, errors),
            display: display.unwrap_or_else(|| Display::Unknown(ident.to_token_stream())),
            fields: self::fields(fields, if is_struct { Owner::StructField } else { Owner::Field }, errors),
            is_doubtful: errors.len() > before,
        }
    }

    /// Returns the fields with `detail`.
    pub(crate) fn details(&'a self) -> Vec<&'a Field<'a>> {
        self.fields.iter().filter(|field| field.attrs.has(Key::Detail)).collect()
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

fn fields<'a>(nodes: &'a Fields, owner: Owner, errors: &mut Errors) -> Vec<Field<'a>> {
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
                attrs: Attrs::read(&node.attrs, owner, errors),
            }
        })
        .collect()
}
