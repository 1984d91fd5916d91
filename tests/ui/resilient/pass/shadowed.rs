//! Names of the prelude that mean something else, and no prelude at all.
#![no_implicit_prelude]
#![deny(warnings)]
#![allow(non_camel_case_types)]

pub struct Result;
pub struct Ok;
pub struct Err;
pub struct Option;
pub struct Some;
pub struct None;
pub struct Box;
pub struct Clone;
pub struct String;
pub struct Future;
pub mod std {}
pub mod core {}

#[::resilient_runtime::resilient(retry = 1, read_only, timeout = "2s", breaker = "shadowed", fallback = [cached, other, value(7)])]
pub async fn guarded(number: u32) -> ::core::result::Result<u32, ::resilient_runtime::ResilienceError> {
    ::core::result::Result::Ok(number)
}

async fn other(
    number: u32,
    _: &::resilient_runtime::ResilienceError,
) -> ::core::result::Result<u32, ::resilient_runtime::ResilienceError> {
    ::core::result::Result::Ok(number)
}

fn main() {
    let _unused = guarded(1);
}
