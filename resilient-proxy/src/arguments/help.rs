//! The help text.

/// Returns the text for `--help`.
pub(crate) fn help() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("resilient-proxy {version}: restarts, reconnects, deadlines and safe retries for any MCP server\n{TEXT}")
}

const TEXT: &str = "
Usage:
  resilient-proxy [OPTIONS] -- COMMAND [ARGUMENTS]   one server that is started as a child process
  resilient-proxy [OPTIONS] URL                      one server over streamable HTTP
  resilient-proxy [OPTIONS] --config FILE            the servers of an mcp_servers.json

Clients are served over stdin and stdout, or over HTTP with --http.

Options:
  --config FILE         the servers, in the format {\"mcpServers\": {\"NAME\": {\"command\": ..}}}
  --policy FILE         timeouts, retries and breakers, in the format of resilient.toml
                        (default: the file that RESILIENT_CONFIG names)
  --timeout DURATION    timeout of a call, such as 30s or 2m (default: 60s)
  --name NAME           name of the server in messages and metrics (default: from the command or the URL)
  --header 'NAME: VALUE'  header for a server over HTTP; ${VAR} is replaced; repeatable
  --no-trust            do not repeat calls because of what the server's annotations say

  --http ADDRESS        serve clients over HTTP on 8080 or 127.0.0.1:8080; an address
                        other than this machine's needs RESILIENT_PROXY_TOKEN
  --allow-host HOST     a further host that requests may name; repeatable
  --child-per-session   start the command once for each session over HTTP
  --admin ADDRESS       serve /metrics, /status and /readyz

  --check               validate all settings, and exit with 0 or 2
  --version, -V         print the version
  --help, -h            print this text

Example of an entry in a client's configuration:
  {\"command\": \"resilient-proxy\", \"args\": [\"--\", \"npx\", \"-y\", \"some-server\"]}
";
