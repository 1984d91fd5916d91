//! The front for clients over streamable HTTP.
