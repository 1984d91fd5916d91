//! One line of the log as it may be read: JSON, masked, as long as is worth reading.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use crate::redact;

/// A line as it may be read.
pub(super) fn masked(line: &[u8]) -> Vec<u8> {
    let mut masked = read(line).and_then(|members| serde_json::to_vec(&members).ok()).unwrap_or_else(|| {
        let text = redact::fit(String::from_utf8_lossy(line).trim_end());
        json!({ "level": "ERROR", "event": "log.broken", "message": text }).to_string().into_bytes()
    });
    masked.push(b'\n');
    masked
}

/// The members of a line. A value that panicked while it was written leaves its half of a line before
/// the next one.
fn read(line: &[u8]) -> Option<Members> {
    const BEGIN: &[u8] = b"{\"timestamp\"";
    let last = || line.get(line.windows(BEGIN.len()).rposition(|part| part == BEGIN)?..);
    serde_json::from_slice(line).ok().or_else(|| serde_json::from_slice(last()?).ok())
}

/// The members of an object in their order. Of those of one name the first is what the log says
/// itself; the others are fields of the event's.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.iter().all(|(known, _)| *known != name) {
                        let value = redact::member(&name, value);
                        members.push((name, value));
                    }
                }
                Ok(Members(members))
            }
        }

        from.deserialize_map(Reader)
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        String::from_utf8(masked(line.as_bytes())).expect("text")
    }

    #[test]
    fn a_line_is_masked_in_its_order_and_what_it_says_itself_comes_first() {
        let line =
            r#"{"timestamp":"t","level":"INFO","message":"Bearer abcdefghijklmnop","token":7,"n":7,"level":"FAKE"}"#;
        let expected = r#"{"timestamp":"t","level":"INFO","message":"Bearer ***","token":"***","n":7}"#;
        assert_eq!(shown(line), format!("{expected}\n"));
        assert_eq!(shown("{\"a\":\"pass\u{200b}word=hunter2\"}"), "{\"a\":\"password=***\"}\n");
    }

    #[test]
    fn whatever_comes_the_line_is_json() {
        assert_eq!(
            shown("not JSON, password=hunter2\n"),
            "{\"event\":\"log.broken\",\"level\":\"ERROR\",\"message\":\"not JSON, password=***\"}\n"
        );
        let broken = r#"{"timestamp":"t","x":"{"timestamp":"u","level":"INFO","y":1}"#;
        assert_eq!(shown(broken), "{\"timestamp\":\"u\",\"level\":\"INFO\",\"y\":1}\n");
        let long = shown(&format!("{{\"a\":\"{}\"}}", "x ".repeat(1_000_000)));
        assert!(long.len() < 1_100, "{}", long.len());
    }
}
