//! The keys `cache` and `invalidates`.

use proc_macro2::TokenStream;
use quote::quote;

use super::{compile_errors, messages, messages_with, pretty};
use crate::project::Project;
use crate::resilient::{expand, expand_in};

/// Returns a tool without annotations.
fn tool() -> TokenStream {
    quote!(
        #[tool]
        async fn list(&self) -> Result<String, E> {
            Ok(String::new())
        }
    )
}

/// Returns a block of a read with these keys, and of a write that invalidates these tools.
fn block(read: &TokenStream, invalidates: &TokenStream) -> TokenStream {
    quote! {
        #[tool_router]
        impl Server {
            #read
            #[tool]
            async fn list(&self) -> Result<String, E> { Ok(String::new()) }

            #[resilient(invalidates = #invalidates)]
            #[tool]
            async fn add(&self) -> Result<String, E> { Ok(String::new()) }
        }
    }
}

#[test]
fn the_record_of_a_tool_has_each_part_of_its_cache_that_is_not_the_default() {
    let keys =
        quote!(cache(fresh = "30s", stale_while_revalidate = "5m", max = 7, max_bytes = "1.5MiB", scope = caller));
    let expanded: String = expand(keys, &tool()).to_string().split_whitespace().collect();
    let duration = "(::resilient_runtime::__private::Duration::from_secs";
    let cache = format!(
        "CacheSettings::new().fresh{duration}(30u64)).stale_while_revalidate{duration}(300u64)).max(7u32)\
         .max_bytes(1572864u64))"
    );
    assert!(expanded.contains(&cache), "{expanded}");
    assert!(expanded.contains("ReadOnly"), "{expanded}");
}

#[test]
fn the_record_of_a_tool_names_the_tools_that_it_invalidates() {
    for (keys, names) in [
        (quote!(invalidates = "list"), "\"list\""),
        (quote!(invalidates = ["list", "full.search"]), "\"list\", \"full.search\""),
    ] {
        let expanded = pretty(keys, tool());
        assert!(expanded.contains(&format!(".invalidates(&[{names}])")), "{expanded}");
        let documented = names.replace('"', "`");
        assert!(expanded.contains(&format!("each call invalidates the cached answers of {documented}")), "{expanded}");
    }
}

#[test]
fn a_cache_that_serves_fresh_answers_declares_a_read_as_a_fallback_does() {
    assert_eq!(messages(quote!(retry = 1, cache(fresh = "30s")), tool()), Vec::<String>::new());
    // A cache of a fallback alone declares nothing.
    let repeated = messages(quote!(retry = 1, cache(max = 3)), tool());
    assert!(repeated.iter().any(|message| message.contains("`retry` may run")), "{repeated:?}");
    let unsafe_retry = messages(quote!(retry = 1, retry_unsafe = "why", cache(fresh = "30s")), tool());
    assert_eq!(
        unsafe_retry,
        ["`cache(fresh ..)` says that the tool only reads, `retry_unsafe` that it writes; remove one"]
    );
}

// rule 68
#[test]
fn a_block_knows_the_tools_that_are_invalidated() {
    let named = quote!(#[resilient(cache(fresh = "30s"))]);
    let said = |read: &TokenStream, invalidates: TokenStream| {
        compile_errors(expand(TokenStream::new(), &block(read, &invalidates)))
    };
    assert_eq!(said(&named, quote!("list")), Vec::<String>::new());
    assert_eq!(said(&named, quote!("lst")), ["no tool of this block is called `lst`; did you mean `list`?"]);
    assert_eq!(said(&named, quote!(["list", "add"])).len(), 1);
    assert_eq!(
        said(&quote!(#[resilient(fallback = cached)]), quote!("list")),
        [
            "`list` serves no cached answer before its body runs; add `cache(fresh = \"30s\")` to it, or remove its name here"
        ]
    );
    assert_eq!(
        said(&TokenStream::new(), quote!("search")),
        ["no tool of this block is called `search`; expected one with `cache(fresh = ..)`, or remove `invalidates`"]
    );
}

#[test]
fn an_attribute_that_the_block_cannot_read_may_set_fresh() {
    for read in [
        quote!(#[cfg_attr(all(), resilient(cache(fresh = "30s")))]),
        quote!(#[guard(cache(fresh = "30s"))]),
        // The attribute itself reports this mistake.
        quote!(#[resilient(cache(fresh = 30))]),
    ] {
        let expanded = expand(TokenStream::new(), &block(&read, &quote!("list")));
        assert_eq!(compile_errors(expanded), Vec::<String>::new(), "{read}");
    }
}

#[test]
fn the_file_sets_fresh_for_a_tool_that_falls_back_on_its_cache() {
    let file = "[tool.list]\ncache = { fresh = \"30s\" }\n";
    let project = || Project::read(file.into());
    let (cached, plain) = (quote!(#[resilient(fallback = cached)]), quote!(#[resilient(read_only)]));
    let said = |read| compile_errors(expand_in(&project(), TokenStream::new(), &block(&read, &quote!("list"))));
    assert_eq!((said(cached).len(), said(plain).len()), (0, 1));
    let expanded = expand_in(&project(), quote!(fallback = cached), &tool()).to_string();
    assert!(expanded.contains("fresh"), "{expanded}");
    assert!(!expand_in(&project(), quote!(read_only), &tool()).to_string().contains("fresh"));
}

#[test]
fn the_former_name_of_a_part_is_corrected_in_attributes_and_files() {
    let renamed = "unknown key `max_age`: the part is called `stale_if_error`; write `stale_if_error`";
    assert_eq!(messages(quote!(fallback = cached, cache(max_age = "1h")), tool()), [renamed]);
    let said = messages_with("[default]\ncache = { max_age = \"1h\" }\n", quote!(fallback = cached), tool());
    assert!(said.len() == 1 && said[0].ends_with(renamed), "{said:?}");
}
