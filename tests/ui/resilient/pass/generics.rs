//! Lifetimes, type and constant parameters, `where` clauses, `impl Trait`, receivers of every kind,
//! conditional parameters.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use std::borrow::Cow;
use std::fmt::{Debug, Display};
use std::pin::Pin;
use std::sync::Arc;

use resilient_runtime::{McpError, ResilienceError, resilient};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::{ErrorData, ServerHandler, schemars, tool, tool_handler, tool_router};

/// The error, with a type, a constant and a bound.
#[derive(Debug, thiserror::Error, McpError)]
pub enum Failure<T, const N: usize = 2>
where
    T: Debug + Display,
{
    /// The rejected request.
    #[error("asked {0} for {1:?}")]
    #[mcp(kind = invalid_input)]
    Asked(T, [u8; N]),
    /// An error of the pipeline.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

/// A client with a type parameter.
#[derive(Debug, Clone)]
pub struct Client<'s, T, const N: usize> {
    text: &'s str,
    value: [T; N],
}

impl<'s, T, const N: usize> Client<'s, T, N>
where
    T: Copy + Send + Sync + Debug + Display,
{
    /// Named lifetimes.
    ///
    /// # Errors
    /// Never.
    #[resilient(retry = 1, read_only)]
    pub async fn named<'a>(&'a self, text: &'a str, other: &'s str) -> Result<Cow<'a, str>, Failure<T>> {
        if other.is_empty() {
            return Err(Failure::Asked(self.value[0], [0; 2]));
        }
        Ok(Cow::Borrowed(text))
    }

    /// Elided lifetimes, slices, arrays and functions.
    ///
    /// # Errors
    /// Never.
    #[resilient(retry = 1, read_only)]
    pub async fn elided(
        &self,
        list: &[T],
        pair: (&str, &T),
        array: [u8; N],
        function: fn(&str) -> usize,
        dynamic: &(dyn Display + Sync),
    ) -> Result<usize, Failure<T, 3>> {
        Ok(list.len() + pair.0.len() + array.len() + function(self.text) + dynamic.to_string().len())
    }

    /// The method's own parameters.
    ///
    /// # Errors
    /// Never.
    #[resilient(retry = 1, read_only)]
    pub async fn own<U, F, const M: usize>(&self, value: U, function: F, array: [u8; M]) -> Result<U, Failure<T>>
    where
        U: Clone + Send + Sync,
        F: Fn(&U) -> U + Clone + Send,
    {
        let _ = (self.text, array.len(), M);
        Ok(function(&value))
    }

    /// `impl Trait`, nested too.
    ///
    /// # Errors
    /// Never.
    #[resilient(retry = 1, read_only)]
    pub async fn nameless(
        &self,
        one: impl Display + Clone + Send,
        many: Vec<impl Display + Clone + Send>,
        function: impl Fn(&str) -> String + Clone + Send,
    ) -> Result<String, Failure<T>> {
        Ok(format!("{one}{}{}", many.len(), function(self.text)))
    }

    /// `impl Trait`, moved.
    ///
    /// # Errors
    /// Never.
    #[resilient]
    pub async fn nameless_once(&self, once: impl FnOnce(&str) -> String + Send) -> Result<String, Failure<T>> {
        Ok(once(self.text))
    }

    /// A receiver with its type.
    ///
    /// # Errors
    /// Never.
    #[allow(clippy::needless_arbitrary_self_type)]
    #[resilient(retry = 1, read_only)]
    pub async fn typed(self: &Self) -> Result<usize, Failure<T>> {
        Ok(self.text.len())
    }

    /// A shared receiver.
    ///
    /// # Errors
    /// Never.
    #[resilient]
    pub async fn shared(self: Arc<Self>) -> Result<usize, Failure<T>> {
        Ok(self.text.len())
    }

    /// A pinned receiver.
    ///
    /// # Errors
    /// Never.
    #[resilient]
    pub async fn pinned(self: Pin<&Self>) -> Result<usize, Failure<T>> {
        Ok(self.text.len())
    }

    /// A mutable receiver.
    ///
    /// # Errors
    /// Never.
    #[resilient]
    pub async fn changed(&mut self, value: &mut T) -> Result<usize, Failure<T>> {
        std::mem::swap(&mut self.value[0], value);
        Ok(self.text.len())
    }

    /// A receiver that is changed and consumed.
    ///
    /// # Errors
    /// Never.
    #[resilient]
    pub async fn used_up(mut self, mut value: T) -> Result<T, Failure<T>> {
        std::mem::swap(&mut self.value[0], &mut value);
        Ok(value)
    }
}

/// An answer.
pub trait Answers {
    /// Answers.
    fn answer(&self, number: u32) -> impl Future<Output = Result<u32, ResilienceError>> + Send;
}

