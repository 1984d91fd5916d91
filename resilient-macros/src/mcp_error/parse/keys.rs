//! The keys of `#[mcp(..)]`: their names, owners, forms and examples.

use proc_macro2::Ident;
use resilient_policy::{ErrorKind, nearest, unknown_key};
use syn::ext::IdentExt;

use super::error;

/// The item above which a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Enum,
    Variant,
    Field,
    /// A struct, which takes the keys of an enum and those of a variant.
    Struct,
    /// A field of a struct.
    StructField,
}

/// The form of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// No value.
    Alone,
    Text,
    Flag,
    Kind,
    Severity,
    /// A JSON-RPC code, with or without a sign.
    Protocol,
    /// The path of the runtime.
    Path,
}

/// What the table says about a key.
pub(crate) struct KeyEntry {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// An example of the value. Empty for a key without a value.
    pub(crate) example: &'static str,
    /// `Enum`, `Variant` or `Field`.
    owner: Owner,
}

macro_rules! keys {
    ($($owner:ident { $($key:ident: $name:literal = $form:ident $example:literal;)* })*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Key {
            $($($key,)*)*
        }

        impl Key {
            const ALL: &'static [Self] = &[$($(Self::$key,)*)*];

            /// Returns the entry of the table.
            pub(crate) const fn entry(self) -> KeyEntry {
                match self {
                    $($(Self::$key => {
                        KeyEntry { name: $name, form: Form::$form, example: $example, owner: Owner::$owner }
                    })*)*
                }
            }
        }
    };
}

keys! {
    Enum {
        Prefix: "prefix" = Text r#""MAKE""#;
        Crate: "crate" = Path "::resilient_runtime";
    }
    Variant {
        Kind: "kind" = Kind "not_found";
        Transparent: "transparent" = Alone "";
        Code: "code" = Text r#""MAKE_NO_SUCH_SCENARIO""#;
        Message: "message" = Text r#""no scenario {id}""#;
        Public: "public" = Alone "";
        Private: "private" = Alone "";
        Hint: "hint" = Text r#""Call list_scenarios for valid ids.""#;
        Retryable: "retryable" = Flag "false";
        TripsBreaker: "trips_breaker" = Flag "false";
        Fallback: "fallback" = Flag "false";
        Severity: "severity" = Severity "high";
        Protocol: "protocol" = Protocol "-33001";
    }
    Field {
        Status: "status" = Alone "";
        Classify: "classify" = Alone "";
        RetryAfter: "retry_after" = Alone "";
        Detail: "detail" = Alone "";
        Secret: "secret" = Alone "";
    }
}

impl Key {
    pub(crate) const fn name(self) -> &'static str {
        self.entry().name
    }

    /// Returns the key that `word` names, if the owner takes it.
    pub(crate) fn find(word: &Ident, owner: Owner) -> syn::Result<Self> {
        let name = word.unraw().to_string();
        match Self::ALL.iter().find(|key| key.name() == name) {
            Some(key) if owner.takes(*key) => Ok(*key),
            Some(key) => error(word, format!("`{name}` belongs on {}", owner.home_of(*key))),
            None => error(word, unknown(&name, owner)),
        }
    }
}

impl Owner {
    fn takes(self, key: Key) -> bool {
        match (self, key.entry().owner) {
            (Self::Struct, owner) => owner != Self::Field,
            (Self::StructField, owner) => owner == Self::Field,
            (_, owner) => owner == self,
        }
    }

    /// Returns the name of the item that takes the key.
    fn home_of(self, key: Key) -> &'static str {
        match (key.entry().owner, self) {
            (Self::Field, _) => "a field",
            (_, Self::Struct | Self::StructField) => "the struct",
            (Self::Variant, _) => "a variant",
            _ => "the enum",
        }
    }
}

impl Form {
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Alone => "no value",
            Self::Text => "a string",
            Self::Flag => "`true` or `false`",
            Self::Kind => "the name of a kind",
            Self::Severity => "`low`, `medium`, `high` or `critical`",
            Self::Protocol => "an integer",
            Self::Path => "a path",
        }
    }
}

fn unknown(name: &str, owner: Owner) -> String {
    if let Ok(kind) = name.parse::<ErrorKind>() {
        return if owner.takes(Key::Kind) {
            format!("`{kind}` is a kind, which stands behind `kind =`; write `kind = {kind}`")
        } else {
            let home = owner.home_of(Key::Kind);
            format!("`{kind}` is a kind, which belongs on {home}: `#[mcp(kind = {kind})]`")
        };
    }
    let here: Vec<_> = Key::ALL.iter().filter(|key| owner.takes(**key)).map(|key| key.name()).collect();
    // Suggest a key that the owner takes first, then any other.
    let near = nearest(name, here.iter().copied()).or_else(|| nearest(name, Key::ALL.iter().map(|key| key.name())));
    match near {
        Some(near) => format!("unknown key `{name}`; did you mean `{near}`?"),
        None => unknown_key(name, &here),
    }
}
