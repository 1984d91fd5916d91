//! Rules between keys, and rules that are skipped after another mistake.

use proc_macro2::TokenStream;
use quote::quote;

use super::{compile_errors, messages, messages_with};
use crate::project::Project;
use crate::resilient::{expand, expand_in};

#[test]
fn what_could_not_be_read_is_reported_and_nothing_is_held_to_the_rest() {
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
    // An invalid value is reported nevertheless, in lists as well.
    assert_eq!(messages(quote!(timeot = "1s", timeout = "25h", bulkhead = 0), item()).len(), 3);
    assert_eq!(messages(quote!(retry(budget = "110%", on(timeot), factor = 0.5), read_only), item()).len(), 3);
    assert_eq!(messages(quote!(breaker(name = "a b", failures = 0, opn = "1s")), item()).len(), 3);
    assert_eq!(messages(quote!(bulkhead(max = "5", wait = "1s"), rate_limit(rate = "x", burst = 0)), item()).len(), 4);
}

#[test]
fn a_tool_stays_if_its_block_has_reported_a_number_that_is_not_finite() {
    for list in [
        quote!(retry(max = 2, budget = "NaN%")),
        quote!(retry(max = 2, factor = 1e400)),
        quote!(breaker(name = "x", rate = 1e400)),
    ] {
        let item = quote!(
            async fn ask() -> Result<u32, E> {
                Ok(1)
            }
        );
        let attribute = quote!(read_only, #list, __reported);
        let expanded = expand_in(&Project::default(), attribute, &item).to_string();
        assert!(expanded.contains("fn ask") && !expanded.contains("compile_error"), "{list}: {expanded}");
    }
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
    let inherited = quote!(attempt_timeout = "40s", retry = 2, __inherited(timeout = "60s", retri = 3), __reported);
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
fn a_clash_with_what_a_block_gives_is_reported_at_the_tools_own_key() {
    let item = quote!(
        #[tool]
        async fn one(&self) -> Result<String, E> {
            Ok(String::new())
        }
    );
    let reported = messages(quote!(timeout = "3s", read_only, __inherited(retry = 5)), item);
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(reported[0].contains("can never start"), "{reported:?}");
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
        let reported = messages_with(file, quote!(profile = "p", idempotent), item.clone());
        assert!(
            reported.len() == 1 && reported[0].starts_with("`retry` may call the body again"),
            "{item}: {reported:?}"
        );
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
        (quote!(log_args(d.api_key)), "or put `plain(d.api_key)` if its value is no secret"),
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
        let reported = messages(attribute.clone(), item());
        assert!(reported.first().is_some_and(|first| first.contains(expected)), "{attribute}: {reported:?}");
    }
    for attribute in [
        quote!(log_args(d, format!("{d}"))),
        quote!(rate_limit(rate = "1/1s", key = self.zone)),
        quote!(fallback = cached, cache(scope = shared, key = format!("{d}"))),
        quote!(fallback = cached, cache(key = self.zone)),
        // A parameter that the expression does not use may have any pattern.
        quote!(bulkhead(max = 3, key = d)),
    ] {
        assert_eq!(messages(attribute.clone(), item()), Vec::<String>::new(), "{attribute}");
    }
}

#[test]
fn a_block_is_warned_of_defaults_only_where_a_tool_uses_them() {
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
fn a_handler_takes_the_keys_of_requests_alone() {
    let item = quote!(
        #[tool_handler]
        impl ServerHandler for Server {}
    );
    let allowed = quote!(timeout = "1s", rate_limit = "1/1s", bulkhead = 2, authorize = Self::may, crate = ::x);
    assert_eq!(messages(allowed, item.clone()), Vec::<String>::new());
    for key in [quote!(retry = 1), quote!(breaker = "x"), quote!(fallback = cached), quote!(feature = "x")] {
        let messages = messages(key.clone(), item.clone());
        assert!(matches!(&*messages, [one] if one.contains("has no meaning for the requests")), "{key}: {messages:?}");
    }
}

#[test]
fn a_timeout_from_parameters_goes_above_one_method() {
    let item = quote!(
        impl ServerHandler for Server {}
    );
    let messages = messages(quote!(timeout(max = "5s", from = wait(&request))), item);
    assert!(matches!(&*messages, [one] if one.contains("`from` looks at one method's parameters")), "{messages:?}");
}

#[test]
fn methods_of_a_macro_below_a_condition_are_wrapped_after_it() {
    let expanded = expand(
        quote!(timeout = "5s"),
        &quote!(
            #[cfg_attr(all(), tool_handler(router = Self::tools()))]
            impl ServerHandler for Server {}
        ),
    );
    let shown = expanded.to_string();
    assert!(shown.contains("(__below_handlers (call_tool) timeout = \"5s\")"), "{shown}");
    assert!(shown.find("cfg_attr") < shown.find("__below_handlers"), "{shown}");
}

#[test]
fn a_method_of_a_handler_takes_the_keys_of_its_kind() {
    let handler = |method: TokenStream| quote!(impl ServerHandler for Server { #method });
    let read = quote!(
        async fn read_resource(&self, _: P, _: C) -> Result<R, E> {
            todo!()
        }
    );
    let call = quote!(
        async fn call_tool(&self, _: P, _: C) -> Result<R, E> {
            todo!()
        }
    );
    let custom = quote!(
        async fn on_custom_request(&self, _: P, _: C) -> Result<R, E> {
            todo!()
        }
    );
    let notified = quote!(
        async fn on_initialized(&self, _: C) {
            todo!()
        }
    );
    let info = quote!(
        fn get_info(&self) -> I {
            todo!()
        }
    );
    for (keys, method, expected) in [
        (quote!(retry = 1, timeout = "5s"), &read, None),
        (quote!(bulkhead = 1), &call, None),
        (quote!(), &notified, None),
        (quote!(fallback = cached), &read, Some("`fallback` has no meaning for a request")),
        (quote!(cache(max = 3)), &call, Some("`cache` has no meaning for a request")),
        (quote!(timeout = "5s"), &notified, Some("`timeout` has no meaning for a notification")),
        (quote!(), &info, Some("`get_info` serves no request")),
        (quote!(retry = 1), &custom, Some("`retry` may run `on_custom_request` again")),
        (quote!(retry = 1, idempotent), &call, Some("`retry` on `call_tool` would run the tools again")),
    ] {
        let messages = messages(quote!(), handler(quote!(#[resilient(#keys)] #method)));
        match expected {
            None => assert_eq!(messages, Vec::<String>::new(), "{keys} {method}"),
            Some(text) => assert!(matches!(&*messages, [one] if one.contains(text)), "{keys} {method}: {messages:?}"),
        }
    }
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
