//! Reads rmcp's own attributes of a function: whether it is a tool or a prompt, its name, and its annotations about
//! side effects.

use darling::ast::NestedMeta;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Type};

use crate::resilient::parse::function::OpaqueFn;

/// A function that rmcp serves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tool {
    pub(crate) is_prompt: bool,
    pub(crate) name: Option<String>,
    pub(crate) read_only: Option<Hint>,
    pub(crate) idempotent: Option<Hint>,
    pub(crate) destructive: Option<Hint>,
}

/// An annotation whose value is a literal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hint {
    pub(crate) value: bool,
}

impl Tool {
    /// Finds the tool that the attributes describe, if there is one.
    pub(crate) fn find(attrs: &[Attribute]) -> Option<Self> {
        let attribute = attrs.iter().find(|attr| is_tool(attr))?;
        let mut tool = Self { is_prompt: last_is(attribute, "prompt"), ..Self::default() };
        // rmcp reports a list that it cannot read either.
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

    /// Returns the annotation that says that the tool changes something, if there is one.
    pub(crate) fn denies_reading(&self) -> Option<Hint> {
        let writes = self.read_only.filter(|hint| !hint.value);
        writes.or_else(|| self.destructive.filter(|hint| hint.value && !self.says_read_only()))
    }

    pub(crate) fn says_read_only(&self) -> bool {
        self.is_prompt || self.read_only.is_some_and(|hint| hint.value)
    }

    pub(crate) fn says_idempotent(&self) -> bool {
        self.idempotent.is_some_and(|hint| hint.value)
    }
}

/// Returns whether this is `#[tool]` or `#[prompt]`, with any path.
pub(crate) fn is_tool(attr: &Attribute) -> bool {
    last_is(attr, "tool") || last_is(attr, "prompt")
}

/// Returns whether the last segment of an attribute's path is this word.
pub(crate) fn last_is(attr: &Attribute, word: &str) -> bool {
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

/// Returns whether a tool without its own keys can be guarded: it is `async`, and its return type seems to carry an
/// error. The hook limits any other `async` tool.
pub(crate) fn can_inherit(function: &OpaqueFn) -> bool {
    function.sig.asyncness.is_some()
        && Tool::find(&function.attrs).is_some()
        && match function.output() {
            Some(Type::Path(path)) => path.path.segments.last().is_some_and(|last| {
                let name = last.ident.to_string();
                // Types of rmcp with this ending that are not a `Result`.
                let is_no_result = matches!(name.as_str(), "InputRequiredResult" | "GetPromptResult");
                (name.ends_with("Result") && !is_no_result) || name == "CallToolResponse"
            }),
            _ => false,
        }
}
