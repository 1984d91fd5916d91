//! A link to a child process.
