//! What a client reads of a call that its server defers.

mod answers;
mod principals;
mod server;
