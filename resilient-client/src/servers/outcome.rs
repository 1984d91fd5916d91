//! The result of a call.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use crate::message::Message;

/// The result of a call: what the tool has answered, and which tool that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallToolOutcome {
    answered_by: String,
    instead_of: Option<String>,
    is_error: bool,
    result: String,
    text: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Read {
    content: Vec<Value>,
    structured_content: Option<Value>,
}

impl CallToolOutcome {
    pub(super) fn new(answered_by: String, response: &Message, is_error: bool) -> Self {
        let read: Read = response.read_result().unwrap_or_default();
        let result = response.result().unwrap_or("{}").to_owned();
        Self { answered_by, instead_of: None, is_error, result, text: text_of(&read) }
    }

    pub(super) fn instead_of(mut self, tool: &str) -> Self {
        self.instead_of = Some(tool.to_owned());
        self
    }

    /// Returns the tool that has answered, as `server__tool`: the one that was called, or an alternative.
    #[must_use]
    pub fn answered_by(&self) -> &str {
        &self.answered_by
    }

    /// Returns whether an alternative has answered.
    #[must_use]
    pub const fn is_alternative(&self) -> bool {
        self.instead_of.is_some()
    }

    /// Returns whether the tool says that it failed: `isError`.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        self.is_error
    }

    /// Returns the result as the server has sent it, as JSON.
    #[must_use]
    pub fn result(&self) -> &str {
        &self.result
    }

    /// Returns the texts of the content, joined by line breaks. Other content is named in brackets. Without content, it
    /// is the structured content as JSON.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what to pass to a model: the text, after a line that names the alternative if one has answered.
    #[must_use]
    pub fn text_for_model(&self) -> String {
        match &self.instead_of {
            Some(tool) => format!("[`{tool}` is not available; `{}` answered]\n{}", self.answered_by, self.text),
            None => self.text.clone(),
        }
    }
}

fn text_of(read: &Read) -> String {
    let mut text = String::new();
    for item in &read.content {
        if !text.is_empty() {
            text.push('\n');
        }
        let part = |pointer: &str| item.pointer(pointer).and_then(Value::as_str);
        if let Some(part) = part("/text").or_else(|| part("/resource/text")) {
            text.push_str(part);
            continue;
        }
        let kind = part("/type").unwrap_or("content");
        let about = part("/uri").or_else(|| part("/resource/uri")).or_else(|| part("/mimeType"));
        // Writing to a `String` cannot fail.
        let _ = match about {
            Some(about) => write!(text, "[{kind}: {about}]"),
            None => write!(text, "[{kind}]"),
        };
    }
    match &read.structured_content {
        Some(structured) if text.is_empty() => structured.to_string(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(result: &str) -> CallToolOutcome {
        CallToolOutcome::new("web__get".into(), &Message::result_of("1", result), false)
    }

    #[test]
    fn the_text_joins_what_can_be_read_and_names_the_rest() {
        let result = r#"{"content":[{"type":"text","text":"one"},{"type":"image","data":"AAAA","mimeType":"image/png"},
            {"type":"resource_link","uri":"file:///a"},{"type":"resource","resource":{"uri":"file:///b","text":"two"}},
            {"type":"odd"}]}"#;
        assert_eq!(outcome(result).text(), "one\n[image: image/png]\n[resource_link: file:///a]\ntwo\n[odd]");
        assert_eq!(outcome(result).result(), result);
    }

    #[test]
    fn structured_content_is_the_text_if_there_is_no_other() {
        let both = r#"{"content":[{"type":"text","text":"seven"}],"structuredContent":{"n":7}}"#;
        assert_eq!(outcome(both).text(), "seven");
        assert_eq!(outcome(r#"{"content":[],"structuredContent":{"n":7}}"#).text(), r#"{"n":7}"#);
        assert_eq!(outcome(r#"{"content":7}"#).text(), "");
    }

    #[test]
    fn a_model_reads_which_tool_has_answered_instead() {
        let outcome = outcome(r#"{"content":[{"type":"text","text":"one"}]}"#);
        assert_eq!(outcome.text_for_model(), "one");
        let text = outcome.instead_of("search").text_for_model();
        assert_eq!(text, "[`search` is not available; `web__get` answered]\none");
    }
}
