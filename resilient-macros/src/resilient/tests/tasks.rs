//! The methods for the tasks of deferred writes in a handler.

use proc_macro2::TokenStream;
use quote::quote;

use super::pretty;

/// Returns the expansion below rmcp's macros, of a block with these methods.
fn below(methods: TokenStream) -> String {
    pretty(quote!(__below_handlers()), quote!(impl ServerHandler for Server { #methods }))
}

#[test]
fn a_handler_gets_the_methods_that_it_lacks_if_the_runtime_has_the_feature() {
    insta::assert_snapshot!(below(quote! {
        fn get_info(&self) -> ServerConfig {
            ServerConfig::new(capabilities())
        }

        async fn get_task(&self, request: GetTaskParams, _: Context) -> Result<GetTaskResult, ErrorData> {
            self.tasks.get_task(&request.task_id).map(GetTaskResult::new)
        }

        async fn update_task(&self, _: UpdateTaskParams, _: Context) -> Result<(), ErrorData> {
            Ok(())
        }
    }));
}

#[test]
fn a_call_tool_marks_its_requests() {
    let call_tool = quote! {
        async fn call_tool(&self, request: CallToolRequestParams, context: Context) -> Result<Response, ErrorData> {
            Self::tool_router().call(ToolCallContext::new(self, request, context)).await
        }
    };
    let own = pretty(quote!(), quote!(impl ServerHandler for Server { #call_tool }));
    assert!(own.contains("let context = ::resilient_runtime::__private::tasks::through_handler"), "{own}");
    // The one that rmcp generates calls the router, which marks them.
    assert!(!below(call_tool).contains("through_handler"));
}

#[test]
fn a_block_with_a_macro_within_gets_no_methods() {
    let unseen = quote!(methods_for_tasks!(););
    let expanded = below(unseen.clone());
    assert!(!expanded.contains("with_deferred") && !expanded.contains("get_info"), "{expanded}");
    let above = pretty(quote!(), quote!(#[tool_handler] impl ServerHandler for Server { #unseen }));
    assert!(above.contains("without_tasks"), "{above}");
}

#[test]
fn a_block_whose_methods_for_tasks_may_not_exist_gets_no_methods() {
    let unseen = [
        quote!(
            #[cfg(feature = "tasks")]
            fn get_info(&self) -> ServerConfig {
                ServerConfig::new(capabilities())
            }
        ),
        quote!(
            #[cfg_attr(feature = "tasks", cfg(unix))]
            async fn get_task(&self, _: A, _: B) -> C {
                c().await
            }
        ),
    ];
    for unseen in unseen {
        let expanded = below(unseen.clone());
        assert!(!expanded.contains("with_deferred") && !expanded.contains("server_info"), "{expanded}");
        let above = pretty(quote!(), quote!(#[tool_handler] impl ServerHandler for Server { #unseen }));
        assert!(above.contains("without_tasks"), "{above}");
    }
    // Conditions of other methods and other conditional attributes change nothing.
    let seen = below(quote! {
        #[cfg(unix)]
        fn on_progress(&self) {}
        #[cfg_attr(unix, allow(unused))]
        fn get_info(&self) -> ServerConfig { ServerConfig::new(capabilities()) }
    });
    assert!(seen.contains("with_deferred") && seen.contains("server_info"), "{seen}");
}
