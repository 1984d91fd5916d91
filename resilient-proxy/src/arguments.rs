//! The command line.

mod address;
mod help;
mod name;
mod parser;
mod settings;

pub(crate) use self::help::help;
pub(crate) use self::parser::parse;
pub(crate) use self::settings::{Action, Arguments, Upstream};

#[cfg(test)]
mod tests;
