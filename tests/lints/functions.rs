//! Functions at each of which a lint has something to report. `tests/lints.rs` compiles this file with the attribute
//! and without it.

#![warn(
    elided_lifetimes_in_paths,
    let_underscore_drop,
    missing_debug_implementations,
    missing_docs,
    single_use_lifetimes,
    unreachable_pub,
    unused,
    unused_lifetimes,
    unused_qualifications,
    clippy::all,
    clippy::dbg_macro,
    clippy::indexing_slicing,
    clippy::missing_docs_in_private_items,
    clippy::multiple_inherent_impl,
    clippy::nursery,
    clippy::pedantic,
    clippy::unwrap_used
)]

use std::sync::Mutex;

use resilient_runtime::ResilienceError;

struct Hidden;

/// Old.
#[deprecated(note = "use another")]
pub fn old() {}

#[must_use]
fn must() -> u32 {
    7
}

#[resilient_runtime::resilient]
async fn never_used() -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient_runtime::resilient]
pub async fn not_documented() -> Result<u32, ResilienceError> {
    Ok(1)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn leaks(hidden: &Hidden) -> Result<u32, ResilienceError> {
    let _ = hidden;
    Ok(1)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn leaks_in_answer() -> Result<Hidden, ResilienceError> {
    Ok(Hidden)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> Result<u8, ResilienceError> {
    Ok(a ^ b ^ c ^ d ^ e ^ f ^ g ^ h)
}

/// Documented.
#[resilient_runtime::resilient(retry = 1, read_only)]
pub async fn many_again(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> Result<u8, ResilienceError> {
    Ok(a ^ b ^ c ^ d ^ e ^ f ^ g ^ h)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn unused_argument(argument: u32) -> Result<u32, ResilienceError> {
    Ok(1)
}

/// Documented.
#[resilient_runtime::resilient(retry = 1, read_only)]
pub async fn unused_argument_again(argument: u32, (left, right): (u32, u32)) -> Result<u32, ResilienceError> {
    Ok(left)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn mutable(mut argument: u32) -> Result<u32, ResilienceError> {
    let mut other = argument;
    Ok(other)
}

/// Documented.
#[resilient_runtime::resilient(retry = 1, read_only)]
pub async fn mutable_again(mut argument: u32) -> Result<u32, ResilienceError> {
    let mut other = argument;
    Ok(other)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn by_value(text: String) -> Result<usize, ResilienceError> {
    Ok(text.len())
}

/// Documented.
#[resilient_runtime::resilient(retry = 1, read_only)]
pub async fn by_value_again(text: String) -> Result<usize, ResilienceError> {
    Ok(text.len())
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn body() -> Result<u32, ResilienceError> {
    must();
    old();
    let unused = 3;
    std::fs::remove_file("x");
    let list = vec![1, 2];
    let first = list[0];
    dbg!(first);
    let _ = Some(1).unwrap();
    let mutex = Mutex::new(1);
    let guard = mutex.lock();
    std::future::ready(1).await;
    drop(guard);
    if first == 1 {
        return Ok(2);
    }
    return Ok(1);
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn unreachable() -> Result<u32, ResilienceError> {
    return Ok(1);
    Ok(2)
}

/// Documented.
#[resilient_runtime::resilient]
#[deprecated]
pub async fn deprecated() -> Result<u32, ResilienceError> {
    Ok(1)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn calls_deprecated() -> Result<u32, ResilienceError> {
    deprecated().await
}

/// Documented.
#[resilient_runtime::resilient]
#[must_use]
pub async fn must_use_twice() -> Result<u32, ResilienceError> {
    Ok(1)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn not_camel_snakeCase(Bad: u32) -> Result<u32, ResilienceError> {
    let Worse = Bad;
    Ok(Worse)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn lifetime<'a>(text: &'a str) -> Result<u32, ResilienceError> {
    let _ = text;
    Ok(1)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn a_reference(text: &String, list: &Vec<u32>, boxed: &Box<u32>) -> Result<u32, ResilienceError> {
    let _ = (text, list, boxed);
    Ok(1)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn flags(a: bool, b: bool, c: bool, d: bool) -> Result<bool, ResilienceError> {
    Ok(a && b && c && d)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn qualified(of: std::string::String) -> std::result::Result<std::string::String, ResilienceError> {
    Ok(of)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn ignored(_used: u32, _unused: u32) -> Result<u32, ResilienceError> {
    Ok(_used)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn empty_lines() -> Result<u32, ResilienceError> {

    #[allow(dead_code)]
    fn inner() {}
    fn other() {}
    Ok(1)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn needless(x: Option<u32>) -> Result<u32, ResilienceError> {
    let y = match x { Some(x) => x, None => 0 };
    let z = (y as u8) as u32;
    let s = "a".to_string().clone();
    let _t = format!("{}", s);
    Ok(z)
}

/// Documented.
#[resilient_runtime::resilient]
pub async fn cell<T: Send + Sync, U: Send>(x: T) -> Result<T, ResilienceError> {
    Ok(x)
}

/// Documented.
pub struct Server;

impl Server {
    /// Documented.
    #[resilient_runtime::resilient]
    pub async fn no_self(&self) -> Result<u32, ResilienceError> {
        Ok(1)
    }

    #[resilient_runtime::resilient]
    pub async fn no_doc(&self) -> Result<u32, ResilienceError> {
        Ok(1)
    }

    #[resilient_runtime::resilient]
    async fn method_never_used(self: &Self) -> Result<u32, ResilienceError> {
        Ok(1)
    }

    /// Documented.
    #[resilient_runtime::resilient]
    pub async fn long(&self) -> Result<u32, ResilienceError> {
        // TODO
        unimplemented!()
    }
}

/// Documented.
#[resilient_runtime::resilient]
async fn private_by_value(text: String) -> Result<usize, ResilienceError> {
    Ok(text.len())
}

/// Documented.
#[resilient_runtime::resilient]
async fn private_by_value_sometimes(text: Vec<u8>, other: std::sync::Arc<u8>) -> Result<usize, ResilienceError> {
    std::future::ready(()).await;
    Ok(text.len() + usize::from(*other))
}

/// Documented.
pub async fn use_them(text: String) {
    let _ = private_by_value(text).await;
    let _ = private_by_value_sometimes(Vec::new(), std::sync::Arc::new(1)).await;
    must_use_twice();
    must_use_twice().await;
}
