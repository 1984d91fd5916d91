//! Enums that a `macro_rules!` generates, from every kind of metavariable.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

macro_rules! errors {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($variant:ident($ty:ty) = $kind:ident, $hint:literal, $text:expr, $code:literal;)* }) => {
        /// Errors.
        $(#[$meta])*
        $vis enum $name {
            $(
                /// A variant.
                #[error("about {id}")]
                #[mcp(kind = $kind, hint = $hint, message = $text, protocol = $code)]
                $variant {
                    /// The value.
                    #[mcp(detail)]
                    id: $ty,
                },
            )*
        }
    };
}

errors! {
    #[derive(Debug, thiserror::Error, resilient_runtime::McpError)]
    #[mcp(prefix = "MADE")]
    pub enum Made {
        Broken(u8) = internal, "see {id}", "broken: {id}", -33001;
        Missing(String) = not_found, "none", "missing", 7;
    }
}

macro_rules! wait {
    ($field:ident, $($mcp:tt)*) => {
        #[derive(Debug, thiserror::Error, resilient_runtime::McpError)]
        /// A variant.
        #[error("later")]
        #[mcp($($mcp)*)]
        pub struct Later {
            /// The time to wait.
            #[mcp(retry_after)]
            pub $field: std::time::Duration,
        }
    };
}

wait!(wait, kind = rate_limited, hint = "Wait {wait:?}.");

fn main() {
    use resilient_runtime::ToolError as _;
    let error = Made::Broken { id: 7 };
    assert_eq!((error.code().as_ref(), error.public_message().as_ref()), ("MADE_BROKEN", "broken: 7"));
    assert_eq!((error.protocol_code(), error.hint().as_deref()), (Some(-33001), Some("see 7")));
    let later = Later { wait: std::time::Duration::from_secs(3) };
    assert_eq!(later.hint().as_deref(), Some("Wait 3s."));
    assert_eq!(Made::Missing { id: String::new() }.protocol_code(), Some(7));
}
