//! Conversion between plain text and Atlassian's document format.

use serde_json::{Value, json};

/// Creates a document with a paragraph for each line.
pub(super) fn from_text(text: &str) -> Value {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let paragraphs: Vec<_> =
        lines.map(|line| json!({ "type": "paragraph", "content": [{ "type": "text", "text": line }] })).collect();
    json!({ "type": "doc", "version": 1, "content": paragraphs })
}

/// Extracts the text of a document, one line for each block.
pub(super) fn to_text(document: &Value) -> String {
    let mut text = String::new();
    write(document, &mut text);
    text.truncate(text.trim_end().len());
    text
}

fn write(node: &Value, text: &mut String) {
    match node["type"].as_str() {
        Some("text") => text.push_str(node["text"].as_str().unwrap_or_default()),
        Some("hardBreak") => text.push('\n'),
        _ => {}
    }
    for child in node["content"].as_array().into_iter().flatten() {
        write(child, text);
    }
    let is_block = matches!(node["type"].as_str(), Some("paragraph" | "heading" | "codeBlock" | "tableRow"));
    if is_block && !text.ends_with('\n') {
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_without_its_blank_lines() {
        assert_eq!(to_text(&from_text("It prints\n\n  nothing.\n")), "It prints\n  nothing.");
        assert_eq!(to_text(&from_text("")), "");
    }

    #[test]
    fn of_a_document_the_words_are_kept() {
        let text = |text: &str| json!({ "type": "text", "text": text });
        let document = json!({ "type": "doc", "content": [
            { "type": "heading", "attrs": { "level": 1 }, "content": [text("To"), text("do")] },
            { "type": "bulletList", "content": [
                { "type": "listItem", "content": [{ "type": "paragraph", "content": [text("a"), { "type": "hardBreak" }, text("b")] }] },
                { "type": "listItem", "content": [{ "type": "paragraph", "content": [{ "type": "emoji" }] }] },
            ]},
        ]});
        assert_eq!(to_text(&document), "Todo\na\nb");
        assert_eq!(to_text(&Value::Null), "");
    }
}
