//! The server: two tools whose fallbacks are the last good analysis, then a scan by patterns.

use std::sync::Arc;

use resilient_runtime::{CallContext, resilient};
use rmcp::{Json, ServerHandler, handler::server::wrapper::Parameters, tool, tool_handler, tool_router};

use super::{
    error::AuditError,
    project,
    root::Root,
    types::{Analysis, AnalyzeCode, Audit, AuditProject, LARGEST_SOURCE, Method},
    worker,
};

/// Audits for MCP clients.
#[derive(Clone, Debug)]
pub struct Auditor {
    root: Arc<Root>,
}

// Most audits take less than a second. After ten, a scan by patterns now helps the model more than an analysis later.
#[resilient(timeout = "10s")]
#[tool_router(vis = "pub")]
impl Auditor {
    /// Audit a project: functions, unsafe code, calls that may panic, long functions and missing documentation, in its
    /// Rust files. Test code, links, hidden directories and `target` are left out.
    #[resilient(fallback = [cached, Self::scan_project], cache(stale_if_error = "1h"))]
    #[tool(annotations(title = "Audit a project", read_only_hint = true, open_world_hint = false))]
    async fn audit_project(&self, Parameters(request): Parameters<AuditProject>) -> Result<Json<Audit>, AuditError> {
        self.audit(request, Method::Syntax).await.inspect_err(AuditError::warn)
    }

    /// Analyze a piece of Rust code, given as text, in the same way.
    #[resilient(fallback = [cached, Self::scan_code], cache(stale_if_error = "1h"))]
    #[tool(annotations(title = "Analyze code", read_only_hint = true, open_world_hint = false))]
    async fn analyze_code(&self, Parameters(request): Parameters<AnalyzeCode>) -> Result<Json<Analysis>, AuditError> {
        analyze(request, Method::Syntax).await.inspect_err(AuditError::warn)
    }
}

impl Auditor {
    /// Creates a server for the projects below this root.
    #[must_use]
    pub fn new(root: Root) -> Self {
        Self { root: Arc::new(root) }
    }

    async fn scan_project(
        &self,
        Parameters(request): Parameters<AuditProject>,
        _: &AuditError,
    ) -> Result<Json<Audit>, AuditError> {
        self.audit(request, Method::Patterns).await
    }

    async fn scan_code(
        &self,
        Parameters(request): Parameters<AnalyzeCode>,
        _: &AuditError,
    ) -> Result<Json<Analysis>, AuditError> {
        analyze(request, Method::Patterns).await
    }

    async fn audit(&self, request: AuditProject, method: Method) -> Result<Json<Audit>, AuditError> {
        let root = Arc::clone(&self.root);
        let audit = worker::run(move |stop| {
            let directory = root.resolve(&request.path)?;
            project::audit(&directory, &request, method, stop)
        })
        .await?;
        if audit.truncated
            && let Some(call) = CallContext::current()
        {
            call.warn("The project is too large: only its first files were audited. Audit its directories one by one.");
        }
        Ok(Json(audit))
    }
}

async fn analyze(AnalyzeCode { code, max_lines }: AnalyzeCode, method: Method) -> Result<Json<Analysis>, AuditError> {
    if code.len() > LARGEST_SOURCE {
        return Err(AuditError::TooLarge { bytes: code.len() });
    }
    let read = move || {
        method.read(&code, max_lines).map_err(|error| AuditError::Unreadable { place: "code".to_owned(), error })
    };
    let report = worker::run(move |_| read()).await?;
    Ok(Json(Analysis { method, report }))
}

#[resilient]
#[tool_handler(
    name = "auditor",
    instructions = "A finding deserves a second look; it need not be a mistake. `method` tells how much the auditor understood. When an \
                    answer says that it is old, the code could not be analyzed now, and the findings are from before."
)]
impl ServerHandler for Auditor {}
