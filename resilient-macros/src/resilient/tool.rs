//! What rmcp's own attributes say about a function: that it is a tool or a prompt, its name, what
//! repeating it would do.

use darling::ast::NestedMeta;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// A function that rmcp serves.
#[derive(Debug, Clone, Default)]
pub(super) struct Tool {
    pub(super) is_prompt: bool,
    pub(super) name: Option<String>,
    pub(super) read_only: Option<Hint>,
    pub(super) idempotent: Option<Hint>,
    pub(super) destructive: Option<Hint>,
}

/// An annotation with a value that can be read here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hint {
    pub(super) value: bool,
}

impl Tool {
    /// The tool that the attributes describe, if they do.
    pub(super) fn find(attrs: &[Attribute]) -> Option<Self> {
        let attribute = attrs.iter().find(|attr| is_tool(attr))?;
        let mut tool = Self { is_prompt: last_is(attribute, "prompt"), ..Self::default() };
        // A list that rmcp cannot read either is its business to tell.
        for entry in entries(&attribute.meta) {
            match &entry {
                Meta::NameValue(pair) if pair.path.is_ident("name") => tool.name = text(&pair.value),
                Meta::List(list) if list.path.is_ident("annotations") => {
                    for hint in entries(&entry) {
                        tool.take_hint(&hint);
                    }
                }
                _ => {}
            }
        }
        Some(tool)
    }

    fn take_hint(&mut self, hint: &Meta) {
        let place = match hint.path().get_ident().map(ToString::to_string).as_deref() {
            Some("read_only_hint") => &mut self.read_only,
            Some("idempotent_hint") => &mut self.idempotent,
            Some("destructive_hint") => &mut self.destructive,
            _ => return,
        };
        *place = match hint {
            Meta::Path(_) => Some(Hint { value: true }),
            Meta::NameValue(pair) => match &pair.value {
                Expr::Lit(ExprLit { lit: Lit::Bool(value), .. }) => Some(Hint { value: value.value }),
                _ => None,
            },
            Meta::List(_) => None,
        };
    }

    /// The annotation that says that the tool changes something, if one does.
    pub(super) fn denies_reading(&self) -> Option<Hint> {
        let writes = self.read_only.filter(|hint| !hint.value);
        writes.or_else(|| self.destructive.filter(|hint| hint.value && !self.says_read_only()))
    }

    pub(super) fn says_read_only(&self) -> bool {
        self.is_prompt || self.read_only.is_some_and(|hint| hint.value)
    }

    pub(super) fn says_idempotent(&self) -> bool {
        self.idempotent.is_some_and(|hint| hint.value)
    }
}

/// Whether this is `#[tool]` or `#[prompt]`, however it was imported.
pub(super) fn is_tool(attr: &Attribute) -> bool {
    last_is(attr, "tool") || last_is(attr, "prompt")
}

/// Whether the last segment of an attribute's path is this word.
pub(super) fn last_is(attr: &Attribute, word: &str) -> bool {
    attr.path().segments.last().is_some_and(|last| last.ident == word)
}

fn entries(meta: &Meta) -> Vec<Meta> {
    let Meta::List(list) = meta else { return Vec::new() };
    let parsed = NestedMeta::parse_meta_list(list.tokens.clone()).unwrap_or_default();
    parsed
        .into_iter()
        .filter_map(|entry| match entry {
            NestedMeta::Meta(meta) => Some(meta),
            _ => None,
        })
        .collect()
}

fn text(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}
