//! One log line: JSON, masked, with bounded texts.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::identity::CorrelationId;
use crate::redact;

/// Members that come after the event's own fields.
const LAST: [&str; 3] = ["target", "span", "spans"];

/// Masks a line and adds the correlation id of its call, unless the line has one already.
pub(super) fn masked(line: &[u8], correlation_id: Option<&CorrelationId>) -> Vec<u8> {
    let mut members = read(line).unwrap_or_else(|| {
        let text = redact::fit(String::from_utf8_lossy(line).trim_end());
        Members::build("ERROR", "log.broken", [("message", text.into())])
    });
    if let Some(id) = correlation_id {
        members.add("correlation_id".into(), id.to_string().into());
    }
    members.line()
}

/// Builds a line that does not come from a `tracing` event.
pub(super) fn build<const N: usize>(level: &str, event: &str, more: [(&str, Value); N]) -> Vec<u8> {
    Members::build(level, event, more).line()
}

/// Parses the members of a line. If a value panicked while it was being formatted, its partial line precedes the next
/// one and is skipped.
fn read(line: &[u8]) -> Option<Members> {
    const BEGIN: &[u8] = b"{\"timestamp\"";
    let last = || line.get(line.windows(BEGIN.len()).rposition(|part| part == BEGIN)?..);
    serde_json::from_slice(line).ok().or_else(|| serde_json::from_slice(last()?).ok())
}

fn now() -> String {
    let mut now = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut now));
    now
}

/// The members of an object, in order. If a name occurs more than once, the member written by the log formatter wins
/// over event fields.
struct Members(Vec<(String, Value)>);

impl Members {
    fn build<const N: usize>(level: &str, event: &str, more: [(&str, Value); N]) -> Self {
        let first = [("timestamp", now().into()), ("level", level.into()), ("event", event.into())];
        Self(first.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn add(&mut self, name: String, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            None => self.0.push((name, value)),
            Some((_, known)) if LAST.contains(&&*name) => *known = value,
            Some(_) => {}
        }
    }

    fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members(Vec::new());
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    let value = redact::member(&name, value);
                    members.add(name, value);
                }
                Ok(members)
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
    use serde_json::json;

    use super::*;

    fn shown(line: &str) -> String {
        String::from_utf8(masked(line.as_bytes(), None)).expect("text")
    }

    #[test]
    fn a_line_is_masked_in_its_order_and_what_it_says_itself_counts() {
        let line =
            r#"{"timestamp":"t","level":"INFO","message":"Bearer abcdefghijklmnop","token":7,"n":7,"level":"FAKE"}"#;
        let expected = r#"{"timestamp":"t","level":"INFO","message":"Bearer ***","token":"***","n":7}"#;
        assert_eq!(shown(line), format!("{expected}\n"));
        assert_eq!(shown("{\"a\":\"pass\u{200b}word=hunter2\"}"), "{\"a\":\"password=***\"}\n");
        let line = r#"{"timestamp":"t","span":"fake","target":"fake","target":"x","span":{"token":7}}"#;
        assert_eq!(shown(line), "{\"timestamp\":\"t\",\"span\":{\"token\":\"***\"},\"target\":\"x\"}\n");
    }

    #[test]
    fn whatever_comes_the_line_is_json() {
        let broken: Value = serde_json::from_str(&shown("not JSON, password=hunter2\n")).expect("JSON");
        assert_eq!((&broken["event"], &broken["level"]), (&json!("log.broken"), &json!("ERROR")));
        assert_eq!(broken["message"], "not JSON, password=***");
        assert!(broken["timestamp"].as_str().is_some_and(|at| at.starts_with("20")), "{broken}");
        let broken = r#"{"timestamp":"t","x":"{"timestamp":"u","level":"INFO","y":1}"#;
        assert_eq!(shown(broken), "{\"timestamp\":\"u\",\"level\":\"INFO\",\"y\":1}\n");
        let long = shown(&format!("{{\"a\":\"{}\"}}", "x ".repeat(1_000_000)));
        assert!(long.len() < 1_100, "{}", long.len());
    }

    #[test]
    fn a_line_says_the_id_of_its_call_unless_it_says_one_itself() {
        let id = CorrelationId::from_client("order-7");
        let shown = |line: &str| String::from_utf8(masked(line.as_bytes(), id.as_ref())).expect("text");
        assert_eq!(shown("{\"a\":1}"), "{\"a\":1,\"correlation_id\":\"order-7\"}\n");
        assert_eq!(shown("{\"correlation_id\":\"own\"}"), "{\"correlation_id\":\"own\"}\n");
        assert!(shown("no JSON").ends_with(",\"message\":\"no JSON\",\"correlation_id\":\"order-7\"}\n"));
    }
}
