//! `fallback = deferred` and the key `deferred`.

use proc_macro2::TokenStream;
use quote::quote;

use super::{messages, messages_with, pretty};

/// Returns a tool with these annotations.
fn tool(annotations: &TokenStream) -> TokenStream {
    quote!(
        #[tool(annotations(#annotations))]
        async fn order(&self, Parameters(order): Parameters<Order>) -> Result<String, E> {
            Ok(order.article)
        }
    )
}

#[test]
fn a_call_is_marked_with_its_key_and_its_arguments_need_no_caller() {
    let keys =
        quote!(fallback = deferred, deferred(tries = 9, key = order.request_id, on_exhausted = notify), __inherited());
    insta::assert_snapshot!(pretty(keys, tool(&quote!())));
}

#[test]
fn the_arguments_are_the_key_of_an_idempotent_tool() {
    let expanded = pretty(quote!(fallback = [Self::f, deferred]), tool(&quote!(idempotent_hint = true)));
    let dense: String = expanded.split_whitespace().collect();
    for part in ["Source::Function,", "Source::Deferred", "DeferredSettings::new())", ".deferred()"] {
        assert!(dense.contains(part), "{part}: {expanded}");
    }
}

#[test]
fn only_a_write_whose_repetition_can_be_recognized_is_deferred() {
    let said = |keys: TokenStream, annotations: TokenStream| messages(keys, tool(&annotations));
    let idempotent = quote!(idempotent_hint = true);
    assert_eq!(said(quote!(fallback = deferred), idempotent.clone()), Vec::<String>::new());
    assert_eq!(said(quote!(fallback = deferred, idempotent), quote!()), Vec::<String>::new());
    assert_eq!(said(quote!(fallback = deferred, deferred(key = order.id)), quote!()), Vec::<String>::new());
    for (keys, annotations, expected) in [
        (quote!(fallback = deferred), quote!(), "`deferred` delivers at least once, and nothing says that"),
        (
            quote!(fallback = deferred, retry_unsafe = "why", retry = 1),
            quote!(),
            "`deferred` delivers at least once, and nothing says that",
        ),
        (
            quote!(fallback = deferred),
            quote!(idempotent_hint = false),
            "`deferred` delivers at least once, and nothing says that a second run of `order` is harmless: name what",
        ),
        (quote!(fallback = deferred), quote!(read_only_hint = true), "`deferred` is for writes"),
        (quote!(fallback = [cached, deferred]), quote!(), "`deferred` is for writes"),
        (quote!(fallback = [deferred, cached]), quote!(), "`deferred` is not the last fallback"),
        (quote!(fallback = deferred, deferred(key = "a")), quote!(), "this key is the same for all arguments"),
        (quote!(deferred(tries = 3)), idempotent.clone(), "nothing is deferred"),
        (quote!(fallback = deferred, deferred(tries = 2, cap = "5m")), idempotent.clone(), "no delay reaches the cap"),
        (quote!(fallback = deferred, deferred(ttl = "1h")), idempotent, "the last try would begin after"),
        // A key that cannot be read may be the one that is missing.
        (quote!(fallback = deferred, deferred(key)), quote!(), "expected an expression after `=`"),
    ] {
        let found = said(keys.clone(), annotations);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{keys}: {found:?}");
    }
}

#[test]
fn the_file_sets_the_settings_of_a_tool_that_is_deferred() {
    let file = "[tool.order]\ndeferred = { tries = 3, on_exhausted = \"discard\" }\n";
    let said = |file, keys| messages_with(file, keys, tool(&quote!(idempotent_hint = true)));
    assert_eq!(said(file, quote!(fallback = deferred)), Vec::<String>::new());
    assert_eq!(said(file, quote!()), Vec::<String>::new());
    let never = said("[tool.order]\ndeferred = { tries = 3, cap = \"1h\" }\n", quote!(fallback = deferred));
    assert!(never.len() == 1 && never[0].contains("no delay reaches the cap"), "{never:?}");
    let key = said("[tool.order]\ndeferred = { key = \"id\" }\n", quote!(fallback = deferred));
    assert!(key.len() == 1 && key[0].contains("unknown key `key`"), "{key:?}");
}
