//! Values among arguments that no text may show: those under the name of a secret.

use serde_json::Value;

use super::{Step, at};
use crate::redact::{self, MASK};

/// The secrets among the arguments of one call.
pub(super) struct Secrets {
    masked: Value,
    /// How serde's messages write each of them.
    written: Vec<String>,
}

impl Secrets {
    pub(super) fn of(arguments: &Value) -> Self {
        let masked = redact::json(arguments.clone());
        let mut written = Vec::new();
        compare(arguments, &masked, &mut written);
        Self { masked, written }
    }

    /// Whether what is there is a secret, or belongs to one.
    pub(super) fn are_at(&self, path: &[Step]) -> bool {
        (1..=path.len())
            .any(|depth| path.get(..depth).and_then(|above| at(&self.masked, above)).is_some_and(|value| value == MASK))
    }

    /// Whether a text shows one of them.
    pub(super) fn are_in(&self, text: &str) -> bool {
        self.written.iter().any(|secret| text.contains(secret.as_str()))
    }

    /// A text in the words of a type's author, each secret in it masked, whatever its case. `None` where a secret is
    /// too short to be told from a part of a word.
    pub(super) fn masked_in(&self, text: &str) -> Option<String> {
        const SHORT: usize = 4;
        let mut masked = text.to_owned();
        for secret in &self.written {
            // ASCII alone changes its case: all others keep their place.
            let (secret, mut from) = (secret.to_ascii_lowercase(), 0);
            while let Some(at) = masked.get(from..)?.to_ascii_lowercase().find(&secret) {
                if secret.len() < SHORT {
                    return None;
                }
                masked.replace_range(from + at..from + at + secret.len(), MASK);
                from += at + MASK.len();
            }
        }
        Some(masked)
    }
}

fn compare(plain: &Value, masked: &Value, written: &mut Vec<String>) {
    match (plain, masked) {
        (plain, Value::String(mask)) if mask == MASK => scalars(plain, written),
        (Value::Array(plain), Value::Array(masked)) => {
            plain.iter().zip(masked).for_each(|(plain, masked)| compare(plain, masked, written));
        }
        (Value::Object(plain), Value::Object(masked)) => {
            for (key, plain) in plain {
                if let Some(masked) = masked.get(key) {
                    compare(plain, masked, written);
                }
            }
        }
        _ => {}
    }
}

fn scalars(value: &Value, written: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() => {
            // In quotes it is escaped.
            let quoted = format!("{text:?}");
            written.extend([quoted.trim_matches('"').to_owned(), text.clone()]);
        }
        Value::Number(number) => written.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| scalars(item, written)),
        Value::Object(members) => members.values().for_each(|member| scalars(member, written)),
        Value::String(_) | Value::Bool(_) | Value::Null => {}
    }
}
