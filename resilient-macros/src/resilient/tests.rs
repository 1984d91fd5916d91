//! What the expansion looks like, and what is said about mistakes.
#![allow(clippy::needless_pass_by_value, reason = "`quote!` makes values")]

use proc_macro2::TokenStream;
use quote::quote;

use super::expand;
use crate::project::Project;

/// The expansion as a person would read it.
fn pretty(attribute: TokenStream, item: TokenStream) -> String {
    let file = syn::parse2(expand(attribute, &item)).expect("the expansion parses");
    prettyplease::unparse(&file)
}

/// The messages of an expansion.
fn messages(attribute: TokenStream, item: TokenStream) -> Vec<String> {
    compile_errors(expand(attribute, &item))
}

fn compile_errors(expanded: TokenStream) -> Vec<String> {
    fn collect(tokens: TokenStream, found: &mut Vec<String>) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                proc_macro2::TokenTree::Ident(word) if word == "compile_error" => {
                    tokens.next();
                    let Some(proc_macro2::TokenTree::Group(group)) = tokens.next() else {
                        panic!("a macro's arguments")
                    };
                    found.push(syn::parse2::<syn::LitStr>(group.stream()).expect("a text").value());
                }
                proc_macro2::TokenTree::Group(group) => collect(group.stream(), found),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    collect(expanded, &mut found);
    found
}

#[test]
fn a_tool_expands_to_a_static_closures_and_one_call() {
    let expanded = pretty(
        quote!(retry = 3, breaker = "make", timeout = "30s", fallback = [cached, substitute]),
        quote! {
            /// List the scenarios of a team.
            #[tool]
            pub async fn list_scenarios(
                api: Api,
                Parameters(req): Parameters<ListScenarios>,
            ) -> Result<Json<Scenarios>, MakeError> {
                api.scenarios(req.team_id).await
            }
        },
    );
    insta::assert_snapshot!(expanded);
}

#[test]
fn without_retry_and_fallback_nothing_is_renamed_or_copied() {
    let expanded = pretty(
        quote!(timeout = "2s"),
        quote! {
            async fn get(Parameters(req): Parameters<Get>) -> Result<Json<Got>, MakeError> {
                get(req.id).await
            }
        },
    );
    insta::assert_snapshot!(expanded);
}

#[test]
fn keys_are_looked_at_before_the_arguments_are_moved() {
    let expanded = pretty(
        quote!(
            retry = 1,
            read_only,
            breaker(name = "make", key = req.team_id),
            bulkhead(max = 20, queue = 5, wait = "500ms", name = "make", key = &self.zone),
            rate_limit(rate = "100/1s", burst = 20, key = caller)
        ),
        quote! {
            async fn list(&self, Parameters(req): Parameters<List>) -> Result<Json<Listed>, MakeError> {
                self.api.list(req).await
            }
        },
    );
    insta::assert_snapshot!(expanded);
}

#[test]
fn a_block_gives_its_keys_to_its_tools_and_shares_its_router() {
    let expanded = pretty(
        quote!(timeout = "8s", breaker = "make"),
        quote! {
            #[tool_router(server_handler)]
            impl<S: Store> MakeServer<S>
            where
                S: Send,
            {
                /// List the scenarios of a team.
                #[resilient(retry = 3, fallback = cached)]
                #[tool(annotations(read_only_hint = true))]
                async fn list(&self) -> Result<Json<List>, MakeError> {
                    self.api.list().await
                }

                /// Run a scenario.
                #[tool]
                async fn run(&self) -> Result<Json<Run>, MakeError> {
                    self.api.run().await
                }

                /// No business of ours.
                #[resilient(skip)]
                #[tool]
                async fn plain(&self) -> Result<Json<Run>, MakeError> {
                    self.api.run().await
                }

                /// The version.
                #[tool]
                fn version(&self) -> String {
                    VERSION.into()
                }

                fn helper(&self) {}
            }
        },
    );
    insta::assert_snapshot!(expanded);
}

#[test]
fn a_handler_is_given_a_router_that_is_built_once() {
    let expanded = pretty(
        quote!(),
        quote! {
            #[tool_handler(name = "make", router = Self::reads() + Self::writes())]
            impl ServerHandler for MakeServer {}
        },
    );
    insta::assert_snapshot!(expanded);
}

