//! Unions.

use resilient_runtime::McpError;

// rule 61
#[derive(McpError)]
union Either {
    number: u32,
    text: [u8; 4],
}

fn main() {}
