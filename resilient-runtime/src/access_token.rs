//! The token that the routes for operators require.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::keyed_hash::KeyedHash;

/// The minimum number of characters of a token.
const SHORTEST: usize = 16;

/// A token that requests must present.
pub(crate) struct AccessToken {
    text: String,
    hash: [u8; 16],
}

impl AccessToken {
    /// Checks a text that is to be a token.
    pub(crate) fn new(text: impl Into<String>) -> Result<Self, InvalidToken> {
        let text = text.into();
        if let Some(forbidden) = text.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(InvalidToken::Character { is_space: forbidden.is_whitespace() });
        }
        if text.len() < SHORTEST {
            return Err(InvalidToken::TooShort);
        }
        Ok(Self { hash: hash(&text), text })
    }

    /// Whether this is the token. The time that it takes depends on neither text, because it compares hashes with a
    /// secret key, which have the same length.
    pub(crate) fn is(&self, presented: &str) -> bool {
        self.hash.ct_eq(&hash(presented)).into()
    }

    /// Whether the text contains the token, so that it must not be repeated. Only for requests that have presented the
    /// token: the time that it takes depends on both.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        text.contains(&self.text)
    }
}

/// The token that the settings at start give.
#[derive(Debug)]
pub(crate) enum TokenSetting {
    Valid(AccessToken),
    /// The settings have one that cannot be a token. The routes must not open for lack of it.
    Invalid,
}

fn hash(text: &str) -> [u8; 16] {
    let mut hash = KeyedHash::new();
    hash.part(text.as_bytes());
    hash.finish().to_le_bytes()
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").finish_non_exhaustive()
    }
}

/// Why a text cannot be the token of the routes for operators.
///
/// ```
/// use std::sync::Arc;
/// use resilient_runtime::health::Health;
/// use resilient_runtime::http::{Admin, InvalidToken};
///
/// let refused = Admin::new(Arc::new(Health::new())).token("secret").unwrap_err();
/// assert_eq!(refused, InvalidToken::TooShort);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidToken {
    /// The text has less than 16 characters.
    TooShort,
    /// The text has a character that cannot be sent in a header.
    #[non_exhaustive]
    Character {
        /// Whether it is white space, such as the line break at the end of a file.
        is_space: bool,
    },
}

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => write!(f, "the token has less than {SHORTEST} characters"),
            Self::Character { is_space: true } => {
                f.write_str("the token contains white space, perhaps a line break at its end")
            }
            Self::Character { is_space: false } => {
                f.write_str("the token contains a character that is not visible ASCII")
            }
        }
    }
}

impl std::error::Error for InvalidToken {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_16_characters_or_more_that_a_header_can_carry() {
        let refused = |text: &str| AccessToken::new(text).err();
        assert_eq!(refused(""), Some(InvalidToken::TooShort));
        assert_eq!(refused("0123456789abcde"), Some(InvalidToken::TooShort));
        assert_eq!(refused("0123456789abcdef"), None);
        assert_eq!(refused("0123456789abcdef\n"), Some(InvalidToken::Character { is_space: true }));
        assert_eq!(refused("0123456789abcdéf"), Some(InvalidToken::Character { is_space: false }));
    }

    #[test]
    fn only_the_token_itself_is_the_token_and_it_is_not_shown() {
        let token = AccessToken::new("0123456789abcdef").unwrap();
        assert!(token.is("0123456789abcdef"));
        for other in ["", "0", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeF"] {
            assert!(!token.is(other), "{other}");
        }
        assert!(token.is_in("it is 0123456789abcdef.") && !token.is_in("it is 0123456789abcde."));
        assert!(!format!("{token:?}").contains("0123"));
    }
}
