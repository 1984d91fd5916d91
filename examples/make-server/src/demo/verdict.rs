//! Judges one response: is it the upstream's current data, or marked as old?

use std::time::Duration;

use rmcp::model::CallToolResult;
use serde_json::Value;

use super::calls::Call;
use crate::upstream::{DEMO_TOKEN, PANIC_TEXT, PRIVATE_TEXT, stats::Stats};

/// The `_meta` key of a result.
const CALL_META: &str = "io.crates.resilient-runtime/call";
/// The `_meta` key of an error.
const ERROR_META: &str = "io.crates.resilient-runtime/error";
/// Texts that no response may contain.
const PRIVATE: [&str; 3] = [DEMO_TOKEN, PANIC_TEXT, PRIVATE_TEXT];
/// The words of which one must be in the text that marks data as old.
const OLD: [&str; 5] = ["cached", "old", "stale", "earlier", "ago"];

/// How a call ended for the client.
#[derive(Debug)]
pub(super) enum Ending {
    /// With a result, which may be an error of the tool.
    Result(Box<CallToolResult>),
    /// With an error of the protocol.
    Protocol(String),
    /// Without a response within the client's limit.
    Unanswered,
}

/// A call and its outcome.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) call: Call,
    pub(super) ending: Ending,
    /// The duration of the call.
    pub(super) waited: Duration,
    /// The upstream's revision during the call.
    pub(super) revision: u64,
}

/// The judgement of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Current data; for a run, proof of its execution.
    Right,
    /// Earlier data, marked as old.
    Stale,
    /// An error, with its kind where one is given.
    Error(Option<String>),
    /// Wrong data, or old data that are not marked.
    Wrong(String),
    /// No response.
    Unanswered,
}

impl Outcome {
    /// Compares the response with the upstream's data and its list of runs.
    pub(super) fn verdict(&self, stats: &Stats) -> Verdict {
        let result = match &self.ending {
            Ending::Unanswered => return Verdict::Unanswered,
            Ending::Protocol(_) => return Verdict::Error(None),
            Ending::Result(result) => result,
        };
        if result.is_error == Some(true) {
            let kind = self.error_meta("kind").and_then(Value::as_str);
            return Verdict::Error(kind.map(str::to_owned));
        }
        let Some(answer) = &result.structured_content else {
            return Verdict::Wrong("no structured content".to_owned());
        };
        if !self.call.reads() {
            let id = answer.get("executionId").and_then(Value::as_str);
            return match id {
                Some(id) if stats.executions.contains_key(id) => Verdict::Right,
                _ => Verdict::Wrong(format!("no such run: {answer}")),
            };
        }
        let said_at = |revision| self.call.truth(revision).is_some_and(|truth| agrees(answer, &truth));
        match (said_at(self.revision), self.disclosed(result)) {
            (true, None) => Verdict::Right,
            (true, Some(true)) => Verdict::Stale,
            (false, Some(true)) if (0..self.revision).any(said_at) => Verdict::Stale,
            (false, None) => Verdict::Wrong(format!("not what the upstream says, and no word about it: {answer}")),
            (_, Some(false)) => Verdict::Wrong("degraded without source, age or a text that says so".to_owned()),
            (false, Some(true)) => Verdict::Wrong(format!("the upstream never said this: {answer}")),
        }
    }

    /// Whether the response says that the breaker rejected the call.
    pub(super) fn met_open_breaker(&self) -> bool {
        let said = [self.error_meta("kind"), self.call_meta("reason")];
        said.into_iter().flatten().any(|said| said == "circuit_open")
    }

    /// Whether the response has the correlation id, by which the call is found in the log.
    pub(super) fn has_correlation_id(&self) -> bool {
        let id = self.error_meta("correlation_id").or_else(|| self.call_meta("correlation_id"));
        id.and_then(Value::as_str).is_some_and(|id| !id.is_empty())
    }

    /// Whether the response contains a private text.
    pub(super) fn leaks(&self) -> bool {
        let text = match &self.ending {
            Ending::Result(result) => serde_json::to_string(result).unwrap_or_default(),
            Ending::Protocol(text) => text.clone(),
            Ending::Unanswered => return false,
        };
        PRIVATE.iter().any(|private| text.contains(private))
    }

    /// `None` if the response does not claim to be old. Otherwise whether it is marked completely: in `_meta`, with
    /// source and age, and in a separate text after the content.
    fn disclosed(&self, result: &CallToolResult) -> Option<bool> {
        if self.call_meta("degraded").and_then(Value::as_bool) != Some(true) {
            return None;
        }
        let facts = self.call_meta("source").is_some_and(Value::is_string)
            && self.call_meta("age_ms").is_some_and(Value::is_u64);
        let texts = result.content.iter().skip(1).filter_map(|block| block.as_text());
        let told = texts.map(|text| text.text.to_lowercase()).any(|text| OLD.iter().any(|word| text.contains(word)));
        Some(facts && told)
    }

    fn call_meta(&self, key: &str) -> Option<&Value> {
        self.meta(CALL_META, key)
    }