#[test]
fn all_mistakes_of_one_attribute_are_told_and_the_item_stays() {
    let item = quote!(
        async fn get(id: u64) -> Result<u64, E> {
            Ok(id)
        }
    );
    let attribute = quote!(
        retri = 3,
        timeout = 30,
        breaker = 5,
        fallback = "cached",
        retry(max = 11, jitter = equl, on(timeout, timeouts)),
        attempt_timeout = "0s",
        name = ,
        timeout = "1s",
    );
    let messages = messages(attribute.clone(), item.clone());
    insta::assert_snapshot!(messages.join("\n"));
    let expanded = expand(attribute, &item).to_string();
    assert!(expanded.starts_with(&item.to_string()), "{expanded}");
}

#[test]
fn the_item_stays_whatever_is_wrong_with_it() {
    for (item, part) in [
        (
            quote!(
                fn get() -> Result<u64, E> {
                    Ok(1)
                }
            ),
            "async fn",
        ),
        (
            quote!(
                async fn get() {
                    1;
                }
            ),
            "return type",
        ),
        (
            quote!(
                struct Server;
            ),
            "`struct`",
        ),
        (
            quote!(
                mod server {}
            ),
            "`mod`",
        ),
        (
            quote!(
                trait Server {}
            ),
            "`trait`",
        ),
        (quote!(impl Server {}), "#[tool_router]"),
        (quote!(impl ServerHandler for Server {}), "#[tool_handler]"),
        (
            quote!(
                fn f() -> Pin<Box<dyn Future<Output = u8>>> {
                    Box::pin(async move { 1 })
                }
            ),
            "above `#[tool]`",
        ),
        (
            quote!(
                #[resilient]
                async fn f() -> Result<u64, E> {
                    Ok(1)
                }
            ),
            "second time",
        ),
    ] {
        let said = messages(quote!(), item.clone());
        assert_eq!(said.len(), 1, "{item}: {said:?}");
        assert!(said[0].contains(part), "{item}: {said:?}");
        assert!(expand(quote!(), &item).to_string().starts_with(&item.to_string()), "{item}");
    }
}

#[test]
fn half_typed_code_in_the_body_is_left_to_rustc() {
    let item = quote!(
        async fn get(&self) -> Result<u64, E> {
            self.;
            let x = ;
        }
    );
    assert_eq!(messages(quote!(timeout = "1s"), item), Vec::<String>::new());
}

#[test]
fn retry_needs_to_know_that_it_is_harmless() {
    let harmless = [
        (quote!(retry = 3, read_only), quote!()),
        (quote!(retry = 3, idempotent), quote!()),
        (quote!(retry = 3, fallback = cached), quote!()),
        (quote!(retry = 3, retry_unsafe = "writes the same thing"), quote!()),
        (quote!(retry = 3), quote!(#[tool(annotations(read_only_hint = true))])),
        (quote!(retry = 3), quote!(#[tool(annotations(idempotent_hint = true, read_only_hint = false))])),
        (quote!(retry = 3), quote!(#[prompt])),
        (quote!(__inherited(retry = 3), retry = none), quote!(#[tool])),
    ];
    for (attribute, tool) in harmless {
        let item = quote!(#tool async fn f() -> Result<u64, E> { Ok(1) });
        assert_eq!(messages(attribute.clone(), item), Vec::<String>::new(), "{attribute}");
    }
    for (attribute, tool) in [
        (quote!(retry = 3), quote!(#[tool])),
        (quote!(retry = 3), quote!(#[tool(annotations(destructive_hint = false))])),
        (quote!(__inherited(retry = 3)), quote!(#[tool])),
        (quote!(retry = 3, retry_unsafe = " "), quote!(#[tool])),
        (quote!(fallback = cached), quote!(#[tool(annotations(read_only_hint = false))])),
        (quote!(fallback = cached), quote!(#[tool(annotations(destructive_hint = true))])),
        (quote!(fallback = cached, retry_unsafe = "why not"), quote!(#[tool])),
        (quote!(read_only), quote!(#[tool(annotations(read_only_hint = false))])),
        (quote!(idempotent), quote!(#[tool(annotations(idempotent_hint = false))])),
    ] {
        let item = quote!(#tool async fn f() -> Result<u64, E> { Ok(1) });
        assert_eq!(messages(attribute.clone(), item).len(), 1, "{attribute}");
    }
}

/// The messages of an expansion in a crate with this file.
fn messages_with(file: &str, attribute: TokenStream, item: TokenStream) -> Vec<String> {
    compile_errors(super::expand_in(&Project::read(file.into()), attribute, &item))
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
    let expanded = super::expand_in(
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
        let expanded = super::expand_in(&project, attribute.clone(), &item).to_string();
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
