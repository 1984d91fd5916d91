//! Settings that are one of a few words, such as `jitter = full`.

use super::{Setting, SettingType};
use crate::kind::Severity;

/// A word that names a variant of an enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// The word: `full`.
    pub word: &'static str,
    /// The name of the enum: `Jitter`.
    pub type_name: &'static str,
    /// The name of the variant: `Full`.
    pub variant: &'static str,
}

/// The randomization of delays, which prevents that many callers retry at the same moment.
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::policy::{Jitter, Retry};
///
/// let retry = Retry::new(3).jitter(Jitter::Full); // base 1 s
/// assert_eq!(retry.delay(0, 0.5), Duration::from_millis(500));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Jitter {
    /// No jitter: the nominal delay.
    Off,
    /// 50 to 100 % of the nominal delay.
    #[default]
    Equal,
    /// 0 to 100 % of the nominal delay.
    Full,
}

/// The callers to which a cached answer may be served.
///
/// ```
/// use resilient_runtime::policy::{CacheSettings, Scope};
///
/// assert_eq!(CacheSettings::new().scope, Scope::Caller);
/// assert_ne!(CacheSettings::new().scope(Scope::Shared), CacheSettings::new());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Scope {
    /// Only the caller for which the answer was computed. If the caller is unknown, nothing is cached or served.
    #[default]
    Caller,
    /// Every caller that sends the same arguments.
    Shared,
}

/// What happens to a deferred write whose tries or time are used up, or whose failure is final.
///
/// ```
/// use resilient_runtime::policy::OnExhausted;
///
/// assert_eq!(OnExhausted::default().as_str(), "dead_letter");
/// assert_eq!(OnExhausted::from_word("notify"), Some(OnExhausted::Notify));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnExhausted {
    /// It becomes a dead letter, which an operator can retry or discard.
    #[default]
    DeadLetter,
    /// Its arguments are erased.
    Discard,
    /// It becomes a dead letter, and the operator gets an alert.
    Notify,
}

impl OnExhausted {
    /// Returns the word used in attributes, files and stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.word().word
    }

    /// Returns the value of a word of [`as_str`](Self::as_str).
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let word = Self::WORDS.iter().find(|known| known.word == word)?;
        Self::from_setting(&Setting::Word(*word))
    }
}

macro_rules! word_types {
    ($($type:ident { $($word:literal = $variant:ident),* })*) => {
        $(impl $type {
            /// The words that name the variants.
            pub(crate) const WORDS: &'static [Word] = &[
                $(Word { word: $word, type_name: stringify!($type), variant: stringify!($variant) }),*
            ];

            const fn word(self) -> Word {
                match self {
                    $(Self::$variant => {
                        Word { word: $word, type_name: stringify!($type), variant: stringify!($variant) }
                    })*
                }
            }
        }

        impl SettingType for $type {
            fn to_setting(self) -> Setting {
                Setting::Word(self.word())
            }

            fn from_setting(setting: &Setting) -> Option<Self> {
                match setting {
                    $(Setting::Word(word) if word.word == $word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        })*
    };
}

word_types! {
    Jitter { "off" = Off, "equal" = Equal, "full" = Full }
    OnExhausted { "dead_letter" = DeadLetter, "discard" = Discard, "notify" = Notify }
    Scope { "caller" = Caller, "shared" = Shared }
    Severity { "low" = Low, "medium" = Medium, "high" = High, "critical" = Critical }
}
