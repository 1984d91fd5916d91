//! The key `authorize` in a block: which functions its router gets for which tools.

use quote::quote;

use super::{messages, pretty};

#[test]
fn the_router_of_a_block_gets_the_functions_that_authorize_each_tool() {
    let expanded = pretty(
        quote!(authorize = Self::check),
        quote!(
            #[tool_router]
            impl Server {
                #[tool]
                fn sync(&self) -> String {
                    String::new()
                }

                #[resilient(authorize = editors::only)]
                #[tool(name = "edit_page")]
                async fn edit(&self) -> Result<String, E> {
                    Ok(String::new())
                }

                #[cfg_attr(editors, guard(authorize = editors::only))]
                #[tool]
                fn unseen(&self) -> String {
                    String::new()
                }
            }
        ),
    );
    insta::assert_snapshot!(expanded);
}

#[test]
fn a_guarded_tool_answers_only_if_the_hook_has_authorized_the_call() {
    let tool = quote!(
        #[tool]
        async fn list(&self) -> Result<String, E> {
            Ok(String::new())
        }
    );
    for (keys, is_authorized) in [
        (quote!(__inherited()), false),
        (quote!(__inherited(authorize = Self::check)), true),
        (quote!(authorize = Self::check, __inherited()), true),
        (quote!(authorize = Self::check, __inherited(), __inserted), true),
    ] {
        let expanded = pretty(keys.clone(), tool.clone());
        assert_eq!(expanded.contains("__private::unauthorized("), is_authorized, "{keys}: {expanded}");
        let is_unseen = keys.to_string().contains("__inserted");
        assert_eq!(expanded.contains("fn __resilient_list_authorized"), is_unseen, "{keys}: {expanded}");
    }
}

#[test]
fn no_tool_refuses_the_function_of_its_block_and_no_prompt_is_served_without_it() {
    let tool = quote!(
        #[tool]
        fn list(&self) -> String {
            String::new()
        }
    );
    let refuses = messages(quote!(authorize = none, __inherited(authorize = Self::check)), tool);
    assert!(refuses.iter().any(|message| message.starts_with("a tool cannot refuse")), "{refuses:?}");
    let block = quote!(
        #[tool_router]
        #[prompt_router]
        impl Server {
            #[prompt]
            async fn greet(&self) -> String {
                String::new()
            }

            #[tool]
            fn list(&self) -> String {
                String::new()
            }
        }
    );
    let mixed = messages(quote!(authorize = Self::check), block);
    assert!(mixed.iter().any(|message| message.starts_with("`authorize` needs the hook")), "{mixed:?}");
}
