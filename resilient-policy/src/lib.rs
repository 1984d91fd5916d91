//! The model that `resilient-macros` and `resilient-runtime` share: the settings of a policy, their ranges, and the
//! time that a call can take.
//!
//! Begin with [`Policy`], the settings of one function, and [`check()`], the rules for them. [`Settings`] declares
//! the parts of one key, [`Form`] reads the value of a part, and [`Reader`] reads the parts from a tree of [`Node`]s,
//! which the macro makes of an attribute, and this crate of a file or a variable.
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
mod bytes;
mod cache;
mod case;
mod check;
mod code;
mod deferred;
mod describe;
mod duration;
mod effect;
#[cfg(feature = "file")]
mod file;
mod form;
mod kind;
mod level;
mod name;
mod node;
mod policy;
mod problem;
mod rate_limit;
mod reader;
mod retry;
mod scalar;
mod schema;
mod secret;
mod setting;
mod suggest;
#[cfg(feature = "file")]
mod tune;

pub use breaker::{BreakerSettings, BreakerUse, check_breaker_parts};
pub use bulkhead::{BulkheadSettings, BulkheadUse, check_bulkhead};
pub use bytes::{format_bytes, parse_bytes};
pub use cache::{CacheSettings, check_cache_parts};
pub use case::{screaming_snake, snake};
pub use check::{
    Declarable, check, check_breaker, check_breaker_for, check_name_at, check_names, check_same_breaker,
    check_slow_in_time, check_values, harmful_retry, latest_answer, longest_answer,
};
pub use code::{check_code, check_protocol_code};
pub use deferred::{DeferredSettings, check_deferred_parts};
pub use describe::describe;
pub use duration::{corrected_duration, format_duration, parse_duration};
pub use effect::Effect;
#[cfg(feature = "file")]
pub use file::{
    BreakerTable, FeatureTable, File, FileProblem, GateTables, LevelTable, Located, Named, SourceLocation,
    SourceLocations, Table,
};
pub use form::{Form, is_none, read_kind, read_text, without_quotes};
pub use kind::{ErrorKind, Fault, KindSet, ParseKindError, Severity, retried_kind};
pub use level::{GateSettings, Level, LevelEffect, Levels, Switches};
pub use name::check_name;
pub use node::{Entry, Mistake, Node, Number, Syntax, Value};
pub use policy::{Beside, Keyed, Policy, Source, unfinished};
pub use problem::Problem;
pub use rate_limit::{RateLimitSettings, RateLimitUse, check_rate_limit};
pub use reader::{Reader, unknown_key};
pub use retry::Retry;
pub use scalar::{format_share, parse_flag};
pub use schema::{Override, Part, Parts, Settings, Written};
pub use secret::is_secret_name;
pub use setting::{Jitter, OnExhausted, Rate, Scope, Setting, SettingType, Window, Word, parse_rate};
pub use suggest::{nearest, one_of};
#[cfg(feature = "file")]
pub use tune::{For, tune, tune_breaker};
