//! The transport of a request, in the terms of the OpenTelemetry conventions for MCP.

use http::Version;
use rmcp::RoleServer;
use rmcp::model::ProtocolVersion;
use rmcp::service::RequestContext;

/// The transport of a request and the protocols on it. All values come from closed lists; none is chosen by a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transport {
    http: Option<Version>,
    mcp: Option<&'static str>,
}

impl Transport {
    pub(crate) fn of(request: &RequestContext<RoleServer>) -> Self {
        let protocol = request.protocol_version();
        let known = |version: &ProtocolVersion| {
            ProtocolVersion::KNOWN_VERSIONS.iter().find(|known| *known == version).map(ProtocolVersion::as_str)
        };
        Self {
            http: request.extensions.get::<http::request::Parts>().map(|parts| parts.version),
            mcp: protocol.as_ref().and_then(known),
        }
    }

    /// `network.transport`. Every transport except HTTP counts as the pipes of stdio.
    pub(crate) fn name(self) -> &'static str {
        match self.http {
            None => "pipe",
            Some(Version::HTTP_3) => "quic",
            Some(_) => "tcp",
        }
    }

    /// `network.protocol.name`.
    pub(crate) fn protocol(self) -> Option<&'static str> {
        self.http.map(|_| "http")
    }

    /// `network.protocol.version`.
    pub(crate) fn protocol_version(self) -> Option<&'static str> {
        match self.http? {
            Version::HTTP_09 => Some("0.9"),
            Version::HTTP_10 => Some("1.0"),
            Version::HTTP_11 => Some("1.1"),
            Version::HTTP_2 => Some("2"),
            Version::HTTP_3 => Some("3"),
            _ => None,
        }
    }

    /// `mcp.protocol.version`, if rmcp knows the version.
    pub(crate) fn mcp(self) -> Option<&'static str> {
        self.mcp
    }
}
