//! The text of a file of rules: YAML.

use std::fmt::Write as _;

/// A file of rules that is being written. Keys are words. Other values are quoted as JSON, which is YAML.
pub(super) struct RulesFile(String);

impl RulesFile {
    pub(super) fn new(comment: &str) -> Self {
        let mut file = Self(String::new());
        for line in comment.lines() {
            let _ = writeln!(file.0, "# {line}");
        }
        file.0.push_str("groups:\n");
        file
    }

    /// Begins a group. Without an interval it has that of Prometheus.
    pub(super) fn group(&mut self, name: &str, interval: Option<&str>) {
        let _ = writeln!(self.0, "  - name: {name}");
        if let Some(interval) = interval {
            let _ = writeln!(self.0, "    interval: {interval}");
        }
        self.0.push_str("    rules:\n");
    }

    /// Begins a rule, whose first key is `record` or `alert`.
    pub(super) fn rule(&mut self, key: &str, name: &str, expression: &str) {
        let _ = write!(self.0, "      - {key}: {name}\n        expr: |-\n");
        for line in expression.lines() {
            let _ = writeln!(self.0, "          {line}");
        }
    }

    /// Adds a key with a word as its value.
    pub(super) fn word(&mut self, key: &str, word: &str) {
        let _ = writeln!(self.0, "        {key}: {word}");
    }

    /// Adds a key whose value has keys with texts as their values.
    pub(super) fn texts(&mut self, key: &str, texts: &[(&str, &str)]) {
        let _ = writeln!(self.0, "        {key}:");
        for (key, text) in texts {
            let is_word = text.bytes().all(|byte| byte.is_ascii_lowercase());
            let value = if is_word { (*text).to_owned() } else { serde_json::Value::from(*text).to_string() };
            let _ = writeln!(self.0, "          {key}: {value}");
        }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}
