//! Parses an impl block: its head and its functions, without their bodies.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Generics, Meta, Token, Type, WhereClause, braced};

use crate::resilient::parse::args::{self, Args};
use crate::resilient::parse::function::OpaqueFn;
use crate::resilient::parse::tool::{self, Tool};

/// The argument with which rmcp accepts a block without tools.
pub(crate) const ALLOW_EMPTY: &str = "allow_empty";

/// An impl block whose functions' bodies are not parsed.
#[derive(Clone)]
pub(crate) struct OpaqueImpl {
    pub(crate) attrs: Vec<Attribute>,
    unsafety: Option<Token![unsafe]>,
    pub(crate) impl_token: Token![impl],
    pub(crate) generics: Generics,
    /// The trait and `for`.
    pub(crate) trait_: Option<(Type, Token![for])>,
    pub(crate) self_ty: Type,
    braces: Span,
    pub(crate) members: Vec<Member>,
}

#[derive(Clone)]
pub(crate) enum Member {
    Function(Box<OpaqueFn>),
    Other(TokenStream),
}

impl Parse for OpaqueImpl {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let unsafety = input.parse()?;
        let impl_token: Token![impl] = input.parse()?;
        let mut generics: Generics = input.parse()?;
        let first: Type = input.parse()?;
        let (trait_, self_ty) = match input.parse()? {
            Some(for_token) => (Some((first, for_token)), input.parse()?),
            None => (None, first),
        };
        generics.where_clause = input.parse::<Option<WhereClause>>()?;
        let content;
        let braces = braced!(content in input).span.join();
        let mut members = Vec::new();
        while !content.is_empty() {
            members.push(Member::parse(&content)?);
        }
        Ok(Self { attrs, unsafety, impl_token, generics, trait_, self_ty, braces, members })
    }
}

impl OpaqueImpl {
    /// Returns whether rmcp generates no router, because the block has no tools.
    pub(crate) fn is_refused_as_empty(&self, router: &Attribute) -> bool {
        let has_tools = self.functions().any(|function| function.attrs.iter().any(|attr| tool::last_is(attr, "tool")));
        let may_be_empty = router.meta.require_list().is_ok_and(|list| list.tokens.to_string().contains(ALLOW_EMPTY));
        // rmcp may find a tool in an attribute that could not be read here.
        !has_tools && !self.has_half_typed_function() && !may_be_empty
    }

    pub(crate) fn has_half_typed_function(&self) -> bool {
        let is_fn = |token| matches!(token, TokenTree::Ident(word) if word == "fn");
        let is_half_typed =
            |member: &Member| matches!(member, Member::Other(tokens) if tokens.clone().into_iter().any(is_fn));
        self.members.iter().any(is_half_typed)
    }

    pub(crate) fn functions(&self) -> impl Iterator<Item = &OpaqueFn> {
        self.members.iter().filter_map(|member| match member {
            Member::Function(function) => Some(&**function),
            Member::Other(_) => None,
        })
    }

    /// Returns the guarded tools of the block, by name, with their own keys. Their own attributes report the mistakes
    /// in them.
    pub(crate) fn tools(&self) -> Vec<(String, Args)> {
        let guarded = self.functions().filter_map(|function| {
            let tool = Tool::find(&function.attrs)?;
            let own = match function.attrs.iter().find(|attr| tool::last_is(attr, "resilient")).map(|own| &own.meta) {
                Some(Meta::List(list)) => args::parse_silently(list.tokens.clone()),
                Some(_) => Args::default(),
                None => tool::can_inherit(function).then(Args::default)?,
            };
            let name = own.name.as_ref().map(|name| name.value.clone()).or(tool.name);
            let name = name.unwrap_or_else(|| function.sig.ident.unraw().to_string());
            own.skip.is_none().then_some((name, own))
        });
        guarded.collect()
    }
}

impl Member {
    /// A function, or all tokens up to a `;` or the end of a pair of braces.
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        if let Ok(function) = ahead.parse::<OpaqueFn>() {
            syn::parse::discouraged::Speculative::advance_to(input, &ahead);
            return Ok(Self::Function(Box::new(function)));
        }
        let mut tokens = TokenStream::new();
        while !input.is_empty() {
            let token: TokenTree = input.parse()?;
            let is_last = match &token {
                TokenTree::Punct(punct) => punct.as_char() == ';',
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                _ => false,
            };
            tokens.extend([token]);
            if is_last {
                break;
            }
        }
        Ok(Self::Other(tokens))
    }
}

impl ToTokens for OpaqueImpl {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attrs, unsafety, impl_token, generics, trait_, self_ty, braces, members } = self;
        let (parameters, _, where_clause) = generics.split_for_impl();
        let trait_ = trait_.as_ref().map(|(trait_, for_token)| quote!(#trait_ #for_token));
        let members = members.iter().map(|member| match member {
            Member::Function(function) => function.to_token_stream(),
            Member::Other(other) => other.clone(),
        });
        let mut members = Group::new(Delimiter::Brace, quote!(#(#members)*));
        members.set_span(*braces);
        tokens.extend(quote!(#(#attrs)* #unsafety #impl_token #parameters #trait_ #self_ty #where_clause #members));
    }
}
