//! The readers of an error: the client, the catalogue of codes, and rmcp.

use resilient_runtime::error::CatalogEntry;
use resilient_runtime::{ErrorKind, McpError, ToolError};

use super::{MakeError, ask};

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
