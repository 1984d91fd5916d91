//! The word `distributed` of `rate_limit` and `breaker`.

use proc_macro2::TokenStream;
use quote::quote;

use super::{messages, messages_with, pretty};
use crate::project::Project;
use crate::resilient::expand_in;

fn function() -> TokenStream {
    quote!(
        async fn search(id: u32) -> Result<u32, E> {
            Ok(id)
        }
    )
}

fn dense(code: &str) -> String {
    code.split_whitespace().collect()
}

#[test]
fn the_word_wraps_the_limit_and_the_breaker_so_that_a_missing_feature_is_an_error_at_it() {
    let expanded = pretty(
        quote!(
            rate_limit(rate = "100/1s", burst = 10, name = "search", distributed, key = caller),
            breaker(name = "make", failures = 8, distributed)
        ),
        function(),
    );
    let start = expanded.find("static ").unwrap_or_default();
    let policy = dense(&expanded[start..]);
    let p = "::resilient_runtime::__private::";
    for expected in [
        format!(
            ".rate_limit({p}rate_limit!({p}distributed!({p}RateLimitUse::new({p}RateLimitSettings::new(100u32,\
             {p}Duration::from_secs(1u64)).burst(10u32)).named(\"search\").by_caller()))"
        ),
        format!(".breaker({p}distributed!({p}BreakerUse::with(\"make\",{p}BreakerSettings::new().failures(8u32)))"),
    ] {
        assert!(policy.contains(&dense(&expected)), "{expected}: {expanded}");
    }
    let docs = "shared as `search` by all replicas";
    assert!(expanded.contains(docs), "{docs}: {expanded}");
}

#[test]
fn a_breaker_with_a_name_and_the_word_refers_to_settings_elsewhere() {
    let keys = quote!(breaker(name = "make", distributed), timeout = "5s");
    let expanded = dense(&pretty(keys.clone(), function()));
    let named = "__private::distributed!(::resilient_runtime::__private::BreakerUse::named(\"make\"))";
    assert!(expanded.contains(named), "{expanded}");
    assert!(expanded.contains("breaker`make`;afteranopeninginanotherreplica,1failureopensit"), "{expanded}");

    let project = Project::read("[breaker.make]\nfailures = 7\n".into());
    let expanded = dense(&expand_in(&project, keys, &function()).to_string());
    assert!(expanded.contains("__private::distributed!(::resilient_runtime::__private::BreakerUse::with(\"make\""));
    assert!(expanded.contains("failures(7u32)"), "{expanded}");
    assert_eq!(
        messages_with("[breaker.other]\n", quote!(breaker(name = "make", distributed)), function()).len(),
        1,
        "the file has no such breaker"
    );
}

#[test]
fn the_word_is_inherited_with_the_limit_of_a_block_and_replaced_with_it() {
    let block = quote! {
        #[tool_router]
        impl Shop {
            #[tool]
            async fn inherits(&self) -> Result<String, E> { Ok(String::new()) }

            #[resilient(rate_limit(rate = "1/1s", name = "own"), breaker = none)]
            #[tool]
            async fn replaces(&self) -> Result<String, E> { Ok(String::new()) }
        }
    };
    let keys = quote!(rate_limit(rate = "5/1s", name = "all", distributed), breaker(failures = 9, distributed));
    assert_eq!(messages(keys.clone(), block.clone()), Vec::<String>::new());
    let tools = pretty(keys, block);
    // What the block passes on, the attribute of each tool expands.
    let passed =
        "__inherited(rate_limit(rate = \"5/1s\", name = \"all\", distributed), breaker(failures = 9, distributed))";
    assert_eq!(dense(&tools).matches(&dense(passed)).count(), 2, "{tools}");

    let tool = |own: TokenStream| {
        let inherited = quote!(__inherited(
            rate_limit(rate = "5/1s", name = "all", distributed),
            breaker(failures = 9, distributed)
        ));
        let tool = quote!(
            #[tool]
            async fn one(&self) -> Result<String, E> {
                Ok(String::new())
            }
        );
        dense(&pretty(quote!(#own #inherited), tool)).matches("distributed!(").count()
    };
    assert_eq!(tool(quote!()), 2);
    assert_eq!(tool(quote!(rate_limit(rate = "1/1s", name = "own"),)), 1);
    assert_eq!(tool(quote!(rate_limit = none, breaker = "make",)), 0);
}

#[test]
fn the_word_needs_a_name_that_replicas_know_and_no_key() {
    let said = |keys: TokenStream| messages(keys, function());
    assert_eq!(said(quote!(breaker(distributed), retry = 1, read_only)), Vec::<String>::new());
    assert_eq!(said(quote!(rate_limit(rate = "1/1s", name = "all", key = id, distributed))), Vec::<String>::new());
    let nameless = "replicas find the limit that they share by its name; add `name = \"search\"`, or remove the word";
    let keyed = "the breakers of a `key` are local, so replicas cannot share them; remove `key` or `distributed`";
    let alone = "expected the key alone, without a value";
    for (keys, expected) in [
        (quote!(rate_limit(rate = "1/1s", distributed)), nameless),
        (quote!(rate_limit(rate = "1/1s", distributed, key = caller)), nameless),
        (quote!(breaker(name = "make", key = id, distributed)), keyed),
        (quote!(breaker(name = "make", key = id, failures = 9, distributed)), keyed),
        (quote!(rate_limit(rate = "1/1s", name = "all", distributed = true)), alone),
        (quote!(breaker(distributed(true))), alone),
        (quote!(breaker(distributed, distributed)), "`distributed` is written twice"),
        (quote!(breaker(distribute)), "unknown key `distribute`; did you mean `distributed`?"),
        (quote!(rate_limit(rate = "1/1s", name = "all", distribut)), "unknown key `distribut`; did you mean"),
        (quote!(bulkhead(max = 1, name = "all", distributed)), "unknown key `distributed`; expected one of `max`"),
        (quote!(retry(max = 1, distributed), read_only), "unknown key `distributed`; expected one of `max`"),
        (quote!(cache(fresh = "1s", key = id, distributed), read_only), "unknown key `distributed`; expected one of"),
        (quote!(distributed), "unknown key `distributed`"),
        // A name that cannot be read may be the one that is missing.
        (quote!(rate_limit(rate = "1/1s", name = 3, distributed)), "expected a text in quotes"),
    ] {
        let found = said(keys.clone());
        assert!(found.len() == 1 && found[0].starts_with(expected), "{keys}: {found:?}");
    }
}

#[test]
fn a_limit_of_a_block_without_a_name_is_reported_once() {
    let block = quote! {
        #[tool_router]
        impl Shop {
            #[tool]
            async fn one(&self) -> Result<String, E> { Ok(String::new()) }

            #[tool]
            async fn other(&self) -> Result<String, E> { Ok(String::new()) }
        }
    };
    let found = messages(quote!(rate_limit(rate = "1/1s", distributed)), block);
    assert!(found.len() == 1 && found[0].starts_with("replicas find the limit"), "{found:?}");
}

#[test]
fn a_file_does_not_know_the_word() {
    for file in [
        "[default]\nrate_limit = { rate = \"1/1s\", name = \"all\", distributed = true }\n",
        "[breaker.make]\ndistributed = true\n",
    ] {
        let found = messages_with(file, quote!(timeout = "5s"), function());
        assert!(found.len() == 1 && found[0].contains("unknown key `distributed`"), "{file}: {found:?}");
    }
}
