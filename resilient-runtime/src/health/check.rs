//! One thing that is looked at: how, for how long, and what its failure means.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use resilient_policy::format_duration;
use serde::Serialize;
use serde_json::Value;

/// The time that a check has, unless it says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Everything is as it should be.
    Pass,
    /// It works, and somebody should look.
    Warn,
    /// It does not work.
    Fail,
}

impl CheckStatus {
    /// The word used in reports and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What a check found, and what it has to say about it.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckResult {
    pub(super) status: CheckStatus,
    pub(super) message: String,
    pub(super) details: Option<Value>,
}

impl CheckResult {
    /// Everything is as it should be.
    pub fn pass(message: impl Into<String>) -> Self {
        Self { status: CheckStatus::Pass, message: message.into(), details: None }
    }

    /// It works, and somebody should look.
    pub fn warn(message: impl Into<String>) -> Self {
        Self { status: CheckStatus::Warn, message: message.into(), details: None }
    }

    /// It does not work.
    pub fn fail(message: impl Into<String>) -> Self {
        Self { status: CheckStatus::Fail, message: message.into(), details: None }
    }

    /// Adds what only those see who ask for details. Secrets are masked.
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }
}

/// Something that can be looked at. A closure that returns a future is one.
pub trait Check: Send + Sync + 'static {
    /// Looks. A panic is a failure; what takes too long is dropped, which is one as well.
    fn check(&self) -> impl Future<Output = CheckResult> + Send;
}

impl<F, A> Check for F
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = CheckResult> + Send,
{
    fn check(&self) -> impl Future<Output = CheckResult> + Send {
        self()
    }
}

/// A check under a name.
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::health::{CheckResult, HealthCheck};
///
/// let database = HealthCheck::new("database", || async { CheckResult::pass("answers") })
///     .critical()
///     .timeout(Duration::from_secs(2));
/// # let _ = database;
/// ```
pub struct HealthCheck {
    pub(super) name: String,
    pub(super) is_critical: bool,
    pub(super) timeout: Duration,
    pub(super) check: Box<dyn Looked>,
}

impl HealthCheck {
    /// A check that is not critical and has 5 s.
    pub fn new(name: impl Into<String>, check: impl Check) -> Self {
        Self { name: name.into(), is_critical: false, timeout: DEFAULT_TIMEOUT, check: Box::new(check) }
    }

    /// The server is of no use to anybody while this fails.
    #[must_use]
    pub fn critical(mut self) -> Self {
        self.is_critical = true;
        self
    }

    /// Sets the time that it has.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl HealthCheck {
    pub(super) fn too_late(&self) -> CheckResult {
        CheckResult::fail(format!("no answer within {}", format_duration(self.timeout)))
    }
}

impl std::fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, is_critical, timeout, check: _ } = self;
        f.debug_struct("HealthCheck")
            .field("name", name)
            .field("is_critical", is_critical)
            .field("timeout", timeout)
            .finish_non_exhaustive()
    }
}

/// A check of any type.
pub(super) trait Looked: Send + Sync {
    fn look(&self) -> Pin<Box<dyn Future<Output = CheckResult> + Send + '_>>;
}

impl<C: Check> Looked for C {
    fn look(&self) -> Pin<Box<dyn Future<Output = CheckResult> + Send + '_>> {
        Box::pin(self.check())
    }
}
