//! The id of a deferred write.

use std::fmt;
use std::str::FromStr;

use super::error::{StoreError, StoreErrorKind};

/// Returns 128 random bits of the operating system.
pub(super) fn random() -> Result<[u8; 16], StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let message = format!("the operating system has no random bits: {error}");
        StoreError::new(StoreErrorKind::Unavailable, message)
    })?;
    Ok(bytes)
}

/// The id of a deferred write, which its caller receives: `rsl-` and 32 hexadecimal digits, 128 random bits.
///
/// [`Display`](fmt::Display) writes all of it, [`Debug`](fmt::Debug) and [`short`](Self::short) only its first eight
/// digits, for logs.
///
/// ```
/// use resilient_runtime::deferred::Receipt;
///
/// let receipt = Receipt::random()?;
/// let text = receipt.to_string();
/// assert!(text.starts_with("rsl-") && text.len() == 36);
/// assert_eq!(text.parse(), Ok(receipt));
/// assert_eq!(receipt.short(), text[..12]);
/// # Ok::<_, resilient_runtime::deferred::StoreError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(u128);

impl Receipt {
    /// What the text of every receipt begins with.
    pub const PREFIX: &'static str = "rsl-";

    /// Creates a receipt from 128 random bits of the operating system.
    ///
    /// # Errors
    /// If the operating system has no random bits: [`StoreErrorKind::Unavailable`](super::StoreErrorKind::Unavailable).
    pub fn random() -> Result<Self, StoreError> {
        random().map(|bytes| Self(u128::from_be_bytes(bytes)))
    }

    /// Creates the receipt of these bits, for stores and tests.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// Returns the first characters, `rsl-` and eight digits, which a log may show.
    #[must_use]
    pub fn short(self) -> String {
        format!("{}{:08x}", Self::PREFIX, self.0 >> 96)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:032x}", Self::PREFIX, self.0)
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..", self.short())
    }
}

/// A text that is not a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotAReceipt;

impl fmt::Display for NotAReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a receipt: expected `rsl-` and 32 hexadecimal digits in lower case")
    }
}

impl std::error::Error for NotAReceipt {}

impl FromStr for Receipt {
    type Err = NotAReceipt;

    fn from_str(text: &str) -> Result<Self, NotAReceipt> {
        let digits = text.strip_prefix(Self::PREFIX).ok_or(NotAReceipt)?;
        // One receipt has one text: no sign, no capitals, no missing zeros.
        let is_plain = digits.len() == 32 && digits.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        if !is_plain {
            return Err(NotAReceipt);
        }
        u128::from_str_radix(digits, 16).map(Self).map_err(|_| NotAReceipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_has_one_text() {
        let receipt = Receipt::from_bits(0xab);
        let text = receipt.to_string();
        assert_eq!(text, "rsl-000000000000000000000000000000ab");
        assert_eq!(text.parse(), Ok(receipt));
        for bad in [
            "",
            "rsl-",
            "rsl-ab",
            "rsl-000000000000000000000000000000AB",
            "rsl-+00000000000000000000000000000ab",
            "000000000000000000000000000000ab",
            "rsl-0000000000000000000000000000000ab",
            "rsl-00000000000000000000000000000é",
        ] {
            assert_eq!(bad.parse::<Receipt>(), Err(NotAReceipt), "{bad}");
        }
    }

    #[test]
    fn debug_shows_eight_digits() {
        let receipt = Receipt::from_bits(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(format!("{receipt:?}"), "rsl-01234567..");
        assert_eq!(receipt.short(), "rsl-01234567");
    }
}
