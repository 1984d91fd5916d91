//! Explains why arguments do not fit a tool: the field, the expected value and the received value.
//!
//! rmcp's own text names no field. Therefore the block macro registers a function for each `Parameters<T>` that
//! deserializes the same arguments again and tracks the path. It runs only after rmcp has rejected the arguments.

mod arguments_copy;
mod reason;
mod secrets;

use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

pub(super) use arguments_copy::ArgumentsCopy;
use reason::Reason;
use secrets::Secrets;

/// Deserializes arguments as a tool's type of parameters. Returns `None` if they fit.
pub type Explain = fn(Value) -> Option<Misfit>;

fn explain<T: DeserializeOwned>(arguments: Value) -> Option<Misfit> {
    serde_path_to_error::deserialize::<_, T>(arguments).err().map(|error| Misfit::of(&error))
}

/// The path to the value that does not fit, and serde's message.
#[derive(Debug)]
pub struct Misfit {
    path: Vec<Step>,
    message: String,
}

/// A step of a path into arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Misfit {
    fn of(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        let steps = error.path().iter().map_while(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } | Segment::Enum { variant: key } => Some(Step::Key(key.clone())),
            Segment::Unknown => None,
        });
        Self { path: steps.collect(), message: error.inner().to_string() }
    }
}

/// A type of parameters. The method is resolved on the concrete type, so that types that cannot be deserialized get no
/// explanation; the compiler reports them through rmcp's bounds.
#[derive(Debug)]
pub struct Explained<T>(Unexplained<T>);

/// Any other type.
#[derive(Debug)]
pub struct Unexplained<T>(PhantomData<fn(T)>);

impl<T> Explained<T> {
    /// The only instance.
    pub const HERE: Self = Self(Unexplained(PhantomData));
}

impl<T: DeserializeOwned> Explained<T> {
    /// Returns the function that explains arguments which are not of this type.
    #[must_use]
    pub fn __explain(&self) -> Option<Explain> {
        Some(explain::<T>)
    }
}

impl<T> Deref for Explained<T> {
    type Target = Unexplained<T>;

    fn deref(&self) -> &Unexplained<T> {
        &self.0
    }
}

impl<T> Unexplained<T> {
    /// Returns `None`: there is no explanation for this type.
    #[expect(clippy::unused_self, reason = "the expansion calls a method")]
    #[must_use]
    pub fn __explain(&self) -> Option<Explain> {
        None
    }
}

/// The explanations of a block's tools, by the name of the tool.
#[derive(Debug, Default)]
pub struct Explanations(Vec<(&'static str, Explain)>);

impl Explanations {
    /// Registers the explanation of a tool's arguments.
    pub fn add(&mut self, tool: &'static str, explain: Option<Explain>) {
        self.0.extend(explain.map(|explain| (tool, explain)));
    }

    pub(super) fn into_boxed(self) -> Box<[(&'static str, Explain)]> {
        self.0.into_boxed_slice()
    }
}

/// Explains the mistake in arguments for which rmcp returned `message`. Returns `None` if no registered type
/// rejects them with the same message, because then something else did not fit.
pub(super) fn explained(message: &str, arguments: &[u8], by: &[Explain]) -> Option<String> {
    let arguments = read(arguments)?;
    // The first `Parameters` of a tool consumes the arguments, so that a second one receives none.
    let matching = |given: &Value| {
        by.iter().find_map(|explain| {
            let misfit = explain(given.clone()).filter(|misfit| misfit.message == message)?;
            Some((misfit, *explain))
        })
    };
    let (misfit, explain) = matching(&arguments).or_else(|| matching(&Value::Object(Map::new())))?;
    Some(Reason::of(misfit, &arguments, explain).in_words())
}

/// Returns rmcp's message about these arguments without the secrets in it. If the arguments are not known, any value
/// may be a secret.
pub(super) fn unexplained(message: &str, arguments: Option<&[u8]>) -> String {
    let secrets = arguments.and_then(read).map(|arguments| Secrets::of(&arguments));
    reason::without_secrets(message, secrets.as_ref())
}

/// Parses arguments that are short enough to be explained.
fn read(arguments: &[u8]) -> Option<Value> {
    (arguments.len() <= arguments_copy::LONGEST).then(|| serde_json::from_slice(arguments).ok()).flatten()
}

/// Returns the value at a path.
fn at<'v>(mut value: &'v Value, path: &[Step]) -> Option<&'v Value> {
    for step in path {
        value = match step {
            Step::Key(key) => value.get(key)?,
            Step::Index(index) => value.get(index)?,
        };
    }
    Some(value)
}

/// Returns a copy of the arguments with another value at a path.
fn with(arguments: &Value, path: &[Step], other: Value) -> Option<Value> {
    let mut changed = arguments.clone();
    let mut place = &mut changed;
    for step in path {
        place = match step {
            Step::Key(key) => place.get_mut(key)?,
            Step::Index(index) => place.get_mut(index)?,
        };
    }
    *place = other;
    Some(changed)
}
