//! The keys of `#[mcp(..)]`: their names, owners and forms.

use proc_macro2::Ident;
use resilient_policy::{ErrorKind, nearest, unknown_key};
use syn::ext::IdentExt;

use crate::mcp_error::parse::errors::Errors;

/// The owner of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The enum. A struct takes these keys and those of a variant.
    Container,
    /// A variant.
    Variant,
    /// A field.
    Field,
}

/// The owner of the entries that are being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Enum,
    Struct,
    Variant,
    /// A field, and whether it belongs to an enum.
    Field {
        of_enum: bool,
    },
}

impl Owner {
    fn takes(self, target: Target) -> bool {
        match self {
            Self::Enum => target == Target::Container,
            Self::Struct => target != Target::Field,
            Self::Variant => target == Target::Variant,
            Self::Field { .. } => target == Target::Field,
        }
    }

    /// Returns the name of the owner that takes the key.
    fn home_of(self, target: Target) -> &'static str {
        let of_enum = !matches!(self, Self::Struct | Self::Field { of_enum: false });
        match target {
            Target::Field => "a field",
            Target::Variant if of_enum => "a variant",
            Target::Container if of_enum => "the enum",
            Target::Variant | Target::Container => "the struct",
        }
    }
}

macro_rules! keys {
    ($($key:ident = $name:literal, $target:ident, $example:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Key {
            $($key,)*
        }

        impl Key {
            const ALL: &'static [Self] = &[$(Self::$key,)*];

            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$key => $name,)* }
            }

            const fn target(self) -> Target {
                match self { $(Self::$key => Target::$target,)* }
            }

            /// Returns an example of the key.
            pub(crate) const fn example(self) -> &'static str {
                match self { $(Self::$key => $example,)* }
            }
        }
    };
}

keys! {
    Prefix = "prefix", Container, r#"prefix = "MAKE""#;
    Crate = "crate", Container, "crate = ::resilient_runtime";
    Kind = "kind", Variant, "kind = not_found";
    Transparent = "transparent", Variant, "transparent";
    Code = "code", Variant, r#"code = "MAKE_NO_SUCH_SCENARIO""#;
    Message = "message", Variant, r#"message = "no scenario {id}""#;
    Public = "public", Variant, "public";
    Private = "private", Variant, "private";
    Hint = "hint", Variant, r#"hint = "Call list_scenarios for valid ids.""#;
    Retryable = "retryable", Variant, "retryable = false";
    TripsBreaker = "trips_breaker", Variant, "trips_breaker = false";
    Fallback = "fallback", Variant, "fallback = false";
    Severity = "severity", Variant, "severity = high";
    Protocol = "protocol", Variant, "protocol = -33001";
    Status = "status", Field, "status";
    Classify = "classify", Field, "classify";
    RetryAfter = "retry_after", Field, "retry_after";
    Detail = "detail", Field, "detail";
    Secret = "secret", Field, "secret";
}

/// Returns the key that `word` names, if the owner takes it.
pub(crate) fn find(word: &Ident, owner: Owner, errors: &mut Errors) -> Option<Key> {
    let name = word.unraw().to_string();
    let Some(key) = Key::ALL.iter().copied().find(|key| key.name() == name) else {
        errors.at(word, unknown(&name, owner));
        return None;
    };
    if owner.takes(key.target()) {
        Some(key)
    } else {
        errors.at(word, format!("`{name}` belongs on {}", owner.home_of(key.target())));
        None
    }
}

fn unknown(name: &str, owner: Owner) -> String {
    if let Ok(kind) = name.parse::<ErrorKind>() {
        return if owner.takes(Key::Kind.target()) {
            format!("`{kind}` is a kind, which stands behind `kind =`; write `kind = {kind}`")
        } else {
            let home = owner.home_of(Key::Kind.target());
            format!("`{kind}` is a kind, which belongs on {home}: `#[mcp(kind = {kind})]`")
        };
    }
    let here: Vec<_> = Key::ALL.iter().filter(|key| owner.takes(key.target())).map(|key| key.name()).collect();
    // Suggest a key that the owner takes first, then any other.
    let near = nearest(name, here.iter().copied()).or_else(|| nearest(name, Key::ALL.iter().map(|key| key.name())));
    match near {
        Some(near) => format!("unknown key `{name}`; did you mean `{near}`?"),
        None => unknown_key(name, &here),
    }
}
