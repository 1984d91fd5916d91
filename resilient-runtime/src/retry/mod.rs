//! Limits on retries beyond their number. Their number and delays are a [`Retry`](resilient_policy::Retry), which the
//! macro checks as well.

mod budget;

pub(crate) use budget::Budget;
