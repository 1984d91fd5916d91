//! The status page in a browser.

mod checkers;

use crate::{node, run};

/// Checks HTML against the standard. Returns a line for each mistake.
async fn mistakes(html: &str) -> Vec<String> {
    let (success, out, err) = run(node("typescript/validate.js"), html).await;
    assert!(success, "{err}\nIf a package is missing, run tests/engines/install");
    serde_json::from_str(&out).unwrap()
}
