//! Accepted and rejected forms of `#[mcp(..)]`.

use proc_macro2::TokenStream;
use quote::quote;

use proptest::prelude::*;

use super::{in_variant, is_fine, message, messages};

#[test]
fn the_example_of_the_documentation_is_accepted() {
    is_fine(quote! {
        #[mcp(prefix = "MAKE")]
        pub enum MakeError {
            #[error("no scenario {id}")]
            #[mcp(kind = not_found, hint = "Call list_scenarios for valid ids.")]
            NoSuchScenario { #[mcp(detail)] id: u64 },
            #[error("rate limited")]
            #[mcp(kind = rate_limited)]
            RateLimited { #[mcp(retry_after)] wait: Option<Duration> },
            #[error("upstream answered {status}: {body}")]
            Upstream { #[mcp(status, detail)] status: u16, body: String },
            #[error("cannot reach Make")]
            Http(#[from] #[mcp(classify)] reqwest::Error),
            #[error(transparent)]
            #[mcp(transparent)]
            Resilience(#[from] ResilienceError),
        }
    });
}

#[test]
fn an_empty_enum_is_accepted() {
    is_fine(quote! { enum Never {} });
}

#[test]
fn what_is_not_rust_is_reported_once() {
    assert_eq!(messages(quote! { fn f() {} }).len(), 1);
}

#[test]
fn keys_are_known_in_their_place_and_take_their_shape() {
    for (variant, said) in [
        (quote! { #[mcp(knd = not_found)] V }, "unknown key `knd`; did you mean `kind`?"),
        (quote! { V( #[mcp(clasify)] u8 ) }, "unknown key `clasify`; did you mean `classify`?"),
        (
            quote! { #[mcp(kind = internal)] V( #[mcp(zzz)] u8 ) },
            "unknown key `zzz`; expected one of `status`, `classify`, `retry_after`, `detail`, `secret`",
        ),
        (quote! { #[mcp(kind = internal, prefix = "X")] V }, "`prefix` belongs on the enum"),
        (quote! { #[mcp(kind = internal, detail)] V }, "`detail` belongs on a field"),
        (quote! { V( #[mcp(kind = internal)] u8 ) }, "`kind` belongs on a variant"),
        (quote! { #[mcp(kind = internal, kind = internal)] V }, "`kind` is written twice; this is the second"),
        (quote! { #[mcp(kind = internal)] #[mcp(kind = internal)] V }, "`kind` is written twice; this is the second"),
        (quote! { #[mcp(kind)] V }, "expected the name of a kind: `kind = not_found`"),
        (quote! { #[mcp(kind(internal))] V }, "expected the name of a kind: `kind = not_found`"),
        (quote! { #[mcp(kind =)] V }, "expected a value after `kind =`"),
        (quote! { #[mcp(kind internal)] V }, "expected `=` or `,` after `kind`"),
        (quote! { #[mcp(kind = internal code = "X")] V }, "expected `,` after the value of `kind`"),
        (quote! { #[mcp(kind = internal, , code = "X")] V }, "expected a key before this `,`"),
        (quote! { #[mcp("internal")] V }, "expected a key such as `kind`, found `\"internal\"`"),
        (quote! { #[mcp] V }, "expected a list: `#[mcp(..)]`"),
        (quote! { #[mcp = "internal"] V }, "expected a list: `#[mcp(..)]`"),
        (quote! { #[mcp(kind = internal, code = X)] V }, "expected a string: `code = \"MAKE_NO_SUCH_SCENARIO\"`"),
        (quote! { #[mcp(kind = internal, public = true)] V }, "`public` takes no value; expected `public` alone"),
        (quote! { #[mcp(kind = internal, retryable)] V }, "expected `true` or `false`: `retryable = false`"),
        (quote! { #[mcp(kind = internal, retryable = "no")] V }, "expected `true` or `false`: `retryable = false`"),
        (quote! { #[mcp(kind = internal, severity = hihg)] V }, "unknown severity `hihg`; did you mean `high`?"),
        (quote! { #[mcp(transparent = true)] V(u8) }, "`transparent` takes no value; expected `transparent` alone"),
        (quote! { V( #[mcp(status = 5)] u8 ) }, "`status` takes no value; expected `status` alone"),
    ] {
        assert_eq!(in_variant(variant), said);
    }
    assert_eq!(message(quote! { #[mcp(kind = internal)] enum E {} }), "`kind` belongs on a variant");
    assert_eq!(message(quote! { struct S(#[mcp(kind = internal)] u8); }), "`kind` belongs on the struct");
    assert_eq!(message(quote! { #[mcp(crate = renamed)] enum E {} }), "expected an absolute path; write `::renamed`");
    assert_eq!(
        message(quote! { #[mcp(crate = "renamed")] enum E {} }),
        "expected a path: `crate = ::resilient_runtime`"
    );
}

#[test]
fn all_mistakes_of_one_enum_are_reported_at_once() {
    let said = messages(quote! {
        #[mcp(prefix = "make", kind = internal)]
        enum E {
            #[mcp(kind = nope, hint = 5)]
            A,
            B,
            #[mcp(kind = internal, protocol = -32000, hint = "{x}")]
            C(#[mcp(detail, secret)] u8),
            #[mcp(transparent)]
            D,
        }
    });
    assert_eq!(said.len(), 9, "{said:#?}");
}

#[test]
fn what_macro_rules_leaves_around_its_metavariables_is_seen_through() {
    let group = |tokens: TokenStream| proc_macro2::Group::new(proc_macro2::Delimiter::None, tokens);
    let (kind, code, hint) = (group(quote! { internal }), group(quote! { -33001 }), group(quote! { "see {id}" }));
    is_fine(quote! { enum E { #[mcp(kind = #kind, protocol = #code, hint = #hint)] V { id: u8 }, } });
}

/// Mistakes that people make in an attribute, and unlikely ones.
fn fragment() -> impl Strategy<Value = String> {
    let words = [
        "kind",
        "=",
        ",",
        "not_found",
        "transparent",
        "hint",
        "message",
        "status",
        "classify",
        "secret",
        "detail",
        "retryable",
        "true",
        "protocol",
        "-",
        "-32000",
        "5",
        "\"X\"",
        "\"{0} {\"",
        "(kind)",
        "::",
        "crate",
        "#",
        "r#fn",
        "'a",
        "5.0",
        "{}",
        "severity",
        "high",
        "prefix",
        "public",
        "private",
        "retry_after",
        "code",
    ];
    prop_oneof![
        9 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => ".{0,12}".prop_map(|text| proc_macro2::Literal::string(&text).to_string()),
    ]
}

proptest! {
    #[test]
    fn whatever_is_written_the_answer_is_items(
        container in proptest::collection::vec(fragment(), 0..6),
        variant in proptest::collection::vec(fragment(), 0..12),
        field in proptest::collection::vec(fragment(), 0..6),
        error in proptest::collection::vec(fragment(), 0..4),
    ) {
        let tokens = [container, variant, field, error].map(|words| words.join(" ").parse::<TokenStream>());
        if let [Ok(container), Ok(variant), Ok(field), Ok(error)] = tokens {
            // `messages` parses the expansion.
            messages(quote! {
                #[mcp(#container)]
                enum E { #[mcp(#variant)] #[error(#error)] V(#[mcp(#field)] u8) }
            });
            messages(quote! { #[mcp(#variant)] #[error("{0}" #error)] struct S(#[source] #[mcp(#field)] T); });
        }
    }
}
