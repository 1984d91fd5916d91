//! Retries: what stops them before their number does. When, and how far apart, is a
//! [`Retry`](resilient_policy::Retry), which the macro checks as well.

mod budget;

pub(crate) use budget::Budget;
