//! Reads rmcp's own attributes of a function: whether it is a tool or a prompt, its name, and its annotations about
//! side effects.

use darling::ast::NestedMeta;
use resilient_policy::Value;
use syn::{Attribute, Meta};

use crate::parse::{list, node};
use crate::resilient::parse::function::{OpaqueFn, last_name};

/// A function that rmcp serves, with the annotations whose values are literals.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tool {
    pub(crate) is_prompt: bool,
    pub(crate) name: Option<String>,
    pub(crate) read_only: Option<bool>,
    pub(crate) idempotent: Option<bool>,
    pub(crate) destructive: Option<bool>,
}

impl Tool {
    /// Finds the tool that the attributes describe, if there is one.
    pub(crate) fn find(attrs: &[Attribute]) -> Option<Self> {
        let attribute = attrs.iter().find(|attr| is_tool(attr))?;
        let mut tool = Self { is_prompt: last_is(attribute, "prompt"), ..Self::default() };
        for entry in entries(&attribute.meta) {
            match (&*list::name_of(&entry), node::value(&entry).value) {
                ("name", Value::Text(name)) => tool.name = Some(name),
                ("annotations", _) => tool.take_hints(&entry),
                _ => {}
            }
        }
        Some(tool)
    }

    fn take_hints(&mut self, annotations: &Meta) {
        for hint in entries(annotations) {
            let value = match node::value(&hint).value {
                Value::Alone => Some(true),
                Value::Bool(value) => Some(value),
                _ => None,
            };
            match &*list::name_of(&hint) {
                "read_only_hint" => self.read_only = value,
                "idempotent_hint" => self.idempotent = value,
                "destructive_hint" => self.destructive = value,
                _ => {}
            }
        }
    }

    /// Returns whether an annotation says that the tool changes something.
    pub(crate) fn denies_reading(&self) -> bool {
        self.read_only == Some(false) || self.destructive == Some(true) && !self.says_read_only()
    }

    pub(crate) fn says_read_only(&self) -> bool {
        self.is_prompt || self.read_only == Some(true)
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

/// Returns the entries of a list. rmcp reports a list that cannot be read.
fn entries(meta: &Meta) -> Vec<Meta> {
    let list = meta.require_list().map(|list| list.tokens.clone()).unwrap_or_default();
    let entries = NestedMeta::parse_meta_list(list).unwrap_or_default().into_iter();
    entries.filter_map(|entry| if let NestedMeta::Meta(entry) = entry { Some(entry) } else { None }).collect()
}

/// Returns whether a tool without its own keys can be guarded: it is `async`, and its return type seems to carry an
/// error. The hook limits any other `async` tool.
pub(crate) fn can_inherit(function: &OpaqueFn) -> bool {
    // Types of rmcp with the ending `Result` that are not a `Result`.
    const NO_RESULT: &[&str] = &["InputRequiredResult", "GetPromptResult"];
    let Some(last) = function.output().and_then(last_name) else { return false };
    let carries_error = last == "CallToolResponse" || last.ends_with("Result") && !NO_RESULT.contains(&&*last);
    carries_error && function.sig.asyncness.is_some() && function.attrs.iter().any(is_tool)
}
