//! A link to a server over streamable HTTP.
