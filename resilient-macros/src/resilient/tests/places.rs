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
        assert_eq!(expanded.contains(&expected), seconds != 30, "{attribute} {tool}: {expanded}");
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
            "no profile `mkae`; did you mean `make`? in `resilient.toml`",
            "no breaker `maek`; did you mean `make`? in `resilient.toml`"
        ]
    );
    assert_eq!(messages_with("", quote!(breaker = "maek"), item()), Vec::<String>::new());
    assert_eq!(
        messages_with("", quote!(profile = "make"), item()),
        ["no profile `make`; there are none in `resilient.toml`"]
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
fn a_file_that_is_wrong_is_told_once_and_its_names_are_left_alone() {
    let file = "[default]\ntimeout = 3\n[profil.a]\n";
    let first = messages_with(
        file,
        quote!(profile = "a"),
        quote!(
            async fn first() -> Result<u32, E> {
                Ok(1)
            }
        ),
    );
    assert_eq!(
        first,
        [
            "resilient.toml:2:11: `default.timeout`: expected a duration with its unit in quotes: `\"3s\"`",
            "resilient.toml:3:2: `profil`: unknown table `profil`; did you mean `profile`?",
        ]
    );
    let other = messages_with(
        file,
        quote!(profile = "a"),
        quote!(
            async fn other() -> Result<u32, E> {
                Ok(1)
            }
        ),
    );
    assert_eq!(other, Vec::<String>::new());
    let again = messages_with(
        file,
        quote!(profile = "a"),
        quote!(
            async fn first() -> Result<u32, E> {
                Ok(1)
            }
        ),
    );
    assert_eq!(again, first);
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
    ] {
        let told = messages(attribute.clone(), item());
        assert!(told.first().is_some_and(|first| first.contains(expected)), "{attribute}: {told:?}");
    }
    for attribute in [
        quote!(log_args(d, format!("{d}"))),
        quote!(rate_limit(rate = "1/1s", key = self.zone)),
        quote!(fallback = cached, cache(scope = shared, key = format!("{d}"))),
        quote!(fallback = cached, cache(key = self.zone)),
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
