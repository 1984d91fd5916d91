//! The keys of the switches, `feature` and `critical`, and what a block tells the runtime of the file.

use proc_macro2::TokenStream;
use quote::quote;

use super::{compile_errors, messages, messages_with, pretty};
use crate::project::Project;
use crate::resilient::{expand, expand_in};

/// Returns a tool, `async` and with an error.
fn guarded() -> TokenStream {
    quote!(
        #[tool]
        async fn export(&self) -> Result<String, E> {
            Ok(String::new())
        }
    )
}

/// Returns a tool that is not `async`.
fn sync() -> TokenStream {
    quote!(
        #[tool]
        fn export(&self) -> String {
            String::new()
        }
    )
}

#[test]
fn the_record_of_a_tool_has_its_features_and_says_that_it_is_critical() {
    let expanded = pretty(quote!(feature = ["exports", "slow"], critical, __inherited(feature = "files")), guarded());
    insta::assert_snapshot!(expanded);
}

#[test]
fn the_hook_alone_uses_the_keys_so_every_tool_of_a_block_can_have_them() {
    let text = quote!(
        #[tool]
        async fn export(&self) -> String {
            String::new()
        }
    );
    for tool in [guarded(), text, sync()] {
        for (keys, features) in [
            (quote!(feature = "exports", __inherited(feature = "files")), ".of_features(&[\"exports\"])"),
            (quote!(feature = "exports", __inherited()), ".of_features(&[\"exports\"])"),
            (quote!(critical, __inherited(feature = "files")), ".of_features(&[\"files\"])"),
            (quote!(__inherited(feature = "files"), __inserted), ".of_features(&[\"files\"])"),
        ] {
            let expanded = pretty(keys.clone(), tool.clone());
            assert!(expanded.contains(features), "{keys}: {expanded}");
            assert_eq!(expanded.contains(".critical()"), keys.to_string().contains("critical"), "{keys}: {expanded}");
        }
        let expanded = pretty(quote!(feature = none, __inherited(feature = "files")), tool);
        assert!(!expanded.contains("of_features"), "{expanded}");
    }
}

#[test]
fn a_sync_tool_has_a_record_if_its_block_has_a_feature() {
    let tool = sync();
    let block = quote!(#[tool_router] impl S { #tool });
    let expanded = expand(quote!(feature = "exports"), &block).to_string();
    assert!(expanded.contains("__inherited") && expanded.contains("Self :: __resilient_export_site"), "{expanded}");
    let removed = expand(quote!(feature = none), &block).to_string();
    assert!(!removed.contains("__inherited"), "{removed}");
}

#[test]
fn a_tool_that_opts_out_has_no_feature_of_its_block() {
    let expanded = pretty(quote!(skip, __inherited(feature = "files"), __inserted), guarded());
    assert!(expanded.contains("not_limited") && !expanded.contains("of_features"), "{expanded}");
}

// rule 65
#[test]
fn features_are_names_each_written_once() {
    for (feature, said) in [
        (quote!(feature = []), "expected at least one feature"),
        (quote!(feature = ""), "a name must not be empty"),
        (quote!(feature = ["exports", "a b"]), "` ` is not allowed in a name"),
        (quote!(feature = ["exports", "exports"]), "the feature `exports` is written twice"),
        (quote!(feature = exports), "expected a text in quotes"),
        (quote!(feature("exports")), "expected a text in quotes after `=`"),
        (quote!(feature), "expected a text in quotes after `=`"),
        (quote!(feature = "none"), "this stands without quotes; write `none`"),
        (quote!(critical = true), "expected the key alone"),
    ] {
        for tool in [guarded(), sync()] {
            let found = messages(quote!(#feature, __inherited()), tool);
            assert_eq!(found.len(), 1, "{feature}: {found:?}");
            assert!(found[0].starts_with(said), "{feature}: {found:?}");
        }
    }
}

// rule 11
#[test]
fn only_tools_of_an_annotated_block_have_the_hook_that_the_keys_need() {
    let tool = guarded();
    let said = messages(quote!(critical, feature = "exports", timeout = "1s"), tool);
    let missing =
        "needs the hook, and this tool has none; place `#[resilient]` above the `#[tool_router]` of its block";
    assert_eq!(said, [format!("`critical` {missing}"), format!("`feature` {missing}")]);
    for item in [quote!(), quote!(#[prompt])] {
        let item = quote!(#item async fn export() -> Result<String, E> { Ok(String::new()) });
        let said = messages(quote!(feature = none, __inherited()), item);
        assert_eq!(
            said,
            [
                "`feature` needs the hook, which only tools have; remove the key, or write it above the `#[tool]` that it \
              is about"
            ]
        );
    }
}

// rule 65
#[test]
fn a_feature_is_declared_if_the_file_declares_any() {
    let file = "[feature.exports]\n[feature.slow]\n";
    let unknown = "no feature `exprots` in `resilient.toml`; did you mean `exports`?";
    assert_eq!(messages_with(file, quote!(feature = ["slow", "exprots"], __inherited()), guarded()), [unknown]);
    assert_eq!(messages_with(file, quote!(feature = "exprots", __inherited()), sync()), [unknown]);
    let (one, other) = (guarded(), sync());
    let block = quote!(#[tool_router] impl S { #one #other });
    assert_eq!(messages_with(file, quote!(feature = "exprots"), block), [unknown]);
    let none = "[tool.export]\ntimeout = \"1s\"\n";
    assert_eq!(messages_with(none, quote!(feature = "exprots", __inherited()), guarded()), Vec::<String>::new());
}

#[test]
fn the_router_knows_the_text_of_a_file_with_switches() {
    let tool = guarded();
    let block = quote!(#[tool_router] impl S { #tool });
    for (file, has_switches) in [
        ("", false),
        ("[default]\ntimeout = \"1s\"\n", false),
        ("[feature.exports]\n", true),
        ("[level.degraded]\nconcurrency = 3\n", true),
        ("[tool.export]\nenabled = false\n", true),
        ("read_only = true\n", true),
    ] {
        let expanded = expand_in(&Project::read(file.into()), quote!(), &block);
        assert_eq!(compile_errors(expanded.clone()), Vec::<String>::new(), "{file}");
        assert_eq!(expanded.to_string().contains("include_str"), has_switches, "{file}");
    }
}