impl Answers for u32 {
    #[resilient(retry = 1, read_only, fallback = [cached, value(0)])]
    async fn answer(&self, number: Self) -> Result<Self, ResilienceError> {
        Ok(*self + number)
    }
}

/// A pair.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
pub struct Pair {
    /// Left.
    pub left: u32,
    /// Right.
    pub right: String,
}

/// Patterns, and `mut` within and without them.
///
/// # Errors
/// Never.
#[allow(clippy::too_many_arguments)]
#[resilient(retry = 1, idempotent)]
pub async fn patterns(
    Pair { mut left, right: ref text }: Pair,
    mut count: u32,
    (first, .., second): (u8, u8, u8),
    [a, rest @ ..]: [u8; 3],
    whole @ Pair { .. }: Pair,
    _: u8,
    _unused: u8,
    &borrowed: &u8,
) -> Result<u32, ResilienceError> {
    left += 1;
    count += u32::from(first + second + a + rest[0] + borrowed) + whole.left;
    Ok(left + count + u32::try_from(text.len()).unwrap_or_default())
}

/// Conditional parameters, with one and two attempts.
///
/// # Errors
/// Never.
#[resilient(retry = 1, read_only, fallback = [cached, value(0)])]
pub async fn configured(
    #[cfg(not(any()))] there: u32,
    #[cfg(any())] gone: Nowhere,
    #[cfg(not(any()))] Pair { left, .. }: Pair,
    #[allow(unused_variables)] unused: u32,
) -> Result<u32, ResilienceError> {
    Ok(there + left)
}

impl std::hash::Hash for Pair {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.left.hash(state);
    }
}

/// A server with a type parameter.
#[derive(Debug, Clone)]
pub struct Server<T>(T);

/// The answer.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct Told<T> {
    value: T,
}

#[resilient(timeout = "5s", breaker = "generic")]
#[tool_router(server_handler)]
impl<T> Server<T>
where
    T: Clone + Send + Sync + Debug + Display + serde::Serialize + schemars::JsonSchema + 'static,
{
    /// Reads.
    #[resilient(retry = 1, fallback = [cached, Self::instead])]
    #[tool(annotations(read_only_hint = true))]
    async fn read(&self, Parameters(Pair { left, right }): Parameters<Pair>) -> Result<Json<Told<T>>, Failure<T>> {
        let _ = (left, right);
        Ok(Json(Told { value: self.0.clone() }))
    }

    /// Inherits.
    #[tool]
    async fn inherits<'a>(&'a self) -> Result<String, ErrorData> {
        Ok(self.0.to_string())
    }

    async fn instead(&self, _: Parameters<Pair>, _: &Failure<T>) -> Result<Json<Told<T>>, Failure<T>> {
        std::future::ready(Ok(Json(Told { value: self.0.clone() }))).await
    }
}

/// A server with a constant.
#[derive(Debug, Clone, Copy)]
pub struct Many<const N: usize>;

#[resilient]
#[tool_router]
impl<const N: usize> Many<N> {
    /// Reads.
    #[tool]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(N.to_string())
    }
}

#[resilient]
#[tool_handler]
impl<const N: usize> ServerHandler for Many<N> {}

/// An answer that borrows from its arguments, and a fallback that does.
#[resilient(retry = 1, read_only, fallback = [borrowed_instead, value(Cow::Borrowed("none"))])]
async fn borrowed<'a>(text: &'a str, other: &str) -> Result<Cow<'a, str>, ResilienceError> {
    Ok(Cow::Borrowed(text.trim_start_matches(other)))
}

#[allow(clippy::unused_async)]
async fn borrowed_instead<'a>(text: &'a str, _: &str, _: &ResilienceError) -> Result<Cow<'a, str>, ResilienceError> {
    Ok(Cow::Borrowed(text))
}

fn is_send<T: Send>(_: T) {}

fn main() {
    let mut client = Client { text: "t", value: [1_u8; 2] };
    let text = String::from("text");
    is_send(client.named(&text, "other"));
    is_send(client.elided(&[1], ("a", &2), [0; 2], str::len, &3));
    is_send(client.own(1_u8, |number| number + 1, [1, 2, 3]));
    is_send(client.nameless(1, vec![2], str::to_owned));
    is_send(client.nameless_once(str::to_owned));
    is_send(client.typed());
    is_send(Arc::new(client.clone()).shared());
    is_send(Pin::new(&client).pinned());
    is_send(client.changed(&mut 1));
    is_send(client.used_up(1));
    is_send(7.answer(1));
    let pair = Pair { left: 1, right: String::new() };
    is_send(borrowed(&text, "other"));
    is_send(patterns(pair.clone(), 1, (1, 2, 3), [1, 2, 3], pair.clone(), 1, 2, &3));
    is_send(configured(1, pair, 2));
    assert_eq!(Server::<u32>::tool_router().list_all().len(), 2);
    assert_eq!(Many::<3>::tool_router().list_all().len(), 1);
}
