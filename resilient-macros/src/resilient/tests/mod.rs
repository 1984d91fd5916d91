//! Snapshots of expansions, and the messages about mistakes.
#![allow(clippy::needless_pass_by_value, reason = "`quote!` makes values")]

mod authorize;
mod deferred;
mod places;
mod reads;
mod replicas;
mod rules;
mod switches;
mod tasks;

use proc_macro2::TokenStream;
use quote::quote;

use super::{expand, expand_in};
use crate::project::Project;

/// Returns the expansion as formatted source code.
fn pretty(attribute: TokenStream, item: TokenStream) -> String {
    let file = syn::parse2(expand(attribute, &item)).expect("the expansion parses");
    prettyplease::unparse(&file)
}

/// Returns the messages of an expansion.
fn messages(attribute: TokenStream, item: TokenStream) -> Vec<String> {
    compile_errors(expand(attribute, &item))
}

/// Returns the messages of an expansion in a crate with this file.
fn messages_with(file: &str, attribute: TokenStream, item: TokenStream) -> Vec<String> {
    compile_errors(expand_in(&Project::read(file.into()), attribute, &item))
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
fn a_router_uses_the_value_only_if_self_is_a_token() {
    for (router, is_of_value) in [(quote!(self.router), true), (quote!(Self::named("{self}")), false)] {
        let block = quote! {
            #[tool_handler(router = #router)]
            impl ServerHandler for MakeServer {}
        };
        assert_eq!(!pretty(quote!(), block).contains("shared"), is_of_value, "{router}");
    }
}

#[test]
fn all_mistakes_of_one_attribute_are_reported_and_the_item_stays() {
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
        (quote!(impl Display for Server {}), "above `impl ServerHandler`"),
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
fn what_macro_rules_leaves_around_its_metavariables_is_seen_through() {
    let group = |tokens: TokenStream| proc_macro2::Group::new(proc_macro2::Delimiter::None, tokens);
    let (path, list, body) = (group(quote!(other::f)), group(quote!([cached, f])), group(quote!({ Ok(id) })));
    let item = quote!(async fn get(id: u64) -> Result<u64, E> #body);
    for attribute in [
        quote!(fallback = #path),
        quote!(fallback = [cached, #path]),
        quote!(fallback = #list),
        quote!(breaker = #path),
        quote!(rate_limit(rate = "1/1s", key = #path)),
    ] {
        assert_eq!(messages(attribute, item.clone()), Vec::<String>::new());
    }
}

#[test]
fn what_is_said_of_a_parameter_is_said_where_the_body_sees_it() {
    let item = quote!(
        async fn get(#[expect(unused_mut)] mut id: u64, #[cfg(all())] more: u64) -> Result<u64, E> {
            Ok(id)
        }
    );
    let expanded = pretty(quote!(retry = 1, read_only), item);
    assert_eq!(expanded.matches("#[expect(unused_mut)]").count(), 1, "{expanded}");
    assert!(expanded.contains("#[expect(unused_mut)]\n                    let mut id: u64 = __part_0;"), "{expanded}");
    assert!(expanded.contains("get(__argument_0: u64,"), "{expanded}");
    assert!(expanded.contains("#[cfg(all())] more: u64"), "{expanded}");
}

#[test]
fn the_hook_limits_an_async_tool_whose_return_type_cannot_carry_an_error() {
    for (output, by_hook) in [
        (quote!(Result<String, E>), false),
        (quote!(rmcp::model::CallToolResult), false),
        (quote!(CallToolResponse), false),
        (quote!(MyResult), false),
        (quote!(InputRequiredResult), true),
        (quote!(GetPromptResult), true),
        (quote!(Json<Told>), true),
        (quote!(()), true),
    ] {
        let tool = quote!(#[tool] async fn f(&self) -> #output { todo!() });
        let block = expand(quote!(timeout = "1s"), &quote!(#[tool_router] impl S { #tool })).to_string();
        assert!(block.contains("__inherited"), "{output}");
        let expanded = pretty(quote!(__inherited(timeout = "1s"), __inserted), tool);
        assert_eq!(expanded.contains("limited_by_hook"), by_hook, "{output}: {expanded}");
    }
}

#[test]
fn a_tool_that_the_hook_limits_logs_an_argument_in_the_clear() {
    let tool = quote!(
        #[tool]
        async fn f(&self, session: u32) -> String {
            todo!()
        }
    );
    let expanded = pretty(quote!(log_args(plain(session)), __inherited()), tool);
    assert!(expanded.contains("__shown.add(\"plain(session)\", &(session));"), "{expanded}");
}

#[test]
fn a_sync_tool_inherits_the_hook_alone() {
    let block = quote!(
        #[tool_router]
        impl S {
            #[tool]
            fn f(&self) -> String {
                todo!()
            }
        }
    );
    assert!(!expand(quote!(timeout = "1s"), &block).to_string().contains("__inherited"));
}

#[test]
fn a_key_that_needs_an_error_is_refused_on_a_tool_that_cannot_carry_one() {
    let tool = quote!(
        #[tool]
        async fn f(&self) -> String {
            todo!()
        }
    );
    let said = messages(quote!(retry = 1, breaker = "x", bulkhead = none, timeout = "1s", __inherited()), tool);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("`retry` needs a return type that can carry an error"), "{said:?}");
    assert!(said[1].starts_with("`breaker` needs a return type that can carry an error"), "{said:?}");
}

#[test]
fn a_slip_between_two_entries_is_reported_at_its_token() {
    let item = quote!(
        async fn get() -> Result<u64, E> {
            Ok(1)
        }
    );
    for (attribute, said) in [
        (quote!(timeout "1s"), "expected `=`, `(..)` or `,` after `timeout`"),
        (quote!(timeout = "1s" name = "x"), "expected `,` after the value of `timeout`"),
        (quote!(retry(max = 1) timeout = "1s", read_only), "expected `,` before this"),
        (quote!(timeout =), "expected a value after this `=`"),
        (quote!(, timeout = "1s"), "expected a key before this `,`"),
        (
            quote!(fallback = <S>::f),
            "expected `cached`, a function's path, `value(expr)`, `deferred`, or a list of these",
        ),
    ] {
        assert_eq!(messages(attribute.clone(), item.clone()), [said], "{attribute}");
    }
    let said = messages(quote!("1s"), item);
    assert!(said[0].starts_with("found a value without a key; expected one of `retry`, "), "{said:?}");
    assert!(!said[0].contains("__inherited"), "{said:?}");
}
