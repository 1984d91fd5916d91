//! The schema of settings: each settings struct is declared once, part by part.
//!
//! [`settings!`] generates the struct, its builder and a table of its parts from one declaration. The reader, the
//! partial form, the range checks, the list of differences and the macro's output all use this table.

use std::fmt;
use std::time::Duration;

use crate::{Form, Jitter, KindSet, Problem, Rate, Scope, Severity, Window, format_duration};

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
    /// `100` or `"60s"`
    Window(Window),
    /// `"100/1s"`
    Rate(Rate),
    /// `on(timeout, unavailable)`
    Kinds(KindSet),
    /// `jitter = full`
    Word(Word),
}

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

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Flag(value) => write!(f, "{value}"),
            Self::Count(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Duration(value) => f.write_str(&format_duration(*value)),
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
    Flag: bool, Count: u32, Number: f64, Duration: Duration, Window: Window, Rate: Rate, Kinds: KindSet,
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

/// One part of a settings struct: `max` of `bulkhead(max = 20)`.
#[derive(Debug)]
pub struct Part<S> {
    /// The name of the part: `max`.
    pub name: &'static str,
    /// The path of the part in a [`Problem`]: `bulkhead.max`.
    pub path: &'static str,
    /// The form of the value, with its range.
    pub form: Form,
    /// Whether only code can set the part, not a file or a variable.
    pub only_in_code: bool,
    /// Returns the value in a struct.
    pub get: fn(&S) -> Setting,
    /// Sets the value in a struct. A value of another type changes nothing.
    pub set: fn(&mut S, &Setting),
}

/// A settings struct with the table of its parts.
pub trait Settings: Copy + PartialEq + 'static {
    /// The name of the struct: `BulkheadSettings`.
    const NAME: &'static str;
    /// The key of the settings: `bulkhead`.
    const KEY: &'static str;
    /// The parts, in the order in which they are listed.
    const PARTS: &'static [Part<Self>];
    /// Whether the constructor takes the first part, which can then be written alone: `bulkhead = 20`.
    const FIRST_IS_ARGUMENT: bool;
    /// Whether functions can share the settings under a `name`, which is written beside the parts.
    const CAN_BE_SHARED: bool;
    /// The path of the name in a [`Problem`]: `bulkhead.name`.
    const NAME_PATH: &'static str;

    /// Returns the defaults.
    fn defaults() -> Self;

    /// Checks the ranges of the values and the rules between them.
    fn problems(&self, found: &mut Vec<Problem>);

    /// Returns the part of this name.
    #[must_use]
    fn part(name: &str) -> Option<&'static Part<Self>> {
        Self::PARTS.iter().find(|part| part.name == name)
    }

    /// Returns the names of the parts, for suggestions.
    #[must_use]
    fn names(in_files: bool) -> Vec<&'static str> {
        Self::PARTS.iter().filter(|part| !(in_files && part.only_in_code)).map(|part| part.name).collect()
    }

    /// Returns the defaults with these parts.
    #[must_use]
    fn of<L>(parts: &Parts<L>) -> Self {
        let mut settings = Self::defaults();
        settings.apply(parts);
        settings
    }

    /// Changes these parts.
    fn apply<L>(&mut self, parts: &Parts<L>) {
        for written in &parts.0 {
            if let Some(part) = Self::part(written.name) {
                (part.set)(self, &written.value);
            }
        }
    }

    /// Lists the parts in which other settings differ: `` `open` 1m, not 5s ``, the other value first.
    fn differences(&self, theirs: &Self) -> String {
        let pairs = Self::PARTS.iter().map(|part| (part.name, (part.get)(self), (part.get)(theirs)));
        let differing = pairs.filter(|(_, own, theirs)| own != theirs);
        let texts: Vec<_> = differing.map(|(name, own, theirs)| format!("`{name}` {theirs}, not {own}")).collect();
        texts.join("; ")
    }

    /// Reports each value out of range, unless a more precise problem was reported for its part.
    fn out_of_range(&self, found: &mut Vec<Problem>) {
        for part in Self::PARTS {
            if !found.iter().any(|problem| problem.path == part.path) {
                let why = part.form.out_of_range(&(part.get)(self));
                found.extend(why.map(|why| Problem::new(part.path, why)));
            }
        }
    }
}

