//! The attributes of a variant, and the values that follow from its kind, its status or its field.

use std::borrow::Cow;
use std::time::Duration;

use resilient_runtime::error::Severity;
use resilient_runtime::{Classify, ErrorKind, McpError, ResilienceError, ToolError};
use serde_json::{Map, Value, json};

use super::{Answers, MakeError, ask, follows_from, object};

fn upstream(status: u16) -> MakeError {
    MakeError::Upstream { status, body: "stack trace of the upstream".into() }
}

#[test]
fn what_a_variant_does_not_say_follows_from_its_kind() {
    macro_rules! every_kind {
        ($($kind:ident)*) => {{
            #[derive(Debug, thiserror::Error, McpError)]
            #[allow(non_camel_case_types)]
            enum Every {
                $(#[error("the Display text")] #[mcp(kind = $kind)] $kind,)*
            }
            [$(Every::$kind),*]
        }};
    }
    let every = every_kind!(invalid_input not_found conflict failed_precondition permission_denied unauthenticated
        quota_exceeded rate_limited timeout connection unavailable bad_response circuit_open overloaded read_only disabled
        cancelled internal);
    assert_eq!(every.len(), ErrorKind::ALL.len());
    for (error, kind) in every.iter().zip(ErrorKind::ALL.iter().copied()) {
        let text = if kind.is_public() { "the Display text" } else { kind.public_sentence() };
        assert_eq!(ask(error), follows_from(kind, &kind.as_str().to_uppercase(), text));
    }
}

#[test]
fn what_a_variant_says_wins_over_its_kind() {
    assert_eq!(
        ask(&MakeError::Odd("team", 7)),
        Answers {
            kind: ErrorKind::BadResponse,
            retry_after: None,
            code: "MAKE_ODD_ANSWER".into(),
            public_message: "{Make} sent no \"team\", team".into(),
            hint: Some("Ask for team and    7.".into()),
            flags: [true, false, false],
            severity: Severity::Critical,
            details: object(&json!({ "1": 7 })),
            protocol_code: Some(-33_001),
            as_resilience: None,
        }
    );
}

#[test]
fn a_code_is_the_prefix_and_the_name_and_a_detail_has_the_fields_name() {
    let answers = ask(&MakeError::NoSuchScenario { id: 7 });
    assert_eq!(
        answers,
        Answers {
            hint: Some("Call list_scenarios for valid ids.".into()),
            details: object(&json!({ "id": 7 })),
            ..follows_from(ErrorKind::NotFound, "MAKE_NO_SUCH_SCENARIO", "no scenario 7")
        }
    );
}

#[test]
fn a_status_decides_when_it_is_known_and_its_display_stays_in_the_log() {
    #[derive(Debug, thiserror::Error, McpError)]
    #[error("answered {0}")]
    #[mcp(public)]
    struct Answered(#[mcp(status)] http::StatusCode);

    for status in [400, 404, 429, 500, 503, 504] {
        let kind = ErrorKind::from_http_status(status);
        assert_eq!(
            ask(&upstream(status)),
            Answers {
                details: object(&json!({ "status": status })),
                ..follows_from(kind, "MAKE_UPSTREAM", kind.public_sentence())
            }
        );
    }
    let unavailable = Answered(http::StatusCode::SERVICE_UNAVAILABLE);
    let text = "answered 503 Service Unavailable";
    assert_eq!(ask(&unavailable), follows_from(ErrorKind::Unavailable, "ANSWERED", text));
}

#[test]
fn a_classified_field_says_kind_and_wait_but_no_text() {
    #[derive(Debug, thiserror::Error, McpError)]
    enum Later {
        #[error("later")]
        Theirs(#[mcp(classify)] Asked),
        #[error("later")]
        Ours(#[mcp(classify)] Asked, #[mcp(retry_after)] Duration),
    }

    let refused = MakeError::from(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
    let sentence = ErrorKind::Connection.public_sentence();
    assert_eq!(ask(&refused), follows_from(ErrorKind::Connection, "MAKE_IO", sentence));

    let asked = || Asked("Retry-After: 7");
    assert_eq!(Later::Theirs(asked()).retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(Later::Ours(asked(), Duration::from_secs(9)).retry_after(), Some(Duration::from_secs(9)));
    assert_eq!(Later::Ours(asked(), Duration::ZERO).kind(), ErrorKind::QuotaExceeded);
}

#[derive(Debug)]
struct Asked(&'static str);

impl Classify for Asked {
    fn kind(&self) -> ErrorKind {
        ErrorKind::QuotaExceeded
    }

    fn retry_after(&self) -> Option<Duration> {
        let (_, seconds) = self.0.split_once(": ")?;
        resilient_runtime::classify::parse_retry_after(seconds)
    }
}

#[test]
fn a_wait_is_a_duration_or_perhaps_one() {
    for wait in [None, Some(Duration::from_secs(3))] {
        assert_eq!(MakeError::RateLimited { wait }.retry_after(), wait);
    }
}

#[test]
fn a_transparent_variant_answers_with_everything_that_its_field_answers() {
    /// An error whose properties differ from the defaults of its kind.
    #[derive(Debug, thiserror::Error)]
    #[error("inside")]
    struct Inner(ResilienceError);

    impl Classify for Inner {
        fn kind(&self) -> ErrorKind {
            ErrorKind::Conflict
        }

        fn retry_after(&self) -> Option<Duration> {
            Some(Duration::from_millis(5))
        }
    }

    impl ToolError for Inner {
        fn code(&self) -> Cow<'static, str> {
            "INNER".into()
        }

        fn public_message(&self) -> Cow<'_, str> {
            "the inner message".into()
        }

        fn hint(&self) -> Option<Cow<'_, str>> {
            None
        }

        fn is_retryable(&self) -> bool {
            true
        }

        fn trips_breaker(&self) -> bool {
            true
        }

        fn falls_back(&self) -> bool {
            true
        }

        fn severity(&self) -> Severity {
            Severity::Critical
        }

        fn details(&self) -> Map<String, Value> {
            object(&json!({ "inner": true }))
        }

        fn protocol_code(&self) -> Option<i32> {
            Some(-33_002)
        }

        fn as_resilience(&self) -> Option<&ResilienceError> {
            Some(&self.0)
        }
    }

    #[derive(Debug, thiserror::Error, McpError)]
    enum Outer {
        #[error(transparent)]
        #[mcp(transparent)]
        Inner(Inner),
        #[error("other")]
        #[mcp(kind = internal)]
        Other,
    }

    #[derive(Debug, thiserror::Error, McpError)]
    #[error("around")]
    #[mcp(transparent)]
    struct Around(#[source] Outer);

    let inner = || Inner(ResilienceError::Cancelled);
    assert_eq!(ask(&Outer::Inner(inner())), ask(&inner()));
    assert_eq!(ask(&Around(Outer::Inner(inner()))), ask(&inner()));
    let sentence = ErrorKind::Internal.public_sentence();
    assert_eq!(ask(&Around(Outer::Other)), follows_from(ErrorKind::Internal, "OTHER", sentence));
    assert_eq!(ask(&MakeError::from(ResilienceError::Cancelled)), ask(&ResilienceError::Cancelled));
    assert_eq!(Outer::CODES, ["OTHER"]);
    assert_eq!(Around::CODES, <[&str; 0]>::default());
}
