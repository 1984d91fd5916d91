//! The schema of settings: each settings struct is declared once, part by part.
//!
//! [`settings!`] generates the struct, its builder and a table of its parts from one declaration. The reader, the
//! partial form, the range checks, the list of differences and the macro's output all use this table.

use crate::form::Form;
use crate::problem::Problem;
use crate::setting::Setting;

/// One part of a settings struct: `max` of `bulkhead(max = 20)`.
#[derive(Debug)]
pub struct Part<S> {
    /// The name of the part: `max`.
    pub name: &'static str,
    /// The path of the part in a [`Problem`]: `bulkhead.max`.
    pub path: &'static str,
    /// The form of the value, with its range.
    pub form: Form,
    /// The phrase of the part in the description of a policy, with `{}` for the value: `, {} more may wait`. Empty if
    /// the description leaves the part out, or shows it in another way.
    pub(crate) phrase: &'static str,
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
    /// What an attribute expects as the value of the key, with an example.
    const EXPECTED: &'static str;
    /// What the first part says and an example of it, if the part has no default.
    const NEEDED: Option<(&'static str, &'static str)>;

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

    /// Sets these parts, and leaves the others as they are.
    fn apply<L>(&mut self, parts: &Parts<L>) {
        for written in &parts.0 {
            if let Some(part) = Self::part(written.name) {
                (part.set)(self, &written.value);
            }
        }
    }

    /// Lists the parts in which other settings differ, with their value first: `` `open` 1m, not 5s ``.
    fn differences(&self, theirs: &Self) -> String {
        let pairs = Self::PARTS.iter().map(|part| (part.name, (part.get)(self), (part.get)(theirs)));
        let differing = pairs.filter(|(_, ours, theirs)| ours != theirs);
        let texts: Vec<_> = differing.map(|(name, ours, theirs)| format!("`{name}` {theirs}, not {ours}")).collect();
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

/// A part that a source sets, with its location.
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
/// the type makes the field optional. `=>` precedes its phrase in the description of a policy. `only_in_code` keeps it
/// out of files and variables. `new(..)` names the argument of the hand-written constructor, which is the first field.
/// `shared` allows a `name`. `expected` is the value in a message, and `needed` says what is missing without the first
/// part, with an example.
macro_rules! settings {
    (
        $(#[$meta:meta])*
        pub struct $struct:ident, $key:literal $(, new($first:tt))? $(; $shared:ident)?
        where expected = $expected:literal $(, needed = $needed:literal, $example:literal)?
        {
            $(
                $(#[$doc:meta])*
                $name:ident: $type:ty $(| $none:ident)? = $default:expr, $form:expr $(=> $phrase:literal)? $(, $only_in_code:ident)?;
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

        impl $crate::schema::Settings for $struct {
            const NAME: &'static str = stringify!($struct);
            const KEY: &'static str = $key;
            const PARTS: &'static [$crate::schema::Part<Self>] = &[$(
                $crate::schema::Part {
                    name: stringify!($name),
                    path: concat!($key, ".", stringify!($name)),
                    form: $form,
                    phrase: concat!($($phrase)?),
                    only_in_code: $crate::schema::settings!(@flag $($only_in_code)?),
                    get: |settings| $crate::setting::SettingType::to_setting(settings.$name),
                    set: |settings, value| {
                        if let Some(value) = $crate::setting::SettingType::from_setting(value) {
                            settings.$name = value;
                        }
                    },
                },
            )*];
            const FIRST_IS_ARGUMENT: bool = $crate::schema::settings!(@flag $($first)?);
            const CAN_BE_SHARED: bool = $crate::schema::settings!(@flag $($shared)?);
            const NAME_PATH: &'static str = concat!($key, ".name");
            const EXPECTED: &'static str = $expected;
            const NEEDED: Option<(&'static str, &'static str)> = $crate::schema::settings!(@needed $($needed, $example)?);

            fn defaults() -> Self {
                Self::DEFAULTS
            }

            fn problems(&self, found: &mut Vec<$crate::problem::Problem>) {
                let mut problems = Vec::new();
                self.rules(&mut problems);
                self.out_of_range(&mut problems);
                found.extend(problems);
            }
        }
    };
    (@type $type:ty) => { $type };
    (@type $type:ty, None) => { Option<$type> };
    (@value $value:ident) => { $value };
    (@value $value:ident, None) => { Some($value) };
    (@needed) => { None };
    (@needed $needed:literal, $example:literal) => { Some(($needed, $example)) };
    (@flag) => { false };
    (@flag $word:tt) => { true };
}

pub(crate) use settings;