/// One part with its location.
#[derive(Debug, Clone, PartialEq)]
pub struct Written<L> {
    /// The name of the part.
    pub name: &'static str,
    /// The path of the part in a [`Problem`].
    pub path: &'static str,
    /// The value.
    pub value: Setting,
    /// The location of the value.
    pub location: L,
}

/// A value, or `none`, which removes the value of a weaker source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Override<T> {
    /// `none`: the value is removed.
    None,
    /// The value.
    Is(T),
}

impl<T> Override<T> {
    /// Returns the value, if there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::None => None,
            Self::Is(value) => Some(value),
        }
    }
}

/// The partial form of any settings: the parts that one source sets, each with its location.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts<L>(pub Vec<Written<L>>);

impl<L> Default for Parts<L> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<L> Parts<L> {
    /// Returns whether no part is set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the part of this name, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Written<L>> {
        self.0.iter().find(|written| written.name == name)
    }

    /// Returns whether the part is set.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Removes a part.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|written| written.name != name);
    }
}

/// Declares a settings struct.
///
/// Each line is a field: its documentation, its name, its type, its default, its form with its range. `| None` after
/// the type makes the field optional. `only_in_code` keeps it out of files and variables. `new(..)` names the argument
/// of the hand-written constructor, which is the first field. `shared` allows a `name`.
macro_rules! settings {
    (
        $(#[$meta:meta])*
        pub struct $struct:ident, $key:literal $(, new($first:tt))? $(; $shared:ident)? {
            $(
                $(#[$doc:meta])*
                $name:ident: $type:ty $(| $none:ident)? = $default:expr, $form:expr $(, $only_in_code:ident)?;
            )*
        }
    ) => {
        $(#[$meta])*
        #[non_exhaustive]
        pub struct $struct {
            $($(#[$doc])* pub $name: $crate::schema::settings!(@type $type $(, $none)?),)*
        }

        impl $struct {
            const DEFAULTS: Self = Self { $($name: $default,)* };

            $(
                #[doc = concat!("Sets `", stringify!($name), "`.")]
                ///
                $(#[$doc])*
                #[must_use]
                pub const fn $name(mut self, $name: $type) -> Self {
                    self.$name = $crate::schema::settings!(@value $name $(, $none)?);
                    self
                }
            )*
        }

        impl $crate::Settings for $struct {
            const NAME: &'static str = stringify!($struct);
            const KEY: &'static str = $key;
            const PARTS: &'static [$crate::Part<Self>] = &[$(
                $crate::Part {
                    name: stringify!($name),
                    path: concat!($key, ".", stringify!($name)),
                    form: $form,
                    only_in_code: $crate::schema::settings!(@flag $($only_in_code)?),
                    get: |settings| $crate::SettingType::to_setting(settings.$name),
                    set: |settings, value| {
                        if let Some(value) = $crate::SettingType::from_setting(value) {
                            settings.$name = value;
                        }
                    },
                },
            )*];
            const FIRST_IS_ARGUMENT: bool = $crate::schema::settings!(@flag $($first)?);
            const CAN_BE_SHARED: bool = $crate::schema::settings!(@flag $($shared)?);
            const NAME_PATH: &'static str = concat!($key, ".name");

            fn defaults() -> Self {
                Self::DEFAULTS
            }

            fn problems(&self, found: &mut Vec<$crate::Problem>) {
                let mut own = Vec::new();
                self.rules(&mut own);
                self.out_of_range(&mut own);
                found.extend(own);
            }
        }
    };
    (@type $type:ty) => { $type };
    (@type $type:ty, None) => { Option<$type> };
    (@value $value:ident) => { $value };
    (@value $value:ident, None) => { Some($value) };
    (@flag) => { false };
    (@flag $word:tt) => { true };
}

pub(crate) use settings;
