//! Why arguments do not fit a tool: which field, what was expected of it, what was received.
//!
//! rmcp's own text names no field. The block macro registers for each `Parameters<T>` a function that reads
//! the same arguments again and follows the path. It runs after rmcp has refused the arguments, never before.

mod kept;
mod reason;
mod secrets;

use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

pub(super) use kept::Kept;
use reason::Reason;
use secrets::Secrets;

/// Reads arguments as a tool's type of parameters. `None` if they fit.
pub type Explain = fn(Value) -> Option<Misfit>;

fn explain<T: DeserializeOwned>(arguments: Value) -> Option<Misfit> {
    serde_path_to_error::deserialize::<_, T>(arguments).err().map(|error| Misfit::of(&error))
}

/// Where arguments do not fit, and serde's words for it.
#[derive(Debug)]
pub struct Misfit {
    path: Vec<Step>,
    said: String,
}

/// One step into arguments.
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
        Self { path: steps.collect(), said: error.inner().to_string() }
    }
}

/// A type of parameters. Its method is found on the concrete type: a type that cannot be deserialized
/// is rmcp's to report, and has no explanation.
#[derive(Debug)]
pub struct Explained<T>(Unexplained<T>);

/// Any other type.
#[derive(Debug)]
pub struct Unexplained<T>(PhantomData<fn(T)>);

impl<T> Explained<T> {
    /// The one of its kind.
    pub const HERE: Self = Self(Unexplained(PhantomData));
}

impl<T: DeserializeOwned> Explained<T> {
    /// How arguments are explained that are not of this type.
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
    /// Nothing.
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
    /// Registers how the arguments of a tool are explained.
    pub fn add(&mut self, tool: &'static str, explain: Option<Explain>) {
        self.0.extend(explain.map(|explain| (tool, explain)));
    }

    pub(super) fn into_boxed(self) -> Box<[(&'static str, Explain)]> {
        self.0.into_boxed_slice()
    }
}

/// What is wrong with these arguments, of which rmcp said this. `None` if no registered type has the same
/// against them: then it was something else that did not fit.
pub(super) fn explained(said: &str, arguments: &[u8], by: &[Explain]) -> Option<String> {
    let arguments = read(arguments)?;
    // The first `Parameters` of a tool takes the arguments, and leaves none for a second.
    let matching = |given: &Value| {
        by.iter().find_map(|explain| {
            let misfit = explain(given.clone()).filter(|misfit| misfit.said == said)?;
            Some((misfit, *explain))
        })
    };
    let (misfit, explain) = matching(&arguments).or_else(|| matching(&Value::Object(Map::new())))?;
    Some(Reason::of(misfit, &arguments, explain).in_words())
}

/// What rmcp said of these arguments, without the secrets among them. Where the arguments are not known, any value
/// may be a secret.
pub(super) fn unexplained(said: &str, arguments: Option<&[u8]>) -> String {
    let secrets = arguments.and_then(read).map(|arguments| Secrets::of(&arguments));
    reason::without_secrets(said, secrets.as_ref())
}

/// Arguments that are short enough to be explained.
fn read(arguments: &[u8]) -> Option<Value> {
    (arguments.len() <= kept::LONGEST).then(|| serde_json::from_slice(arguments).ok()).flatten()
}

/// The value at this path, if there is one.
fn at<'v>(mut value: &'v Value, path: &[Step]) -> Option<&'v Value> {
    for step in path {
        value = match step {
            Step::Key(key) => value.get(key)?,
            Step::Index(index) => value.get(index)?,
        };
    }
    Some(value)
}

/// These arguments with another value at this path.
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
