//! What `#[derive(McpError)]` makes of an enum or a struct: who reads what, and who decides.

use std::borrow::Cow;
use std::time::Duration;

use resilient_runtime::{CatalogEntry, Classify, ErrorKind, McpError, ResilienceError, Severity};
use serde_json::{Map, Value, json};

#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "MAKE")]
enum MakeError {
    #[error("no scenario {id}")]
    #[mcp(kind = not_found, hint = "Call list_scenarios for valid ids.")]
    NoSuchScenario {
        #[mcp(detail)]
        id: u64,
    },
    #[error("rate limited")]
    #[mcp(kind = rate_limited)]
    RateLimited {
        #[mcp(retry_after)]
        wait: Option<Duration>,
    },
    #[error("upstream answered {status}: {body}")]
    Upstream {
        #[mcp(status, detail)]
        status: u16,
        body: String,
    },
    #[error("cannot reach Make: {0}")]
    Io(
        #[from]
        #[mcp(classify)]
        std::io::Error,
    ),
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
    #[error("the answer had no `{0}` and `{1}` is odd")]
    #[mcp(
        kind = bad_response, code = "MAKE_ODD_ANSWER", message = "{{Make}} sent no {0:?}, {0}", severity = critical,
        hint = "Ask for {0} and {1:>4}.", retryable = true, trips_breaker = false, fallback = false, protocol = -33001
    )]
    Odd(&'static str, #[mcp(detail)] u8),
}

fn upstream(status: u16) -> MakeError {
    MakeError::Upstream { status, body: "stack trace of the upstream".into() }
}

/// Everything that an error answers.
#[derive(Debug, PartialEq)]
struct Answers {
    kind: ErrorKind,
    retry_after: Option<Duration>,
    code: String,
    public_message: String,
    hint: Option<String>,
    flags: [bool; 3],
    severity: Severity,
    details: Map<String, Value>,
    protocol_code: Option<i32>,
    as_resilience: Option<ResilienceError>,
}

fn ask(error: &dyn McpError) -> Answers {
    Answers {
        kind: error.kind(),
        retry_after: error.retry_after(),
        code: error.code().into_owned(),
        public_message: error.public_message().into_owned(),
        hint: error.hint().map(Cow::into_owned),
        flags: [error.is_retryable(), error.trips_breaker(), error.falls_back()],
        severity: error.severity(),
        details: error.details(),
        protocol_code: error.protocol_code(),
        as_resilience: error.as_resilience().cloned(),
    }
}

