//! The value of a setting, and the types of values that only settings have.

mod rate;
mod window;
mod word;

use std::fmt;
use std::time::Duration;

use crate::bytes::format_bytes;
use crate::duration::format_duration;
use crate::kind::KindSet;
pub use rate::{Rate, parse_rate};
pub use window::Window;
pub use word::{Jitter, OnExhausted, Scope, Word};

/// The value of one part, of any type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Setting {
    /// No value: `budget = none`, or an optional part that is not set.
    None,
    /// `true`
    Flag(bool),
    /// `20`
    Count(u32),
    /// `0.5`
    Number(f64),
    /// `"30s"`
    Duration(Duration),
    /// `"64MiB"`, in bytes.
    Bytes(u64),
    /// `100` or `"60s"`
    Window(Window),
    /// `"100/1s"`
    Rate(Rate),
    /// `on(timeout, unavailable)`
    Kinds(KindSet),
    /// `jitter = full`
    Word(Word),
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Flag(value) => write!(f, "{value}"),
            Self::Count(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Duration(value) => f.write_str(&format_duration(*value)),
            Self::Bytes(value) => f.write_str(&format_bytes(*value)),
            Self::Window(value) => write!(f, "{value}"),
            Self::Rate(value) => write!(f, "{value}"),
            Self::Kinds(value) => write!(f, "{value}"),
            Self::Word(value) => f.write_str(value.word),
        }
    }
}

/// A type of parts.
pub trait SettingType: Sized {
    /// Returns the value as a [`Setting`].
    fn to_setting(self) -> Setting;
    /// Returns the value of a [`Setting`], or `None` if it has another type.
    fn from_setting(setting: &Setting) -> Option<Self>;
}

macro_rules! setting_types {
    ($($variant:ident: $type:ty),* $(,)?) => {
        $(impl SettingType for $type {
            fn to_setting(self) -> Setting {
                Setting::$variant(self)
            }

            fn from_setting(setting: &Setting) -> Option<Self> {
                match setting {
                    Setting::$variant(value) => Some(*value),
                    _ => None,
                }
            }
        })*
    };
}

setting_types! {
    Flag: bool, Count: u32, Number: f64, Duration: Duration, Bytes: u64, Window: Window, Rate: Rate, Kinds: KindSet,
}

impl<T: SettingType> SettingType for Option<T> {
    fn to_setting(self) -> Setting {
        self.map_or(Setting::None, T::to_setting)
    }

    fn from_setting(setting: &Setting) -> Option<Self> {
        match setting {
            Setting::None => Some(None),
            setting => T::from_setting(setting).map(Some),
        }
    }
}
