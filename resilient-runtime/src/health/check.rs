//! A health check: its function, its timeout, and whether its failure is critical.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use resilient_policy::format_duration;
use serde_json::{Value, json};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::outcomes::CheckStatus;
use crate::redact;

/// The default timeout of a check.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The maximum size of a check's details, in bytes of JSON.
const MOST_DETAILS: usize = 16 * 1024;

/// The result of a check: a status, a message and optional details.
///
/// ```
/// use resilient_runtime::health::CheckResult;
///
/// let found = CheckResult::warn("17 of 20 connections are taken").details(serde_json::json!({ "taken": 17, "of": 20 }));
/// assert_ne!(found, CheckResult::pass("answers"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CheckResult {
    pub(super) status: CheckStatus,
    pub(super) message: String,
    pub(super) details: Option<Value>,
}

impl CheckResult {
    /// Creates a result with the status [`CheckStatus::Pass`].
    pub fn pass(message: impl Into<String>) -> Self {
        Self { status: CheckStatus::Pass, message: message.into(), details: None }
    }

    /// Creates a result with the status [`CheckStatus::Warn`].
    pub fn warn(message: impl Into<String>) -> Self {
        Self { status: CheckStatus::Warn, message: message.into(), details: None }
    }

    /// Creates a result with the status [`CheckStatus::Fail`].
    pub fn fail(message: impl Into<String>) -> Self {
        Self { status: CheckStatus::Fail, message: message.into(), details: None }
    }

    /// Creates a result with the status of a value that is good below `warns`, and fails from `fails` on.
    pub(super) fn below<T: PartialOrd + Copy>(value: T, warns: T, fails: T, message: String) -> Self {
        if value >= fails {
            Self::fail(message)
        } else if value >= warns {
            Self::warn(message)
        } else {
            Self::pass(message)
        }
    }

    /// Adds details, which only reports with details contain. Secrets are masked and texts are cut at 1,000 characters;
    /// details that are still larger than 16 KiB are left out.
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// Masks and bounds the message and the details for a report.
    pub(super) fn shown(self) -> Self {
        let details = self.details.map(shown).map(|details| match details.to_string().len() {
            0..=MOST_DETAILS => details,
            bytes => json!({ "left_out": format!("{bytes} bytes, more than the {MOST_DETAILS} that are shown") }),
        });
        Self { message: redact::fit(&self.message), details, ..self }
    }
}

/// Removes invisible characters from names before comparing them, because such a character would hide a secret's name.
fn shown(details: Value) -> Value {
    match details {
        Value::String(text) => Value::String(redact::fit(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(shown).collect()),
        Value::Object(members) => {
            let named = members.into_iter().map(|(name, value)| (redact::fit(&name), value));
            let masked = |name: &str, value: &Value| !value.is_null() && redact::is_secret_name(name);
            let shown = named.map(|(name, value)| {
                let value = if masked(&name, &value) { redact::MASK.into() } else { shown(value) };
                (name, value)
            });
            Value::Object(shown.collect())
        }
        scalar => scalar,
    }
}

/// A health check. Closures that return a future implement it.
///
/// ```
/// use resilient_runtime::health::{Check, CheckResult, Health, HealthCheck};
///
/// struct Disk {
///     free: u64,
/// }
///
/// impl Check for Disk {
///     async fn check(&self) -> CheckResult {
///         if self.free > 1_000_000 { CheckResult::pass("there is room") } else { CheckResult::fail("the disk is full") }
///     }
/// }
///
/// let health = Health::new().check(HealthCheck::new("disk", Disk { free: 5_000_000 }).critical());
/// # drop(health);
/// ```
pub trait Check: Send + Sync + 'static {
    /// Runs the check. If it panics or exceeds its timeout, it counts as failed; on a timeout its future is dropped.
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

/// A named check with its timeout.
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
    pub(super) check: Box<dyn DynCheck>,
    /// The task of the last run, and when it started.
    pub(super) last: Mutex<Option<(AbortHandle, Instant)>>,
}

impl HealthCheck {
    /// Creates a check that is not critical and has a timeout of 5 s.
    pub fn new(name: impl Into<String>, check: impl Check) -> Self {
        Self {
            name: name.into(),
            is_critical: false,
            timeout: DEFAULT_TIMEOUT,
            check: Box::new(check),
            last: Mutex::default(),
        }
    }

    /// Marks the check as critical: while it fails, the server is unhealthy.
    #[must_use]
    pub fn critical(mut self) -> Self {
        self.is_critical = true;
        self
    }

    /// Sets the timeout of the check. The default is 5 s.
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
        let Self { name, is_critical, timeout, check: _, last: _ } = self;
        f.debug_struct("HealthCheck")
            .field("name", name)
            .field("is_critical", is_critical)
            .field("timeout", timeout)
            .finish_non_exhaustive()
    }
}

/// An object-safe form of [`Check`].
pub(super) trait DynCheck: Send + Sync {
    fn check_boxed(&self) -> Pin<Box<dyn Future<Output = CheckResult> + Send + '_>>;
}

impl<C: Check> DynCheck for C {
    fn check_boxed(&self) -> Pin<Box<dyn Future<Output = CheckResult> + Send + '_>> {
        Box::pin(self.check())
    }
}
