//! What the file, the block and the function say, and the rules between them.

use proc_macro2::TokenStream;
use quote::quote;

use super::{compile_errors, messages};
use crate::project::Project;
use crate::resilient::expand_in;

/// The messages of an expansion in a crate with this file.
fn messages_with(file: &str, attribute: TokenStream, item: TokenStream) -> Vec<String> {
    compile_errors(expand_in(&Project::read(file.into()), attribute, &item))
}

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
        cache = { max_age = "5m" }
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
        (5, quote!(profile = "inner", #outer), "list"),
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
        // What is built in is not written down.
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
fn rules_between_attribute_and_file_are_told_at_the_function_with_the_line() {
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
fn a_file_that_is_wrong_is_told_once_and_nothing_is_held_to_it() {
    let project = Project::read("[default]\ntimeout = 3\n[profil.a]\n".into());
    let told = |attribute: TokenStream, item: TokenStream| compile_errors(expand_in(&project, attribute, &item));
    let item = || {
        quote!(
            async fn ask() -> Result<u32, E> {
                Ok(1)
            }
        )
    };
    assert_eq!(
        told(quote!(profile = "a", attempt_timeout = "40s"), item()),
        [
            "resilient.toml:2:11: `default.timeout`: expected a duration with its unit in quotes: `\"3s\"`",
            "resilient.toml:3:2: `profil`: unknown table `profil`; did you mean `profile`?",
        ]
    );
    // An item of the same text is another item.
    assert_eq!(told(quote!(profile = "a"), item()), Vec::<String>::new());
}

#[test]
fn what_could_not_be_read_is_told_and_nothing_is_held_to_the_rest() {
    let item = || {
        quote!(
            async fn ask() -> Result<u32, E> {
                Ok(1)
            }
        )
    };
    for attribute in [
        quote!(timeout = 60, attempt_timeout = "40s"),
        quote!(timeot = "60s", retry = 6, read_only),
        quote!(fallback = "cached", cache(max = 3)),
        quote!(fallback = "cached", retry = 2),
        quote!(read_only = true, retry = 2),
        quote!(retry_unsafe, retry = 2),
        quote!(idempotnt, retry = 2),
        quote!(retry = 0),
    ] {
        assert_eq!(messages(attribute.clone(), item()).len(), 1, "{attribute}");
    }
    // What is wrong by itself is told all the same, in lists as well.
    assert_eq!(messages(quote!(timeot = "1s", timeout = "25h", bulkhead = 0), item()).len(), 3);
    assert_eq!(messages(quote!(retry(budget = "110%", on(timeot), factor = 0.5), read_only), item()).len(), 3);
    assert_eq!(messages(quote!(breaker(name = "a b", failures = 0, opn = "1s")), item()).len(), 3);
    assert_eq!(messages(quote!(bulkhead(max = "5", wait = "1s"), rate_limit(rate = "x", burst = 0)), item()).len(), 4);
}

#[test]
fn a_block_that_is_wrong_is_made_whole_and_its_tools_are_held_to_nothing() {
    let block = quote! {
        #[tool_router(server_handler)]
        impl<T> Server<T> {
            #[resilient(attempt_timeout = "40s", retry = 2)]
            #[tool]
            async fn one(&self) -> Result<String, E> { Ok(String::new()) }
        }
    };
    let expanded = expand_in(&Project::default(), quote!(timeout = "60s", retri = 3), &block);
    assert_eq!(compile_errors(expanded.clone()), ["unknown key `retri`; did you mean `retry`?"]);
    let text = expanded.to_string();
    assert!(text.contains("__resilient_tool_router_shared") && text.contains("tool_handler"), "{text}");
    let tool = quote!(
        #[tool]
        async fn one(&self) -> Result<String, E> {
            Ok(String::new())
        }
    );
    let inherited = quote!(attempt_timeout = "40s", retry = 2, __inherited(timeout = "60s", retri = 3), __told);
    assert_eq!(messages(inherited, tool), Vec::<String>::new());
    assert_eq!(
        messages(
            quote!(),
            quote!(
                #[resilient(retry = 2)]
                #[tool_router]
                impl Server {}
            )
        )
        .len(),
        1
    );
}

#[test]
fn a_clash_with_what_a_block_gives_is_told_at_the_tools_own_key() {
    let item = quote!(
        #[tool]
        async fn one(&self) -> Result<String, E> {
            Ok(String::new())
        }
    );
    let told = messages(quote!(timeout = "3s", read_only, __inherited(retry = 5)), item);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("can never start"), "{told:?}");
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

#[test]
fn what_may_run_again_takes_nothing_that_an_attempt_uses_up() {
    let file = "[profile.p]\nretry = 2\n";
    for item in [
        quote!(
            async fn any(&mut self) -> Result<u32, E> {
                Ok(1)
            }
        ),
        quote!(
            async fn any(self) -> Result<u32, E> {
                Ok(1)
            }
        ),
        quote!(
            async fn any(number: &mut u32) -> Result<u32, E> {
                Ok(1)
            }
        ),
    ] {
        let told = messages_with(file, quote!(profile = "p", idempotent), item.clone());
        assert!(told.len() == 1 && told[0].starts_with("`retry` may call the body again"), "{item}: {told:?}");
    }
}

#[test]
fn one_block_sets_a_breaker_one_way() {
    let block = |second: TokenStream| {
        quote! {
            #[tool_router]
            impl Server {
                #[resilient(breaker(name = "make", failures = 7))]
                #[tool]
                async fn one(&self) -> Result<String, E> { Ok(String::new()) }
                #[resilient(#second)]
                #[tool]
                async fn two(&self) -> Result<String, E> { Ok(String::new()) }
            }
        }
    };
    assert_eq!(messages(quote!(), block(quote!(breaker = "make"))), Vec::<String>::new());
    assert_eq!(messages(quote!(), block(quote!(breaker(name = "make", failures = 7)))), Vec::<String>::new());
    assert_eq!(
        messages(quote!(), block(quote!(breaker(name = "make", failures = 8)))),
        ["the breaker `make` has other settings above: `failures` 7, not 8; write them in one place, and \
             `breaker = \"make\"` in the others"]
    );
    assert_eq!(messages(quote!(breaker(name = "make", failures = 8)), block(quote!())).len(), 1);
}

#[test]
fn expressions_that_see_the_parameters_mention_one() {
    let item = || {
        quote! {
            #[tool(annotations(read_only_hint = true))]
            async fn list(&self, Parameters(Req { ref a, mut b, c: C(d) }): Parameters<Req>, mut e: u8) -> Result<u32, E> { Ok(1) }
        }
    };
    for (attribute, expected) in [
        (quote!(log_args(d, d.x, e.max(d))), "the pattern of `e` says `mut`"),
        (quote!(rate_limit(rate = "1/1s", key = (a, b))), "the pattern of `a` says `ref`"),
        (quote!(log_args(self.zone)), "expected something of a parameter: `a`, `b`, `d`, `e`"),
        (quote!(log_args(d.api_key)), "`api_key` is the name of a secret"),
        (quote!(fallback = cached, cache(scope = shared, key = self.zone)), "the same for all arguments"),
        (
            quote!(rate_limit(
                rate = "1/1s",
                key = {
                    return;
                    d
                }
            )),
            "cannot `return`",
        ),
    ] {
        let told = messages(attribute.clone(), item());
        assert!(told.first().is_some_and(|first| first.contains(expected)), "{attribute}: {told:?}");
    }
    for attribute in [
        quote!(log_args(d, format!("{d}"))),
        quote!(rate_limit(rate = "1/1s", key = self.zone)),
        quote!(fallback = cached, cache(scope = shared, key = format!("{d}"))),
        quote!(fallback = cached, cache(key = self.zone)),
        // What it does not look at may be taken apart in any way.
        quote!(bulkhead(max = 3, key = d)),
    ] {
        assert_eq!(messages(attribute.clone(), item()), Vec::<String>::new(), "{attribute}");
    }
}

#[test]
fn a_block_is_told_of_defaults_only_where_a_tool_uses_them() {
    let block = |keys: TokenStream| {
        quote! {
            #[tool_router]
            impl Server {
                #[resilient(#keys)]
                #[tool]
                async fn one(&self) -> Result<String, E> { Ok(String::new()) }
            }
        }
    };
    assert_eq!(messages(quote!(attempt_timeout = "40s"), block(quote!(timeout = "60s"))), Vec::<String>::new());
    assert_eq!(
        messages(quote!(attempt_timeout = "40s"), block(quote!())),
        ["`attempt_timeout` (40s) is longer than `timeout` (30s) and never reached"]
    );
}

#[test]
fn a_handler_takes_no_keys() {
    let item = quote!(
        #[tool_handler]
        impl ServerHandler for Server {}
    );
    assert_eq!(
        messages(quote!(timeout = "1s"), item),
        ["above `#[tool_handler]` only `crate` means anything; write this key above `#[tool_router]`"]
    );
}