    fn error_meta(&self, key: &str) -> Option<&Value> {
        self.meta(ERROR_META, key)
    }

    fn meta(&self, object: &str, key: &str) -> Option<&Value> {
        let Ending::Result(result) = &self.ending else { return None };
        result.meta.as_ref()?.0.get(object)?.get(key)
    }
}

/// Whether every item of the response is in the upstream's data. The server may omit fields, but not invent or change
/// one, and the fields that identify an item must be present.
fn agrees(answer: &Value, truth: &Value) -> bool {
    match (answer, truth) {
        (Value::Object(answer), Value::Object(truth)) => {
            let names = ["id", "name", "scenarios", "connections"];
            names.iter().all(|name| answer.contains_key(*name) == truth.contains_key(*name))
                && answer.iter().all(|(key, value)| truth.get(key).is_some_and(|truth| agrees(value, truth)))
        }
        (Value::Array(answer), Value::Array(truth)) => {
            answer.len() == truth.len() && answer.iter().zip(truth).all(|(answer, truth)| agrees(answer, truth))
        }
        (answer, truth) => answer == truth,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rmcp::model::{ContentBlock, MetaObject};
    use serde_json::json;

    use super::*;
    use crate::upstream::{data, stats::Counts};

    const CALL: Call = Call::GetScenario { id: 101 };

    fn books() -> Stats {
        let executions = BTreeMap::from([("abc".to_owned(), 101)]);
        let (total, phases) = (Counts::default(), BTreeMap::new());
        Stats { phase: "healthy".to_owned(), revision: 2, in_flight: 0, total, phases, executions }
    }

    fn outcome(call: Call, result: CallToolResult) -> Outcome {
        Outcome { call, ending: Ending::Result(Box::new(result)), waited: Duration::ZERO, revision: 2 }
    }

    fn read(revision: u64) -> CallToolResult {
        CallToolResult::structured(data::scenario(101, revision).unwrap()["scenario"].take())
    }

    fn degraded(mut result: CallToolResult, meta: &Value, text: Option<&str>) -> CallToolResult {
        result.meta = Some(MetaObject(json!({ CALL_META: meta }).as_object().unwrap().clone()));
        result.content.extend(text.map(ContentBlock::text));
        result
    }

    #[test]
    fn a_fresh_answer_is_right_and_an_old_one_is_wrong() {
        assert_eq!(outcome(CALL, read(2)).verdict(&books()), Verdict::Right);
        assert!(matches!(outcome(CALL, read(1)).verdict(&books()), Verdict::Wrong(_)));
        assert!(matches!(outcome(CALL, CallToolResult::structured(json!({}))).verdict(&books()), Verdict::Wrong(_)));
    }

    #[test]
    fn an_old_answer_must_say_so_in_meta_and_in_text() {
        let meta = json!({ "degraded": true, "source": "cached", "age_ms": 1200, "reason": "circuit_open" });
        let told = outcome(CALL, degraded(read(1), &meta, Some("This answer is 1 s old.")));
        assert_eq!(told.verdict(&books()), Verdict::Stale);
        assert!(told.met_open_breaker());

        let silent = outcome(CALL, degraded(read(1), &meta, None));
        assert!(matches!(silent.verdict(&books()), Verdict::Wrong(_)));
        let vague = degraded(read(1), &json!({ "degraded": true }), Some("This answer is 1 s old."));
        assert!(matches!(outcome(CALL, vague).verdict(&books()), Verdict::Wrong(_)));
    }

    #[test]
    fn an_invented_answer_is_wrong_even_if_disclosed() {
        let meta = json!({ "degraded": true, "source": "cached", "age_ms": 1 });
        let mut result = read(1);
        result.structured_content.as_mut().unwrap()["name"] = json!("Something else");
        let invented = degraded(result, &meta, Some("old"));
        assert!(matches!(outcome(CALL, invented).verdict(&books()), Verdict::Wrong(_)));
    }

    #[test]
    fn a_run_is_right_if_it_took_place() {
        let call = Call::RunScenario { id: 101 };
        let ran = |id: &str| outcome(call, CallToolResult::structured(json!({ "executionId": id }))).verdict(&books());
        assert_eq!(ran("abc"), Verdict::Right);
        assert!(matches!(ran("abd"), Verdict::Wrong(_)));
    }

    #[test]
    fn errors_tell_their_kind_and_keep_secrets() {
        let mut result = CallToolResult::error(vec![ContentBlock::text("MAKE_INTERNAL")]);
        let meta = json!({ ERROR_META: { "kind": "internal", "correlation_id": "x" } });
        result.meta = Some(MetaObject(meta.as_object().unwrap().clone()));
        let error = outcome(CALL, result);
        assert_eq!(error.verdict(&books()), Verdict::Error(Some("internal".to_owned())));
        assert!(error.has_correlation_id() && !error.leaks() && !error.met_open_breaker());

        let leaky = outcome(CALL, CallToolResult::error(vec![ContentBlock::text(format!("oh: {PANIC_TEXT}"))]));
        assert!(leaky.leaks());
        assert_eq!(leaky.verdict(&books()), Verdict::Error(None));
    }
}
