//! The output of the macros: the messages of the compiler, lints, and the methods of the derive.

mod advice;
mod features;
mod lints;
pub mod mcp_error;
mod ui;
