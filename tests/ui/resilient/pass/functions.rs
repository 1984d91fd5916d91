//! Every shape of an argument and of a body.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use resilient_runtime::{McpError, ResilienceError, resilient};

/// A pair.
#[derive(Clone)]
pub struct Pair {
    /// Left.
    pub a: u32,
    /// Right.
    pub b: String,
}

/// An error with a lifetime and a type.
#[derive(Debug, thiserror::Error, McpError)]
pub enum Failure<T>
where
    T: std::fmt::Debug + std::fmt::Display,
{
    /// What was asked.
    #[error("asked {0}")]
    #[mcp(kind = invalid_input)]
    Asked(T),
    /// The pipeline's.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

/// A server of anything.
pub struct Server<'s, T> {
    text: &'s str,
    value: T,
}

impl<T> Server<'_, T>
where
    T: Clone + Send + Sync + std::fmt::Debug + std::fmt::Display,
{
    /// Patterns, `mut`, references, `impl Trait`.
    ///
    /// # Errors
    /// Never.
    #[resilient(retry = 2, read_only)]
    #[allow(clippy::needless_lifetimes, reason = "a lifetime with a name is a shape, too")]
    pub async fn many<'a>(
        &'a self,
        Pair { a, mut b }: Pair,
        mut count: u32,
        text: &str,
        (x, _): (u8, u8),
        display: impl std::fmt::Display + Clone + Send,
        r#type: u32,
    ) -> Result<String, Failure<T>> {
        count += a + r#type;
        b.push_str(text);
        let borrowed = &b;
        tokio::task::yield_now().await;
        if count == 0 {
            return Err(Failure::Asked(self.value.clone()));
        }
        let parsed: u32 = self.number(borrowed).await?;
        Ok(format!("{parsed}{x}{display}{}", self.text))
    }

    /// Returns a type that has no name.
    ///
    /// # Errors
    /// Never.
    #[resilient(retry = 2, read_only)]
    #[allow(clippy::unused_async)]
    pub async fn nameless(&self, number: u32) -> Result<impl std::fmt::Display, ResilienceError> {
        Ok(number)
    }

    #[resilient(timeout = "1s")]
    async fn number(&self, text: &str) -> Result<u32, Failure<T>> {
        text.parse().map_err(|_| Failure::Asked(self.value.clone()))
    }

    /// Moves what cannot be copied, as nothing asks for it twice.
    ///
    /// # Errors
    /// Never.
    #[resilient]
    pub async fn moves(
        &mut self,
        file: std::fs::File,
        #[cfg(not(any()))] there: u32,
        #[cfg(any())] gone: Nowhere,
    ) -> Result<(std::fs::File, u32), Failure<T>> {
        Ok((file, there))
    }

    /// An argument that is there or not, copied.
    ///
    /// # Errors
    /// Never.
    #[resilient(retry = 1, idempotent)]
    pub async fn configured(
        &self,
        #[cfg(not(any()))] there: u32,
        #[cfg(any())] gone: Nowhere,
    ) -> Result<u32, Failure<T>> {
        Ok(there)
    }

    /// An argument that is there or not, handed to a fallback, and one that is spelled in a way of its own.
    ///
    /// # Errors
    /// Never.
    #[resilient(retry = 1, idempotent, fallback = Self::instead)]
    pub async fn passed_on(
        &self,
        #[cfg(not(any()))] there: u32,
        #[cfg(any())] gone: Nowhere,
        #[allow(non_snake_case)] inCamels: u32,
    ) -> Result<u32, Failure<T>> {
        Ok(there + inCamels)
    }

    async fn instead(&self, there: u32, in_camels: u32, _: &Failure<T>) -> Result<u32, Failure<T>> {
        core::future::ready(()).await;
        Ok(there + in_camels)
    }

    /// Takes itself.
    ///
    /// # Errors
    /// Never.
    #[resilient]
    pub async fn consumed(self) -> Result<T, Failure<T>> {
        Ok(self.value)
    }
}

macro_rules! guarded {
    ($name:ident, $limit:literal, $answer:expr) => {
        /// Made by a macro.
        ///
        /// # Errors
        /// Never.
        #[resilient(timeout = $limit)]
        pub async fn $name() -> Result<u32, ResilienceError> {
            Ok($answer)
        }
    };
}

guarded!(made, "3s", 7);

type Answer<T> = Result<T, ResilienceError>;

/// An alias.
///
/// # Errors
/// Never.
#[resilient(retry = 1, idempotent, fallback = value(3))]
#[allow(clippy::unused_async)]
pub async fn aliased() -> Answer<u32> {
    Ok(1)
}

#[allow(unreachable_pub)]
mod renamed {
    pub mod rt {
        pub use resilient_runtime::*;
    }
}

/// The runtime under another name.
///
/// # Errors
/// Never.
#[resilient(crate = crate::renamed::rt, retry = 1, read_only)]
pub async fn elsewhere(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

fn is_send<T: Send>(_: T) {}

fn main() {
    let server = Server { text: "t", value: 1_u8 };
    is_send(server.many(Pair { a: 1, b: "2".into() }, 3, "4", (5, 6), 7, 8));
    is_send(server.configured(1));
    is_send(made());
    is_send(aliased());
    is_send(elsewhere(1));
    is_send(server.consumed());
}
