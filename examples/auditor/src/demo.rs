//! The sample project: one case for most rules.

use std::{fs, io};

use tempfile::TempDir;

const FILES: [(&str, &str); 3] = [
    (
        "src/lib.rs",
        r#"//! A shop's prices.

mod parse;

/// The price of an order, in cents.
pub fn price(order: &str) -> u64 {
    order.lines().map(|line| parse::line(line).expect("a line has a price")).sum()
}

pub fn discount(price: u64) -> u64 {
    price / 10
}

#[cfg(test)]
mod tests {
    #[test]
    fn ten_percent() {
        assert_eq!(super::discount("70".parse().unwrap()), 7);
    }
}
"#,
    ),
    (
        "src/parse.rs",
        r#"//! Reads orders.

/// The price in a line such as `tea: 300`.
pub fn line(line: &str) -> Option<u64> {
    let (_, price) = line.split_once(": ")?;
    Some(price.parse().unwrap())
}

/// Leaves out what is no text.
pub fn text(bytes: &[u8]) -> &str {
    // "unsafe { .unwrap() }" in a comment is no finding.
    unsafe { std::str::from_utf8_unchecked(bytes) }
}
"#,
    ),
    (
        "src/bin/shop.rs",
        r#"//! The shop's program.

fn main() {
    todo!("read the order from stdin");
}
"#,
    ),
];

/// Writes the project to a temporary directory. Dropping it removes the files.
pub(super) fn project() -> io::Result<TempDir> {
    let directory = tempfile::tempdir()?;
    for (path, text) in FILES {
        let path = directory.path().join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    Ok(directory)
}
