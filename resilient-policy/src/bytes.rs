//! Sizes as text: `"64MiB"`, `"1.5GB"`.

use crate::scalar::quantity;

/// The units, from the smallest to the largest.
const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

const ZERO: &str = "a size of zero is not allowed here";

/// Parses a number and a unit: `"64MiB"`, `"1.5GB"`.
///
/// Units are `B`, `KiB`, `MiB`, `GiB` (powers of 1,024) and `KB`, `MB`, `GB` (powers of 1,000). A fraction of a byte is
/// cut off.
///
/// # Errors
/// Returns a sentence that says what is wrong: no unit, an unknown unit, a sign, a number that is too large, an empty
/// text, zero.
///
/// ```
/// use resilient_policy::{format_bytes, parse_bytes};
///
/// assert_eq!(parse_bytes("64MiB"), Ok(64 * 1024 * 1024));
/// assert_eq!(parse_bytes("64M").unwrap_err(), "unknown unit `M`; write `\"64MiB\"`");
/// assert_eq!(format_bytes(1536), "1.5KiB");
/// ```
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err(format!("a size cannot be negative: `{text}`"));
    }
    let (number, unit) = parts(text);
    match (number, unit) {
        ("", "") => Err("expected a size such as `\"64MiB\"`, found an empty text".into()),
        ("", _) => Err(format!("expected a size such as `\"64MiB\"`, found `{text}`")),
        (_, "") => Err(match quantity(text, 1 << 20, text)? {
            // Adding a unit would not correct it.
            0 => ZERO.into(),
            _ => format!("`{text}` has no unit; write {}", with_unit(text)),
        }),
        _ => match UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, per_unit)) => match quantity(number, *per_unit, text)? {
                0 => Err(ZERO.into()),
                bytes => Ok(bytes),
            },
            None => Err(match corrected_bytes(text) {
                Some(right) => format!("unknown unit `{unit}`; write `\"{right}\"`"),
                None => format!("unknown unit `{unit}`; expected one of `B`, `KiB`, `MiB`, `GiB`, `KB`, `MB`, `GB`"),
            }),
        },
    }
}

/// Returns a number with the units that it may be meant in.
pub(crate) fn with_unit(number: &str) -> String {
    match number.parse::<u64>() {
        Ok(bytes) if bytes >= 1 << 10 => format!("`\"{number}B\"`"),
        _ => format!("`\"{number}KiB\"` or `\"{number}MiB\"`"),
    }
}

/// Corrects the unit of a size: `64mib`, `64M`. Returns `None` if it is unknown.
pub(crate) fn corrected_bytes(text: &str) -> Option<String> {
    let (number, unit) = parts(text.trim());
    let meant = match unit.to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" => "B",
        "k" | "ki" | "kib" => "KiB",
        "m" | "mi" | "mib" => "MiB",
        "g" | "gi" | "gib" => "GiB",
        "kb" => "KB",
        "mb" => "MB",
        "gb" => "GB",
        _ => return None,
    };
    let right = format!("{number}{meant}");
    let (_, per_unit) = UNITS.iter().find(|(name, _)| *name == meant)?;
    quantity(number, *per_unit, &right).is_ok_and(|bytes| bytes > 0).then_some(right)
}

/// Splits a text into its number and its unit.
fn parts(text: &str) -> (&str, &str) {
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    (number, unit.trim())
}

/// Formats a size so that [`parse_bytes`] reads it, in the largest unit of 1,024 that needs at most two decimals.
#[must_use]
pub fn format_bytes(bytes: u64) -> String {
    for (unit, per_unit) in UNITS.iter().rev().filter(|(unit, _)| unit.contains('i')) {
        // A hundredth of a binary unit is no whole number of bytes, but quarters are.
        let quarters = per_unit / 4;
        if bytes >= *per_unit && bytes.is_multiple_of(quarters) {
            let (whole, rest) = (bytes / per_unit, bytes % per_unit / quarters);
            let fraction = ["", ".25", ".5", ".75"].get(usize::try_from(rest).unwrap_or(0)).copied().unwrap_or("");
            return format!("{whole}{fraction}{unit}");
        }
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_are_read() {
        for (text, bytes) in [
            ("1B", 1),
            ("1KiB", 1_024),
            ("1KB", 1_000),
            (" 64 MiB ", 64 << 20),
            ("1.5GB", 1_500_000_000),
            ("0.5GiB", 1 << 29),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("", "empty"),
            ("1024", "no unit; write `\"1024B\"`"),
            ("64", "no unit; write `\"64KiB\"` or `\"64MiB\"`"),
            ("0", "zero"),
            ("0MiB", "zero"),
            ("0.5B", "zero"),
            ("-1KiB", "negative"),
            ("64mib", "write `\"64MiB\"`"),
            ("64M", "write `\"64MiB\"`"),
            ("1.5kb", "write `\"1.5KB\"`"),
            ("3 bytes", "write `\"3B\"`"),
            ("1TiB", "expected one of `B`"),
            ("MiB", "expected a size"),
            ("1..2KiB", "not a number"),
            ("99999999999GiB", "too large"),
        ] {
            let said = parse_bytes(text).expect_err(text);
            assert!(said.contains(part), "{text}: {said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes in 1..=u64::MAX) {
            proptest::prop_assert_eq!(parse_bytes(&format_bytes(bytes)), Ok(bytes));
        }

        #[test]
        fn what_is_suggested_for_a_size_is_one(text in "[0-9.]{1,4} ?[a-zA-Z]{1,3}|.{0,8}") {
            if let Some(right) = corrected_bytes(&text) {
                proptest::prop_assert!(parse_bytes(&right).is_ok(), "{} for {}", right, text);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = parse_bytes(&text);
        }
    }
}
