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

macro_rules! word_types {
    ($($type:ident { $($word:literal = $variant:ident),* })*) => {
        $(impl $type {
            /// The words that name the variants.
            pub(crate) const WORDS: &'static [Word] = &[
                $(Word { word: $word, type_name: stringify!($type), variant: stringify!($variant) }),*
            ];
        }

        impl SettingType for $type {
            fn to_setting(self) -> Setting {
                Setting::Word(match self {
                    $(Self::$variant => {
                        Word { word: $word, type_name: stringify!($type), variant: stringify!($variant) }
                    })*
                })
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
    Scope { "caller" = Caller, "shared" = Shared }
    Severity { "low" = Low, "medium" = Medium, "high" = High, "critical" = Critical }
}
