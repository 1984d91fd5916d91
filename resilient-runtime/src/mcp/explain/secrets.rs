//! Secrets among arguments: the values under a secret's name, which no text may show.

use serde_json::Value;

use super::{Step, at};
use crate::redact::{self, MASK};

/// The secrets among the arguments of one call.
pub(super) struct Secrets {
    masked: Value,
    /// The forms in which serde's messages may contain the secrets.
    written: Vec<String>,
}

/// The minimum length of a secret that can be distinguished from a part of a word.
const SHORT: usize = 4;

impl Secrets {
    pub(super) fn of(arguments: &Value) -> Self {
        // The forms of secrets are masked later, in the texts that are shown.
        let masked = redact::by_name(arguments.clone());
        let mut written = Vec::new();
        compare(arguments, &masked, &mut written);
        // Changing the case of ASCII letters only keeps all byte positions.
        let mut written: Vec<_> = written.iter().map(|secret| secret.to_ascii_lowercase()).collect();
        written.sort_unstable();
        written.dedup();
        Self { masked, written }
    }

    /// Returns the number of steps of a path that lead to a secret, if any do. Later steps are within the secret.
    pub(super) fn depth_in(&self, path: &[Step]) -> Option<usize> {
        (1..=path.len())
            .find(|depth| path.get(..*depth).and_then(|above| at(&self.masked, above)).is_some_and(|at| at == MASK))
    }

    /// Returns whether a text contains a secret, ignoring case.
    pub(super) fn are_in(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.written.iter().any(|secret| text.contains(secret.as_str()))
    }

    /// Masks all secrets in a message of a type's author, ignoring case. Returns `None` if a secret in it is too short
    /// to be distinguished from a part of a word.
    pub(super) fn masked_in(&self, text: &str) -> Option<String> {
        let small = text.to_ascii_lowercase();
        let mut found = Vec::new();
        for secret in &self.written {
            let before = found.len();
            found.extend(small.match_indices(secret.as_str()).map(|(at, _)| (at, at + secret.len())));
            if secret.len() < SHORT && found.len() > before {
                return None;
            }
        }
        found.sort_unstable();
        let (mut masked, mut done) = (String::with_capacity(text.len()), 0);
        for (begin, end) in found {
            // Matches may overlap.
            if begin >= done {
                masked.push_str(text.get(done..begin)?);
                masked.push_str(MASK);
            }
            done = done.max(end);
        }
        masked.push_str(text.get(done..)?);
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
        Value::String(plain) if !plain.is_empty() => text(plain, written),
        Value::Number(number) => {
            written.push(number.to_string());
            // JSON may contain `1e20`, which a message writes differently.
            written.extend(number.as_f64().filter(|_| number.is_f64()).map(|number| number.to_string()));
        }
        Value::Array(items) => items.iter().for_each(|item| scalars(item, written)),
        Value::Object(members) => {
            for (key, member) in members {
                // Shorter keys, such as `id`, are names.
                if key.len() >= SHORT {
                    text(key, written);
                }
                scalars(member, written);
            }
        }
        Value::String(_) | Value::Bool(_) | Value::Null => {}
    }
}

fn text(plain: &str, written: &mut Vec<String>) {
    // Messages escape texts in quotes.
    let quoted = format!("{plain:?}");
    let escaped = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&quoted);
    written.extend([escaped.to_owned(), plain.to_owned()]);
}
