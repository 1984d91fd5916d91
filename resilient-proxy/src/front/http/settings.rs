//! What the front is started with.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::SocketAddr;

use subtle::ConstantTimeEq;

/// The variable of the token.
pub(crate) const TOKEN_VARIABLE: &str = "RESILIENT_PROXY_TOKEN";
/// The minimum number of characters of a token.
const SHORTEST_TOKEN: usize = 16;

/// What the front is started with.
pub(crate) struct HttpSettings {
    /// The address to bind: of loopback, unless there is a token. With port 0, the system chooses the port.
    pub(crate) address: SocketAddr,
    /// The token that each request needs.
    pub(crate) token: Option<Token>,
    /// Hosts that requests may be addressed to, besides `localhost`, `127.0.0.1`, `[::1]` and the bound address. Each
    /// has any port, or one.
    pub(crate) allowed_hosts: Vec<String>,
}

/// The token that each request needs. `Debug` does not show it.
pub(crate) struct Token(String);

impl Token {
    /// Reads the value of [`TOKEN_VARIABLE`]. Without a value there is no token.
    ///
    /// # Errors
    /// [`StartError::Token`] for a value that cannot be a token. It never counts as unset: the front would then admit
    /// clients without a token.
    pub(crate) fn from_variable(value: Option<OsString>) -> Result<Option<Self>, StartError> {
        let Some(value) = value else { return Ok(None) };
        let text = value.into_string().map_err(|_| StartError::Token("is not UTF-8"))?;
        if text.chars().any(|c| !c.is_ascii_graphic()) {
            return Err(StartError::Token("contains white space or a character that is not visible ASCII"));
        }
        if text.len() < SHORTEST_TOKEN {
            return Err(StartError::Token("has less than 16 characters"));
        }
        Ok(Some(Self(text)))
    }

    /// Whether this is the token. The time that it takes depends only on the length.
    pub(super) fn is(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Why an HTTP server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The variable of the token has an unusable value.
    #[error(
        "the variable {TOKEN_VARIABLE} {0}; expected at least 16 characters of visible ASCII, or unset the variable"
    )]
    Token(&'static str),
    /// The address is not of loopback, and there is no token.
    #[error(
        "{address} can be reached from other machines, which needs a token: set {variable} to at least 16 characters \
         of visible ASCII, or use an address of loopback such as 127.0.0.1:{port}", port = address.port()
    )]
    NeedsToken {
        /// The address.
        address: SocketAddr,
        /// The variable of the token.
        variable: &'static str,
    },
    /// A host that requests may be addressed to is malformed.
    #[error("`{0}` is not a host; expected a name or an address, with or without a port, such as proxy.example.org")]
    Host(String),
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
}
