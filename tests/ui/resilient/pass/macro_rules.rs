//! Functions, tools and servers that a `macro_rules!` makes, from every kind of metavariable.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use resilient_runtime::policy::BreakerSettings;
use resilient_runtime::{Breaker, ResilienceError, ToolError, resilient};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{tool, tool_handler, tool_router};

/// What is asked.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
pub struct Asked {
    /// Which.
    pub number: u32,
}

macro_rules! function {
    ($(#[$meta:meta])* $vis:vis $name:ident($argument:ident: $ty:ty) -> $output:ty, $limit:literal, $retries:expr, $breaker:path, $substitute:path, $body:block) => {
        $(#[$meta])*
        #[resilient(timeout = $limit, retry = $retries, breaker = $breaker, read_only, fallback = [$substitute, value($retries)])]
        $vis async fn $name($argument: $ty) -> $output $body
    };
}

static BREAKER: Breaker = Breaker::new("made-static", BreakerSettings::new());

async fn substitute(number: u32, _: &ResilienceError) -> Result<u32, ResilienceError> {
    std::future::ready(Ok(number)).await
}

function! {
    /// Made by a macro.
    ///
    /// # Errors
    /// Never.
    pub made(number: u32) -> Result<u32, ResilienceError>, "30s", 2, self::BREAKER, substitute, { Ok(number) }
}

macro_rules! keyed {
    ($name:ident($number:ident), $($keys:tt)*) => {
        /// Made by a macro, keys and all.
        ///
        /// # Errors
        /// Never.
        #[resilient($($keys)*)]
        pub async fn $name($number: u32) -> Result<u32, ResilienceError> {
            Ok($number)
        }
    };
}

keyed!(
    all_keys(number),
    retry(max = 2, base = "1ms", jitter = full, on(timeout), budget = "10%"),
    idempotent,
    breaker(name = "made", key = number),
    bulkhead(max = 3, key = number),
    rate_limit(rate = "5/1s", key = number),
    fallback = [cached, value(number + 1)],
    cache(key = number)
);
keyed!(no_keys(number),);

macro_rules! server {
    ($name:ident, $tool:ident, $limit:literal, $breaker:literal, $hint:literal, |$me:ident, $asked:ident| $body:expr) => {
        /// A server made by a macro.
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        #[resilient(timeout = $limit, breaker = $breaker)]
        #[tool_router(server_handler)]
        impl $name {
            /// Reads.
            #[resilient(retry = 1)]
            #[tool(annotations(read_only_hint = $hint))]
            async fn $tool(&$me, Parameters($asked): Parameters<Asked>) -> Result<String, ResilienceError> {
                $body
            }

            /// Inherits.
            #[tool]
            async fn inherits(&self) -> Result<String, ResilienceError> {
                Ok(String::new())
            }
        }
    };
}

server!(Made, read, "5s", "made-server", true, |self, asked| {
    let _: &Self = self;
    Ok(asked.number.to_string())
});

macro_rules! members {
    ($server:ident { $($tool:ident),* }) => {
        #[resilient(timeout = "5s")]
        #[tool_router(router = all)]
        impl $server {
            $(
                #[doc = concat!("The tool ", stringify!($tool))]
                #[tool]
                async fn $tool(&self) -> Result<String, ResilienceError> {
                    Ok(stringify!($tool).to_owned())
                }
            )*
        }
    };
}

/// A server of many.
#[derive(Debug, Clone, Copy)]
pub struct Many;

members!(Many { one, two, three });

#[resilient]
#[tool_handler(router = Self::all())]
impl rmcp::ServerHandler for Many {}

const fn is_an_error<E: ToolError>() {}

fn main() {
    is_an_error::<ResilienceError>();
    drop((made(1), all_keys(1), no_keys(1)));
    assert_eq!(Made::tool_router().list_all().len(), 2);
    assert_eq!(Many::all().list_all().len(), 3);
}
