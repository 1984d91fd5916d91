//! The model that `resilient-macros` and `resilient-runtime` share: the settings of a policy, their ranges, and the
//! time that a call can take.
//!
//! Each rule is declared once. The macro checks attributes with it at compile time, the runtime checks overrides with
//! it at start, and retries wait by the same schedule that the macro computed with. This crate does no I/O and has no
//! async code.
//!
//! A mistake is a [`Problem`] with a path such as `retry.base`. The macro maps the path to a span, the runtime to a
//! location in a file or a variable.

// On docs.rs each item shows the feature that it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod breaker;
mod bulkhead;
mod cache;
mod case;
mod check;
mod code;
mod describe;
mod duration;
mod effect;
#[cfg(feature = "file")]
mod file;
mod form;
mod kind;
mod name;
mod node;
mod policy;
mod problem;
mod rate_limit;
mod retry;
mod scalar;
mod schema;
mod secret;
mod suggest;
#[cfg(feature = "file")]
mod tune;

pub use breaker::{BreakerSettings, Window, check_breaker_parts};
pub use bulkhead::{BulkheadSettings, BulkheadUse, check_bulkhead};
pub use cache::{CacheSettings, Scope};
pub use case::{screaming_snake, snake};
pub use check::{
    check, check_breaker, check_breaker_for, check_slow_in_time, check_values, latest_answer, longest_answer,
};
pub use code::{check_code, check_protocol_code};
pub use describe::{Beside, Keyed, describe};
pub use duration::{corrected_duration, format_duration, parse_duration};
pub use effect::Effect;
#[cfg(feature = "file")]
pub use file::{BreakerTable, File, FileProblem, Named, SourceLocation, SourceLocations, Table};
pub use form::{Form, is_none, read_text, without_quotes};
pub use kind::{ErrorKind, Fault, KindSet, ParseKindError, Severity};
pub use name::check_name;
pub use node::{Entry, Mistake, Node, Number, Reader, Syntax, Value, unknown_key};
pub use policy::{BreakerUse, Policy, Source};
pub use problem::Problem;
pub use rate_limit::{Rate, RateLimitSettings, RateLimitUse, check_rate_limit, parse_rate};
pub use retry::{Jitter, Retry, retried_kind};
pub use scalar::{format_share, parse_flag};
pub use schema::{Override, Part, Parts, Setting, SettingType, Settings, Word, Written};
pub use secret::is_secret_name;
pub use suggest::{nearest, one_of};
#[cfg(feature = "file")]
pub use tune::{For, tune, tune_breaker};
