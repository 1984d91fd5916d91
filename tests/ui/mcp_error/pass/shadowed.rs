//! Every name of the prelude that the expansion could use has another meaning here.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]
#![allow(dead_code, non_upper_case_globals, unused_macros)]

#[allow(missing_docs, unreachable_pub)]
mod shadows {
    pub struct Result;
    pub struct Option;
    pub struct Box;
    pub struct String;
    pub struct Vec;
    pub struct Cow;
    pub struct Duration;
    pub struct Map;
    pub struct ErrorKind;
    pub struct Severity;
    pub struct CatalogEntry;
    pub trait Clone {}
    pub trait From {}
    pub trait Into {}
    pub trait ToString {}
    pub trait Default {}
    pub trait Send {}
    pub trait Error {}
    pub trait Classify {}
    pub trait Display {}
    #[allow(non_camel_case_types)]
    pub struct str;
    #[allow(non_camel_case_types)]
    pub struct bool;
    #[allow(non_camel_case_types)]
    pub struct i32;
    #[allow(non_snake_case)]
    pub const fn Some() {}
    #[allow(non_snake_case)]
    pub const fn Ok() {}
    #[allow(non_snake_case)]
    pub const fn Err() {}
    pub const None: u8 = 0;
    pub mod std {}
    pub mod core {}
    pub mod alloc {}
    pub mod serde {}
    pub mod serde_json {}
    pub mod rmcp {}
    pub mod resilient_runtime {}
}

macro_rules! format {
    ($($tokens:tt)*) => {
        compile_error!("the user's `format!`")
    };
}

macro_rules! unreachable {
    ($($tokens:tt)*) => {
        compile_error!("the user's `unreachable!`")
    };
}

#[allow(missing_docs, unreachable_pub)]
mod inside {
    #[allow(unused_imports)]
    use super::shadows::*;

    #[derive(::core::fmt::Debug, ::resilient_runtime::McpError)]
    #[mcp(prefix = "SHADOWED")]
    pub enum Shadowed {
        #[mcp(kind = not_found, hint = "List what exists near {id}.", message = "no {id:?}", retryable = false)]
        NotFound {
            #[mcp(detail)]
            id: ::core::primitive::u64,
        },
        #[mcp(kind = rate_limited, severity = low, protocol = -33001, trips_breaker = true, fallback = false)]
        Later(#[mcp(retry_after)] ::core::option::Option<::core::time::Duration>),
        #[mcp(public)]
        Upstream(#[mcp(status)] ::core::primitive::u16),
        Io(#[mcp(classify)] ::std::io::Error),
        #[mcp(transparent)]
        Resilience(::resilient_runtime::ResilienceError),
    }

    impl ::core::fmt::Display for Shadowed {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.write_str("shadowed")
        }
    }

    impl ::core::error::Error for Shadowed {}
}

fn main() {
    use resilient_runtime::ToolError as _;
    let error = inside::Shadowed::NotFound { id: 7 };
    assert_eq!(error.hint().as_deref(), Some("List what exists near 7."));
    assert_eq!(error.public_message(), "no 7");
}
