//! The feature `testing`, as authors of servers use it: faults, labs, assertions, tools over MCP.

mod answers;
mod assertions;
mod callers;
mod contradictions;
mod faults;
mod labs;
mod refusal;
mod seeds;
mod tools;

use crate::error::Error;
