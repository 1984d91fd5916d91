//! The sources of settings (the file, the block and the function) and their precedence.

use proc_macro2::TokenStream;
use quote::quote;

use super::{compile_errors, messages, messages_with};
use crate::project::Project;
use crate::resilient::expand_in;

#[test]
fn what_the_file_says_becomes_part_of_the_record() {
    let file = r#"
        [default]
        timeout = "20s"
        bulkhead = 9
        [profile.make]
        retry = { max = 2, base = "500ms" }
        breaker = "make"
        attempt_timeout = "3s"
        [breaker.make]
        failures = 8
        [tool.list]
        attempt_timeout = "2s"
        bulkhead = "none"
        cache = { stale_if_error = "5m" }
    "#;
    let expanded = expand_in(
        &Project::read(file.into()),
        quote!(profile = "make", fallback = cached),
        &quote! {
            #[tool]
            async fn list() -> Result<Json<Listed>, MakeError> {
                list().await
            }
        },
    );
    insta::assert_snapshot!(prettyplease::unparse(&syn::parse2(expanded).expect("the expansion parses")));
}

#[test]
fn the_strongest_place_that_speaks_of_a_key_is_heard() {
    let file = r#"
        [default]
        timeout = "1s"
        [profile.outer]
        timeout = "2s"
        [tool.list]
        timeout = "4s"
        [profile.inner]
        timeout = "5s"
    "#;
    let outer = quote!(__inherited(timeout = "3s", profile = "outer"));
    for (seconds, attribute, tool) in [
        (6, quote!(timeout = "6s", profile = "inner", #outer), "list"),
        (4, quote!(profile = "inner", #outer), "list"),
        (5, quote!(profile = "inner", #outer), "other"),
        (4, quote!(#outer), "list"),
        (3, quote!(#outer), "other"),
        (2, quote!(__inherited(profile = "outer")), "other"),
        (1, quote!(profile = none, __inherited(profile = "outer")), "other"),
        (1, quote!(), "other"),
        (30, quote!(timeout = none), "list"),
    ] {
        let project = Project::read(file.into());
        let item = quote!(
            #[tool(name = #tool)]
            async fn any(&self) -> Result<u32, E> {
                Ok(1)
            }
        );
        let expanded = expand_in(&project, attribute.clone(), &item).to_string();
        let expected = format!("Duration :: from_secs ({seconds}u64)");
        // Built-in values are not written.
        let is_built_in = !expanded.contains(". timeout");
        assert_eq!((expanded.contains(&expected), is_built_in), (seconds != 30, seconds == 30), "{attribute} {tool}");
    }
}

#[test]
fn every_key_is_taken_from_the_strongest_place() {
    let file = r#"
        [default]
        attempt_timeout = "1s"
        retry = 1
        breaker = "one"
        bulkhead = 1
        rate_limit = "1/1s"
        cache = { max = 1 }
        [profile.two]
        attempt_timeout = "2s"
        retry = 2
        breaker = "two"
        bulkhead = 2
        rate_limit = "2/1s"
        cache = { max = 2 }
        [tool.three]
        attempt_timeout = "3s"
        retry = 3
        breaker = "three"
        bulkhead = 3
        rate_limit = "3/1s"
        cache = { max = 3 }
    "#;
    for (attribute, tool, words) in [
        (
            quote!(),
            "other",
            [
                "from_secs (1u64)",
                "Retry :: new (1u32)",
                "\"one\"",
                "BulkheadSettings :: new (1u32)",
                "RateLimitSettings :: new (1u32",
                ". max (1u32)",
            ],
        ),
        (
            quote!(__inherited(profile = "two")),
            "other",
            [
                "from_secs (2u64)",
                "Retry :: new (2u32)",
                "\"two\"",
                "BulkheadSettings :: new (2u32)",
                "RateLimitSettings :: new (2u32",
                ". max (2u32)",
            ],
        ),
        (
            quote!(__inherited(profile = "two")),
            "three",
            [
                "from_secs (3u64)",
                "Retry :: new (3u32)",
                "\"three\"",
                "BulkheadSettings :: new (3u32)",
                "RateLimitSettings :: new (3u32",
                ". max (3u32)",
            ],
        ),
    ] {
        let item = quote!(
            #[tool(name = #tool)]
            async fn any(&self) -> Result<u32, E> {
                Ok(1)
            }
        );
        let attribute = quote!(fallback = cached, #attribute);
        let expanded = expand_in(&Project::read(file.into()), attribute.clone(), &item).to_string();
        for word in words {
            assert!(expanded.contains(word), "{attribute} {tool} {word}: {expanded}");
        }
    }
    let none = quote!(
        fallback = cached,
        attempt_timeout = none,
        retry = none,
        breaker = none,
        bulkhead = none,
        rate_limit = none,
        cache = none
    );
    let item = quote!(
        #[tool(name = "three")]
        async fn any(&self) -> Result<u32, E> {
            Ok(1)
        }
    );
    let expanded = expand_in(&Project::read(file.into()), none, &item).to_string();
    for word in ["attempt_timeout (", "Retry", "Breaker", "Bulkhead", "RateLimit", ". max ("] {
        assert!(!expanded.contains(word), "{word}: {expanded}");
    }
}

#[test]
fn names_are_looked_up_in_the_file() {
    let item = || {
        quote!(
            async fn any() -> Result<u32, E> {
                Ok(1)
            }
        )
    };
    let file = "[profile.make]\n[breaker.make]\nfailures = 8\n";
    assert_eq!(
        messages_with(file, quote!(profile = "mkae", breaker = "maek"), item()),
        [
            "no profile `mkae` in `resilient.toml`; did you mean `make`?",
            "no breaker `maek` in `resilient.toml`; did you mean `make`?"
        ]
    );
    assert_eq!(messages_with("", quote!(breaker = "maek"), item()), Vec::<String>::new());
    assert_eq!(
        messages_with("", quote!(profile = "make"), item()),
        ["no profile `make` in `resilient.toml`; there are none"]
    );
    assert_eq!(
        messages(quote!(profile = "make"), item()),
        ["there is no `resilient.toml` beside the `Cargo.toml`, in which a profile could stand"]
    );
}

#[test]
fn one_breaker_has_the_same_settings_in_attribute_and_file() {
    let item = || {
        quote!(
            async fn any() -> Result<u32, E> {
                Ok(1)
            }
        )
    };
    let file = "[breaker.make]\nfailures = 8\n";
    assert_eq!(messages_with(file, quote!(breaker(name = "make", failures = 8)), item()), Vec::<String>::new());
    assert_eq!(
        messages_with(file, quote!(breaker(name = "make", failures = 8, open = "5s")), item()),
        ["the breaker `make` has other settings in resilient.toml:1:10: `open` 1m, not 5s; write them in one place, \
             and `breaker = \"make\"` here"]
    );
}

#[test]
fn rules_between_attribute_and_file_are_reported_at_the_function_with_the_line() {
    let item = || {
        quote!(
            async fn any() -> Result<u32, E> {
                Ok(1)
            }
        )
    };
    let file = "[profile.slow]\nattempt_timeout = \"20s\"\n";
    assert_eq!(
        messages_with(file, quote!(profile = "slow", timeout = "10s"), item()),
        ["`attempt_timeout` (20s) is longer than `timeout` (10s) and never reached (`attempt_timeout` stands in \
             resilient.toml:2:19)"]
    );
    assert_eq!(messages_with(file, quote!(profile = "slow"), item()), Vec::<String>::new());
}

#[test]
fn a_file_that_is_wrong_is_reported_once_and_nothing_is_held_to_it() {
    let project = Project::read("[default]\ntimeout = 3\n[profil.a]\n".into());
    let reported = |attribute: TokenStream, item: TokenStream| compile_errors(expand_in(&project, attribute, &item));
    let item = || {
        quote!(
            async fn ask() -> Result<u32, E> {
                Ok(1)
            }
        )
    };
    assert_eq!(
        reported(quote!(profile = "a", attempt_timeout = "40s"), item()),
        [
            "resilient.toml:2:11: `default.timeout`: expected a duration with its unit in quotes; write `\"3s\"`",
            "resilient.toml:3:2: `profil`: unknown table `profil`; did you mean `profile`?",
        ]
    );
    // An item with the same text is another item.
    assert_eq!(reported(quote!(profile = "a"), item()), Vec::<String>::new());
}

#[test]
fn a_breaker_of_the_file_is_named_or_taken_out_in_every_way_of_writing() {
    let item = || {
        quote!(
            async fn any(id: u32) -> Result<u32, E> {
                Ok(1)
            }
        )
    };
    let file = "[breaker.make]\nfailures = 8\n";
    assert_eq!(messages_with(file, quote!(breaker(name = "make", key = id)), item()), Vec::<String>::new());
    assert_eq!(messages_with(file, quote!(breaker(name = "mkae", key = id)), item()).len(), 1);
    let file = "[breaker.make]\nenabled = false\n";
    assert_eq!(messages_with(file, quote!(breaker(name = "make", failures = 7)), item()), Vec::<String>::new());
    let expanded = expand_in(&Project::read(file.into()), quote!(breaker(name = "make", failures = 7)), &item());
    assert!(!expanded.to_string().contains("BreakerUse"), "{expanded}");
    let file = "[breaker.slow]\nslow = \"30s\"\n";
    assert_eq!(
        messages_with(file, quote!(breaker = "slow", attempt_timeout = "3s"), item()),
        ["no attempt takes 30s: it is cut off after 3s (`breaker.slow` stands in resilient.toml:2:8)"]
    );
}
