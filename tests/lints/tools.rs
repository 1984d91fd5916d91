//! Servers at each of which a lint has something to report. `tests/lints.rs` compiles this file with the attribute
//! and without it.

#![warn(
    elided_lifetimes_in_paths,
    let_underscore_drop,
    missing_debug_implementations,
    missing_docs,
    single_use_lifetimes,
    unreachable_pub,
    unused,
    unused_lifetimes,
    unused_qualifications,
    clippy::all,
    clippy::dbg_macro,
    clippy::indexing_slicing,
    clippy::missing_docs_in_private_items,
    clippy::multiple_inherent_impl,
    clippy::nursery,
    clippy::pedantic,
    clippy::unwrap_used
)]

/// Old.
#[deprecated(note = "use another")]
fn old() {}

#[must_use]
fn must() -> u32 {
    7
}

mod tools {
    use rmcp::handler::server::wrapper::Parameters;
    use rmcp::{ErrorData, tool, tool_router};

    #[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
    struct Asked {
        id: u32,
        unread: u32,
    }

    /// A server.
    #[derive(Debug, Clone)]
    pub struct Shop<'a> {
        never_read: &'a str,
    }

    #[resilient_runtime::resilient(timeout = "2s")]
    #[tool_router(vis = "pub")]
    impl<'a: 'static> Shop<'a> {
        /// A tool.
        #[tool]
        async fn one(&self, Parameters(Asked { id, unread }): Parameters<Asked>) -> Result<String, ErrorData> {
            let mut more = 3;
            super::must();
            super::old();
            Ok(id.to_string())
        }

        #[tool]
        async fn not_documented(&self) -> Result<String, ErrorData> {
            Ok(String::new())
        }

        /// A tool.
        #[resilient_runtime::resilient(retry = 2)]
        #[tool(annotations(read_only_hint = true))]
        pub async fn two(&self, Parameters(asked): Parameters<Asked>) -> Result<String, ErrorData> {
            let mut more = 3;
            super::must();
            super::old();
            Ok(asked.id.to_string())
        }

        /// A tool.
        #[tool]
        async fn plain(&self) -> String {
            let mut more = 3;
            super::must();
            String::new()
        }

        /// A tool.
        #[tool]
        fn sync(&self, mut argument: Parameters<Asked>) -> String {
            String::new()
        }

        fn helper(&self) {}

        /// Fine.
        pub fn other_helper(&self, text: String) -> usize { text.len() }
    }
}

mod handler {
    use rmcp::{ErrorData, ServerHandler, tool, tool_router, tool_handler};
    #[derive(Debug, Clone)]
    struct Unused;

    #[resilient_runtime::resilient(timeout = "2s")]
    #[tool_router(server_handler)]
    impl Unused {
        /// A tool.
        #[tool]
        async fn plain(&self) -> Result<String, ErrorData> {
            Ok(String::new())
        }
    }

    #[derive(Debug, Clone)]
    struct Apart;

    #[resilient_runtime::resilient(timeout = "2s")]
    #[tool_router]
    impl Apart {
        /// A tool.
        #[tool]
        async fn plain(&self) -> Result<String, ErrorData> {
            Ok(String::new())
        }
    }

    #[resilient_runtime::resilient]
    #[tool_handler]
    impl ServerHandler for Apart {}
}

/// Used.
pub mod used {
    use rmcp::{ErrorData, ServerHandler, tool, tool_router, tool_handler};
    /// A server.
    #[derive(Debug, Clone)]
    pub struct Handled;

    #[resilient_runtime::resilient(timeout = "2s")]
    #[tool_router(server_handler)]
    impl Handled {
        /// A tool.
        #[tool]
        async fn plain(&self) -> Result<String, ErrorData> {
            return Ok(String::new());
        }
    }

    /// A server.
    #[derive(Debug, Clone)]
    pub struct Without;

    #[resilient_runtime::resilient(timeout = "2s")]
    #[tool_router]
    impl Without {
        /// A tool.
        #[tool]
        async fn plain(&self) -> Result<String, ErrorData> {
            Ok(String::new())
        }
    }

    /// A server.
    #[derive(Debug, Clone)]
    pub struct Apart;

    #[resilient_runtime::resilient(timeout = "2s")]
    #[tool_router]
    impl Apart {
        /// A tool.
        #[tool]
        async fn plain(&self) -> Result<String, ErrorData> {
            Ok(String::new())
        }
    }

    #[resilient_runtime::resilient]
    #[tool_handler]
    impl ServerHandler for Apart {}

    /// A server.
    #[derive(Debug, Clone)]
    pub struct Public;

    #[resilient_runtime::resilient(timeout = "2s")]
    #[tool_router(vis = "pub", router = routes)]
    impl Public {
        /// A tool.
        #[tool]
        async fn plain(&self) -> Result<String, ErrorData> {
            Ok(String::new())
        }
    }
}
