//! Faults that a test injects into the attempts of a registry. [`crate::testing`] decides which.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use resilient_policy::ErrorKind;
use tokio::time::Sleep;

use super::Registry;
use crate::site::Site;

/// Decides which attempts get a fault.
pub(crate) trait Inject: Send + Sync {
    /// Returns the fault for an attempt of this function.
    fn inject(&self, registry: &Registry, site: &Site) -> Option<Injection>;

    /// Records why a function cannot return the fault; the test fails with this message.
    fn refuse(&self, why: String);
}

/// The source of faults of one registry, if a test has set one.
#[derive(Default)]
pub(crate) struct Injector(OnceLock<Arc<dyn Inject>>);

impl Injector {
    pub(crate) fn set(&self, faults: Arc<dyn Inject>) {
        let _ = self.0.set(faults);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.get().is_some()
    }

    pub(crate) fn inject(&self, registry: &Registry, site: &Site) -> Option<Injection> {
        self.0.get()?.inject(registry, site)
    }

    pub(crate) fn refuse(&self, why: String) {
        if let Some(faults) = self.0.get() {
            faults.refuse(why);
        }
    }
}

/// The fault of one attempt.
pub(crate) struct Injection {
    pub(crate) what: FaultAction,
    /// The delay before the fault.
    pub(crate) latency: Option<Pin<Box<Sleep>>>,
}

/// What an attempt does instead of running its body.
#[derive(Debug, Clone)]
pub(crate) enum FaultAction {
    /// Runs the body itself.
    RunBody,
    Error {
        kind: ErrorKind,
        retry_after: Option<Duration>,
    },
    OwnError(ErrorFactory),
    IsError(String),
    Hang,
    Panic,
}

impl fmt::Display for FaultAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunBody => f.write_str("its own answer"),
            Self::Error { kind, .. } => write!(f, "an error of kind `{}`", kind.as_str()),
            Self::OwnError(make) => {
                write!(
                    f,
                    "`{}`: its error is of another type, has type parameters, or does not derive `McpError`",
                    make.of
                )
            }
            Self::IsError(_) => f.write_str("`is_error`: it returns no `CallToolResult`"),
            Self::Hang => f.write_str("nothing"),
            Self::Panic => f.write_str("a panic"),
        }
    }
}

/// Creates errors of one type of the user.
#[derive(Clone)]
pub(crate) struct ErrorFactory {
    pub(crate) of: &'static str,
    pub(crate) make: Arc<dyn Fn() -> Box<dyn Any> + Send + Sync>,
}

impl ErrorFactory {
    pub(crate) fn call(&self) -> Box<dyn Any> {
        (self.make)()
    }
}

impl fmt::Debug for ErrorFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.of)
    }
}
