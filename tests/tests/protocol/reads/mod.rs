//! What a client sees of reads that are answered from the cache or shared.

mod cached;
mod cancelled;
mod nested;
mod server;
mod shared;
