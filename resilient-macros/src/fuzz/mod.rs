//! No input makes a macro panic, and each expansion consists of items or messages.

mod attribute;
mod errors;
mod items;
mod tokens;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use proptest::prelude::*;
use quote::{ToTokens, quote};

use crate::project::Project;
use crate::resilient::parse::function::OpaqueFn;
use crate::{mcp_error, resilient};
use attribute::{attribute, file, of_handler};
use errors::errors;
use items::{block, function, handler, other};
use tokens::soups;

fn is_a_message(expanded: TokenStream) -> bool {
    expanded.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "compile_error",
        TokenTree::Group(group) => is_a_message(group.stream()),
        _ => false,
    })
}

/// Returns the function without the attribute that its block inserted, which the expansion takes in, or `None` if there
/// is no such attribute. It is printed as parsed, without an empty `where` for example.
fn without_inserted(item: &TokenStream) -> Option<String> {
    let mut function = syn::parse2::<OpaqueFn>(item.clone()).ok()?;
    let inserted = function.attrs.iter().position(|attr| attr.to_token_stream().to_string().contains("__inserted"))?;
    function.attrs.remove(inserted);
    Some(function.into_token_stream().to_string())
}

/// Returns the function as parsed, without an empty `where` for example.
fn as_parsed(item: &TokenStream) -> Option<String> {
    syn::parse2::<OpaqueFn>(item.clone()).ok().map(|function| function.into_token_stream().to_string())
}

/// Whether the item is a block that still has all its functions: the macro adds the router even if there are mistakes.
fn has_members(item: &TokenStream, expanded: &str) -> bool {
    let is_block = item.clone().into_iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "impl"));
    let members = item.clone().into_iter().filter_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group.stream()),
        _ => None,
    });
    // Commas in an attribute are inside a group.
    let members: Vec<TokenTree> = members.last().into_iter().flatten().collect();
    let mut functions = members.windows(2).filter_map(|pair| match pair {
        [TokenTree::Ident(word), TokenTree::Ident(name)] if word == "fn" => Some(name),
        _ => None,
    });
    is_block && functions.all(|name| expanded.contains(&format!("fn {name}")))
}

/// Checks the expansion of the attribute, and the expansions of the tools to which a block passes its keys.
fn check_attribute(project: &Project, attribute: &TokenStream, item: &TokenStream) -> Result<(), TestCaseError> {
    let expanded = resilient::expand_in(project, attribute.clone(), item);
    if is_a_message(expanded.clone()) {
        let expanded = expanded.to_string();
        // The block's expansion parses and prints its tools, which may drop a trailing comma.
        let is_inherited = attribute.to_string().contains("__inherited");
        // So does that of an attribute that a block has inserted.
        let is_inserted = attribute.to_string().contains("__inserted");
        // Mistakes in the file are reported in addition to the expansion.
        let is_about_the_file = project.is_wrong();
        let is_there = is_inherited
            || is_about_the_file
            || expanded.starts_with(&item.to_string())
            || without_inserted(item).is_some_and(|item| expanded.starts_with(&item))
            || is_inserted && as_parsed(item).is_some_and(|item| expanded.starts_with(&item))
            || has_members(item, &expanded);
        prop_assert!(is_there, "the item is gone: {expanded}");
        return Ok(());
    }
    let file = match syn::parse2::<syn::File>(expanded.clone()) {
        Ok(file) => file,
        // The macro does not parse bodies, so it leaves their mistakes to rustc.
        Err(_) if syn::parse2::<syn::File>(item.clone()).is_err() => return Ok(()),
        Err(why) => return Err(TestCaseError::fail(format!("{why}: {expanded}"))),
    };
    for item in file.items {
        let syn::Item::Impl(mut block) = item else { continue };
        // Above rmcp's macros, the attribute inserts itself below them.
        if let Some(at) = block.attrs.iter().position(|attr| is_ours(attr.path()))
            && let syn::Meta::List(list) = block.attrs.remove(at).meta
        {
            check_attribute(project, &list.tokens, &block.to_token_stream())?;
        }
        for member in block.items {
            let syn::ImplItem::Fn(mut function) = member else { continue };
            let Some(at) = function.attrs.iter().position(|attr| attr.path().is_ident("resilient")) else { continue };
            let own = function.attrs.remove(at);
            if let syn::Meta::List(list) = own.meta {
                check_attribute(project, &list.tokens, &function.into_token_stream())?;
            }
        }
    }
    Ok(())
}

/// Whether this is the path of the attribute.
fn is_ours(path: &syn::Path) -> bool {
    path.segments.last().is_some_and(|last| last.ident == "resilient")
}

fn check_derive(input: &TokenStream) -> Result<(), TestCaseError> {
    let expanded = mcp_error::derive(input.clone());
    if !is_a_message(expanded.clone())
        && let Err(why) = syn::parse2::<syn::File>(expanded.clone())
    {
        return Err(TestCaseError::fail(format!("{why}: {expanded}")));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn any_keys_on_any_function_give_items_or_a_message(attribute in attribute(), item in function()) {
        check_attribute(&Project::default(), &attribute.0, &item.0)?;
    }

    #[test]
    fn a_skipped_function_that_is_no_tool_keeps_all_but_what_its_block_inserted(item in function()) {
        let item = item.0;
        check_attribute(&Project::default(), &quote!(skip), &quote!(#[resilient(__inserted)] #item))?;
    }

    #[test]
    fn any_keys_on_a_function_that_is_right_give_items_or_a_message(attribute in attribute()) {
        let item = quote!(
            #[tool]
            async fn f(&self, Parameters(Asked { id, .. }): Parameters<Asked>, more: &str) -> Result<u64, E> {
                Ok(1)
            }
        );
        check_attribute(&Project::default(), &attribute.0, &item)?;
    }

    #[test]
    fn any_keys_beside_any_file_give_items_or_a_message(
        attribute in attribute(),
        file in file(),
        item in prop_oneof![function(), block()],
    ) {
        check_attribute(&Project::read(file), &attribute.0, &item.0)?;
    }

    #[test]
    fn any_keys_on_any_block_give_items_or_a_message(attribute in attribute(), item in block()) {
        check_attribute(&Project::default(), &attribute.0, &item.0)?;
    }

    #[test]
    fn any_keys_on_any_handler_and_its_methods_give_items_or_a_message(
        attribute in of_handler(),
        file in file(),
        item in handler(),
    ) {
        check_attribute(&Project::default(), &attribute.0, &item.0)?;
        check_attribute(&Project::read(file), &attribute.0, &item.0)?;
    }

    #[test]
    fn any_tokens_on_any_tokens_give_items_or_a_message(attribute in soups(8), item in other()) {
        check_attribute(&Project::default(), &attribute.0, &item.0)?;
    }

    #[test]
    fn any_keys_of_the_derive_give_items_or_a_message(item in errors()) {
        check_derive(&item.0)?;
    }

    #[test]
    fn any_tokens_in_the_derive_give_items_or_a_message(item in prop_oneof![other(), block(), soups(12)]) {
        check_derive(&item.0)?;
    }
}
