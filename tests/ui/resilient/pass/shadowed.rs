//! Names of the prelude, and of the crates that generated code uses, with other meanings.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

/// All names that generated code might use.
#[allow(dead_code, missing_docs, non_camel_case_types, clippy::empty_structs_with_brackets)]
pub mod shadows {
    pub struct Result;
    pub struct Ok;
    pub struct Err;
    pub struct Option;
    pub struct Some;
    pub struct None;
    pub struct Box;
    pub struct Clone;
    pub struct String;
    pub struct Vec;
    pub struct Future;
    pub struct Duration;
    pub struct Site;
    pub struct Policy;
    pub struct Location;
    pub trait From {}
    pub trait Into {}
    pub trait Fn {}
    pub trait FnMut {}
    pub trait FnOnce {}
    pub trait Drop {}
    pub trait Default {}
    pub trait ToString {}
    pub trait Iterator {}
    pub trait IntoIterator {}
    pub const fn drop() {}
    pub struct str;
    pub struct bool;
    pub struct u64;
    pub struct usize;
    pub mod std {}
    pub mod core {}
    pub mod alloc {}
    pub mod tokio {}
    pub mod rmcp {}
    pub mod resilient_runtime {}
    pub mod __private {}
}

#[allow(unused_macros)]
macro_rules! concat {
    ($($tokens:tt)*) => {
        compile_error!("the user's `concat!`")
    };
}

#[allow(unused_macros)]
macro_rules! module_path {
    ($($tokens:tt)*) => {
        compile_error!("the user's `module_path!`")
    };
}

#[allow(unused_macros)]
macro_rules! file {
    ($($tokens:tt)*) => {
        compile_error!("the user's `file!`")
    };
}

#[allow(unused_macros)]
macro_rules! line {
    ($($tokens:tt)*) => {
        compile_error!("the user's `line!`")
    };
}

/// Functions with only these names in scope.
pub mod functions {
    #[allow(unused_imports)]
    use super::shadows::*;

    /// Every step of the pipeline.
    ///
    /// # Errors
    /// Never.
    #[::resilient_runtime::resilient(
        retry(max = 1, base = "1ms", jitter = off, on(timeout), budget = none),
        read_only,
        timeout = "2s",
        breaker(name = "shadowed", rate = 0.5, window = "60s", slow = "500ms", key = number),
        bulkhead(max = 5, queue = 5, wait = "1s", key = number),
        rate_limit(rate = "5/1s", burst = 10, key = number),
        fallback = [cached, other, value(7)],
        cache(stale_if_error = "1m", key = number)
    )]
    pub async fn guarded(
        number: ::core::primitive::u32,
    ) -> ::core::result::Result<::core::primitive::u32, ::resilient_runtime::ResilienceError> {
        ::core::result::Result::Ok(number)
    }

    async fn other(
        number: ::core::primitive::u32,
        _: &::resilient_runtime::ResilienceError,
    ) -> ::core::result::Result<::core::primitive::u32, ::resilient_runtime::ResilienceError> {
        ::core::future::ready(()).await;
        ::core::result::Result::Ok(number)
    }
}

/// A trait in scope that all types implement, with methods that generated code might call.
pub mod methods {
    #![allow(unused_imports, missing_docs)]

    pub trait Every: Sized {
        fn asked(self) {}
        fn clone(&self) {}
        fn context(&self) {}
        fn copy(&self) {}
        fn entry(self) {}
        fn look(&self) {}
        fn next(self) {}
        fn of(self) {}
        fn run(self) {}
        fn special(&self) {}
        fn take(self) {}
    }

    impl<T> Every for T {}

    /// An argument that is copied, one that cannot be, and an answer that the attribute inspects.
    ///
    /// # Errors
    /// Never.
    #[resilient_runtime::resilient(retry = 1, read_only, fallback = [cached, other], cache(key = number))]
    pub async fn called(
        number: u32,
        tool: rmcp::handler::server::tool::ToolName,
    ) -> Result<rmcp::model::CallToolResult, resilient_runtime::ResilienceError> {
        let text = rmcp::model::ContentBlock::text(format!("{}{number}", tool.0));
        Ok(rmcp::model::CallToolResult::success(vec![text]))
    }

    async fn other(
        _: u32,
        _: rmcp::handler::server::tool::ToolName,
        _: &resilient_runtime::ResilienceError,
    ) -> Result<rmcp::model::CallToolResult, resilient_runtime::ResilienceError> {
        core::future::ready(()).await;
        Ok(rmcp::model::CallToolResult::success(vec![]))
    }
}

/// Names of local variables that generated code has too.
///
/// # Errors
/// Never.
#[allow(clippy::too_many_arguments)]
#[resilient_runtime::resilient(
    retry = 1,
    read_only,
    breaker(name = "locals", key = __site),
    fallback = [cached, value(0)],
    cache(key = (__site, __entry, __hash))
)]
pub async fn locals(
    __site: u32,
    __entry: u32,
    __hash: u32,
    __last: u32,
    __error: u32,
    __limit: u32,
    __answer: u32,
    __argument: u32,
    __request: u32,
    __return: u32,
    __argument_0: u32,
    __slot_0: u32,
    __key_0: u32,
    __all: u32,
    __call: u32,
    __special: u32,
) -> Result<u32, resilient_runtime::ResilienceError> {
    Ok(__site
        + __entry
        + __hash
        + __last
        + __error
        + __limit
        + __answer
        + __argument
        + __request
        + __return
        + __argument_0
        + __slot_0
        + __key_0
        + __all
        + __call
        + __special)
}

fn main() {
    drop(functions::guarded(1));
    drop(methods::called(1, rmcp::handler::server::tool::ToolName("called".into())));
    drop(locals(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16));
}
