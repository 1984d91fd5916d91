//! The schemas of the ready-made tools, by which their routes are recognized.

use std::mem;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rmcp::handler::server::common::{schema_for_input, schema_for_output};
use rmcp::model::{JsonObject, Tool};
use rmcp::schemars::transform::{RestrictFormats, Transform as _};
use rmcp::schemars::{JsonSchema, Schema};

use super::requests::{CircuitStatus, GetMetrics, HealthCheck, RecentErrors};
use crate::health::HealthReport;
use crate::view::{Breakers, Errors, Metrics};

/// The input and output schemas of a tool.
pub(in crate::mcp) struct Schemas {
    pub(in crate::mcp) input: Arc<JsonObject>,
    pub(in crate::mcp) output: Arc<JsonObject>,
}

/// The input schemas of all ready-made tools that a router has.
static KNOWN: Mutex<Vec<Arc<JsonObject>>> = Mutex::new(Vec::new());

/// Returns the schemas of `health_check`, `get_metrics`, `circuit_status` and `recent_errors`.
pub(super) fn all() -> &'static [Schemas; 4] {
    static SCHEMAS: OnceLock<[Schemas; 4]> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        [
            of::<HealthCheck, HealthReport>(),
            of::<GetMetrics, Metrics>(),
            of::<CircuitStatus, Breakers>(),
            of::<RecentErrors, Errors>(),
        ]
    })
}

/// Returns whether this is one of the ready-made tools, which are never gated. Their schemas are unique, while a tool of
/// the server may have the same name.
pub(in crate::mcp) fn is_ready_made(tool: &Tool) -> bool {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.iter().any(|known| Arc::ptr_eq(known, &tool.input_schema))
}

/// Makes the schemas of a ready-made tool with these arguments and this response. Call it once for each tool.
pub(in crate::mcp) fn of<A: JsonSchema + 'static, T: JsonSchema + 'static>() -> Schemas {
    // Only a type that is not an object has no input schema; all of these are objects.
    let input = with_known_formats(schema_for_input::<A>().unwrap_or_default());
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&input));
    Schemas { input, output: with_known_formats(schema_for_output::<T>()) }
}

/// Removes the formats of numbers from a schema. `schemars` writes `uint64` and the like, but JSON Schema has formats
/// for strings only, and clients that check schemas print a warning for each unknown format.
fn with_known_formats(schema: Arc<JsonObject>) -> Arc<JsonObject> {
    let mut schema = Schema::from(Arc::unwrap_or_clone(schema));
    RestrictFormats::default().transform(&mut schema);
    Arc::new(mem::take(schema.ensure_object()))
}