/// What an error of this kind answers if nothing else is said.
fn follows_from(kind: ErrorKind, code: &str, public_message: &str) -> Answers {
    Answers {
        kind,
        retry_after: None,
        code: code.to_owned(),
        public_message: public_message.to_owned(),
        hint: Some(kind.default_hint().to_owned()),
        flags: [kind.is_retryable(), kind.trips_breaker(), kind.falls_back()],
        severity: kind.severity(),
        details: Map::new(),
        protocol_code: None,
        as_resilience: None,
    }
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
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
        quota_exceeded rate_limited timeout connection unavailable bad_response circuit_open overloaded read_only
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
        resilient_runtime::parse_retry_after(seconds)
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
    /// Nothing here follows from the kind.
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

    impl McpError for Inner {
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

#[test]
fn the_author_chooses_what_the_client_reads() {
    #[derive(Debug, thiserror::Error, McpError)]
    #[error("written for the log: {0}")]
    enum Chosen {
        #[mcp(kind = not_found, private)]
        Private(&'static str),
        #[mcp(kind = internal, public)]
        Public(&'static str),
        #[mcp(kind = internal, message = "about {0}")]
        Message(&'static str),
        #[mcp(message = "about {1}")]
        ByStatus(#[mcp(status)] u16, &'static str),
    }
    let sentence = ErrorKind::NotFound.public_sentence();
    for (error, read) in [
        (Chosen::Private("x"), sentence),
        (Chosen::Public("x"), "written for the log: x"),
        (Chosen::Message("x"), "about x"),
        (Chosen::ByStatus(500, "x"), "about x"),
    ] {
        assert_eq!(error.public_message(), read);
    }
}

#[test]
fn a_secret_is_in_nothing_that_the_derive_makes() {
    #[derive(Debug, thiserror::Error, McpError)]
    #[error("the login of {user} was refused")]
    #[mcp(kind = invalid_input, hint = "Use another login than {user}.")]
    struct Refused {
        #[mcp(detail)]
        user: &'static str,
        #[mcp(secret)]
        password: &'static str,
    }
    let refused = Refused { user: "ada", password: "hunter2" };
    assert_eq!(refused.password, "hunter2");
    let answers = format!("{:?}", ask(&refused));
    assert!(answers.contains("ada") && !answers.contains("hunter2"), "{answers}");
}

#[test]
fn the_catalog_has_what_is_known_before_anything_happens() {
    let row = |entry: &CatalogEntry| (entry.code, entry.kind, entry.retryable, entry.hint, entry.message);
    let rows: Vec<_> = MakeError::catalog().iter().map(row).collect();
    let rate_limited = ErrorKind::RateLimited;
    assert_eq!(
        rows,
        [
            (
                "MAKE_NO_SUCH_SCENARIO",
                Some(ErrorKind::NotFound),
                Some(false),
                Some("Call list_scenarios for valid ids."),
                Some("no scenario {id}")
            ),
            (
                "MAKE_RATE_LIMITED",
                Some(rate_limited),
                Some(true),
                Some(rate_limited.default_hint()),
                Some(rate_limited.public_sentence())
            ),
            ("MAKE_UPSTREAM", None, None, None, None),
            ("MAKE_IO", None, None, None, None),
            (
                "MAKE_ODD_ANSWER",
                Some(ErrorKind::BadResponse),
                Some(true),
                Some("Ask for {0} and {1:>4}."),
                Some("{{Make}} sent no {0:?}, {0}")
            ),
        ]
    );
    let codes: Vec<_> = MakeError::catalog().iter().map(|entry| entry.code).collect();
    assert_eq!(codes, MakeError::CODES);
    insta::assert_snapshot!(CatalogEntry::table(MakeError::catalog()));
}

#[test]
fn rmcp_gets_a_tools_answer_or_a_protocol_error() {
    use rmcp::handler::server::tool::IntoCallToolResult;
    use rmcp::model::CallToolResponse;
    let answer = MakeError::NoSuchScenario { id: 7 }.into_call_tool_result();
    let Ok(CallToolResponse::Complete(answer)) = answer else { panic!("{answer:?}") };
    let answer = serde_json::to_value(&answer).expect("JSON");
    assert_eq!(answer["isError"], true);
    assert!(answer["content"][0]["text"].as_str().is_some_and(|text| text.contains("MAKE_NO_SUCH_SCENARIO")));
    let refused = MakeError::Odd("team", 7).into_call_tool_result().expect_err("a protocol error");
    assert_eq!(refused.code.0, -33_001);
    assert_eq!(rmcp::ErrorData::from(MakeError::Odd("team", 7)), refused);
}

/// One of each, under every lint that a careful crate denies.
pub mod quiet {
    #![deny(
        warnings,
        clippy::pedantic,
        clippy::nursery,
        missing_docs,
        unreachable_pub,
        unused,
        unused_qualifications,
        single_use_lifetimes
    )]

    use std::time::Duration;

    use resilient_runtime::{McpError, ResilienceError};

    /// An enum with all there is.
    #[derive(Debug, thiserror::Error, McpError)]
    #[mcp(prefix = "QUIET")]
    pub enum Quiet {
        /// Words.
        #[error("words {id}")]
        #[mcp(kind = conflict, hint = "{id:?}", message = "{id} and {id:>4}", severity = low, protocol = 7)]
        Words {
            /// What is told.
            #[mcp(detail)]
            id: String,
            /// What is not.
            #[mcp(secret)]
            token: String,
        },
        /// A status.
        #[error("status")]
        #[mcp(retryable = false, trips_breaker = true, fallback = true)]
        Status(#[mcp(status, detail)] u16, #[mcp(retry_after)] Option<Duration>),
        /// A field that knows.
        #[error("classified")]
        Classified(
            #[from]
            #[mcp(classify)]
            std::io::Error,
        ),
        /// A field that answers.
        #[error(transparent)]
        #[mcp(transparent)]
        Resilience(#[from] ResilienceError),
        /// Without fields.
        #[error("unit")]
        #[mcp(kind = internal)]
        #[deprecated]
        Unit,
    }

    /// A struct with parameters.
    #[derive(Debug, thiserror::Error, McpError)]
    #[error("parameters {id}")]
    #[mcp(kind = not_found, hint = "{id}")]
    pub struct Parameters<'a, T, const N: usize>
    where
        T: std::fmt::Debug + std::fmt::Display,
    {
        /// The id.
        #[mcp(detail)]
        pub id: &'a T,
        /// The secret.
        #[mcp(secret)]
        pub token: [u8; N],
    }

    /// A struct around another.
    #[derive(Debug, thiserror::Error, McpError)]
    #[error("around")]
    #[mcp(transparent)]
    pub struct Around(#[from] Quiet);

    /// Nothing at all.
    #[derive(Debug, thiserror::Error, McpError)]
    pub enum Never {}

    #[derive(Debug, thiserror::Error, McpError)]
    #[error("private")]
    #[mcp(kind = internal)]
    pub(super) struct Private;
}

#[test]
fn no_lint_fires_on_what_is_generated() {
    // Those of rustc and clippy have spoken when this crate was built.
    assert_eq!(quiet::Quiet::CODES, ["QUIET_WORDS", "QUIET_STATUS", "QUIET_CLASSIFIED", "QUIET_UNIT"]);
    assert_eq!(quiet::Private.code(), "PRIVATE");
}
