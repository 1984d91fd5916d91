//! Bodies, and the attributes around a function: `?`, `return`, borrows across `.await`, documentation
//! and attributes before and after; and the lints of the author, which are still reported.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use resilient_runtime::{McpError, ResilienceError, resilient};
use rmcp::{tool, tool_router};

/// The error.
#[derive(Debug, thiserror::Error, McpError)]
pub enum Failure {
    /// No number.
    #[error("no number")]
    #[mcp(kind = invalid_input)]
    Number(#[from] std::num::ParseIntError),
    /// An error of the pipeline.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

/// A client.
#[derive(Debug, Clone)]
pub struct Client {
    text: String,
}

impl Client {
    /// `?`, also with a conversion.
    ///
    /// # Errors
    /// No number.
    #[resilient(retry = 1, read_only)]
    pub async fn question(&self) -> Result<u32, Failure> {
        let number: u32 = self.text.parse()?;
        Ok(self.early(number).await? + number)
    }

    /// `return`, from within loops and closures.
    ///
    /// # Errors
    /// Never.
    #[resilient]
    pub async fn early(&self, number: u32) -> Result<u32, ResilienceError> {
        let double = |number: u32| {
            if number == 0 {
                return 1;
            }
            number * 2
        };
        for candidate in 0..number {
            if candidate > 3 {
                return Ok(double(candidate));
            }
        }
        Err(ResilienceError::Cancelled)
    }

    /// Borrows of a local, of an argument and of `self` across `.await`.
    ///
    /// # Errors
    /// Never.
    #[resilient(retry = 1, read_only, attempt_timeout = "1s")]
    pub async fn borrows(&self, text: &str, mut numbers: Vec<u32>) -> Result<usize, ResilienceError> {
        let own = String::from(text);
        let slice = &own[..];
        let last = numbers.last_mut();
        tokio::task::yield_now().await;
        if let Some(last) = last {
            *last += 1;
        }
        let mine = &self.text;
        tokio::task::yield_now().await;
        Ok(slice.len() + mine.len() + numbers.len())
    }

    /// Never ends.
    ///
    /// # Errors
    /// Times out.
    #[resilient]
    pub async fn never(&self) -> Result<std::convert::Infallible, ResilienceError> {
        loop {
            tokio::task::yield_now().await;
        }
    }

    /// Ends in a `return` and a macro.
    ///
    /// # Errors
    /// Never.
    #[resilient]
    pub async fn diverges(&self, number: u32) -> Result<u32, ResilienceError> {
        match number {
            0 => unreachable!("nobody asks for nothing"),
            1 => return Ok(1),
            other => drop(self.text.repeat(other as usize)),
        }
        Ok(number)
    }

    /// Only a block of blocks.
    ///
    /// # Errors
    /// Never.
    #[resilient(retry = 1, read_only)]
    pub async fn items(&self) -> Result<u32, ResilienceError> {
        const NUMBER: u32 = 1;
        const fn own(number: u32) -> u32 {
            number + NUMBER
        }
        let labelled = 'out: {
            if NUMBER == 1 {
                break 'out own(2);
            }
            own(3)
        };
        let later = async { Ok::<u32, ResilienceError>(labelled) };
        later.await
    }
}

/// Documentation before,
#[allow(dead_code)]
#[resilient]
/// one after,
#[allow(clippy::needless_return)]
#[inline]
/// and one more.
///
/// # Errors
/// Never.
pub async fn documented(number: u32) -> Result<u32, ResilienceError> {
    return Ok(number);
}

/// Lints of the body are the author's: each of these would be reported if it were not expected.
///
/// # Errors
/// Never.
#[resilient(retry = 1, read_only, fallback = value(0))]
pub async fn lints(
    used: u32,
    #[expect(unused_variables)] unused: u32,
    #[expect(unused_mut)] mut unchanged: u32,
) -> Result<u32, ResilienceError> {
    #[expect(unused_variables)]
    let nobody = used;
    #[expect(unused_must_use)]
    client().question().await;
    #[expect(unused_parens)]
    let around = (used);
    #[expect(clippy::needless_borrow)]
    let length = (&"text".to_owned()).len();
    #[expect(clippy::cast_possible_truncation)]
    let short = length as u32;
    #[expect(clippy::redundant_clone)]
    let text = String::from("text").clone();
    drop(text);
    #[expect(unreachable_code)]
    if around == 1 {
        return Ok(short);
        client();
    }
    #[expect(clippy::needless_bool)]
    let same = if around == 1 { true } else { false };
    Ok(unchanged + u32::from(same))
}

fn client() -> Client {
    Client { text: "1".into() }
}

/// The same without a second attempt.
///
/// # Errors
/// Never.
#[resilient]
pub async fn lints_once(
    used: u32,
    #[expect(unused_variables)] unused: u32,
    #[expect(unused_mut)] mut unchanged: u32,
) -> Result<u32, ResilienceError> {
    #[expect(unused_variables)]
    let nobody = used;
    #[expect(unused_parens)]
    let around = (used);
    Ok(unchanged + around)
}

/// A server.
#[derive(Debug, Clone, Copy)]
pub struct Server;

#[allow(dead_code)]
#[resilient(timeout = "5s")]
/// Documentation of a block.
#[tool_router]
#[allow(clippy::unused_self)]
/// More of it.
impl Server {
    /// Other items of the block stay.
    const NUMBER: u32 = 1;

    #[allow(clippy::unused_async)]
    #[resilient(retry = 1)]
    #[tool(annotations(read_only_hint = true), description = "reads")]
    /// After both.
    async fn read(&self) -> Result<String, ResilienceError> {
        let number: u32 = Self::NUMBER;
        Ok(number.to_string())
    }

    #[tool(description = "inherits")]
    #[allow(clippy::needless_return)]
    /// After both.
    async fn inherits(&self) -> Result<String, ResilienceError> {
        return Ok(String::new());
    }
}

fn main() {
    let client = client();
    drop((client.question(), client.early(1), client.borrows("1", vec![]), client.never()));
    drop((client.diverges(1), client.items(), documented(1), lints(1, 2, 3), lints_once(1, 2, 3)));
    assert_eq!(Server::tool_router().list_all().len(), 2);
}
