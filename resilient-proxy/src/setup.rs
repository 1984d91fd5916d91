//! What the arguments, the files and the variables ask for, checked before anything starts.

use std::path::Path;
use std::time::Duration;

use resilient_client::{CallSettings, Config, ServerSettings, Target, Transport};

use crate::arguments::{Arguments, Upstream};
use crate::bridge::BridgeSettings;

/// How long `initialize` waits for a server, before the proxy answers it. Clients wait 30 s and longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// One server that can be started.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) target: Target,
    pub(crate) settings: BridgeSettings,
}

/// The servers behind the proxy.
#[derive(Debug)]
pub(crate) enum Servers {
    One(Prepared),
    Several(Vec<Prepared>),
}

/// Problems, each with its place.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    /// Those that concern all servers.
    pub(crate) fatal: Vec<String>,
    /// Those of single servers of a file: the others can be used.
    pub(crate) of_servers: Vec<String>,
}

/// Prepares the servers. With problems in the file, or if no server is left, there are none.
pub(crate) fn prepare(arguments: &Arguments, problems: &mut Problems) -> Option<Servers> {
    match &arguments.upstream {
        Upstream::One { name, transport, trust_annotations } => {
            let is_shared = arguments.http.is_some() && matches!(transport, Transport::Command(_));
            let calls = calls(arguments.timeout, *trust_annotations, "");
            let settings = BridgeSettings { name: name.clone(), calls, is_shared, patience: PATIENCE };
            let prepared = prepared(transport, settings, name);
            prepared.map(Servers::One).map_err(|problem| problems.fatal.push(problem)).ok()
        }
        Upstream::Config(path) => {
            let config = Config::read(path, |name| std::env::var_os(name));
            let config = config.map_err(|error| problems.fatal.push(error.to_string())).ok()?;
            if !config.alternatives.is_empty() {
                let ignored = "the key `alternatives` is for clients of the library; the proxy ignores it";
                tracing::warn!(event = "config.warning", file = %path.display(), "{ignored}");
            }
            let servers = several(path, config, arguments.timeout, problems);
            if servers.is_empty() && problems.fatal.is_empty() {
                problems.fatal.push(format!("{}: no server can be used", path.display()));
            }
            Some(Servers::Several(servers))
        }
    }
}

fn several(path: &Path, config: Config, timeout: Duration, problems: &mut Problems) -> Vec<Prepared> {
    let mut servers = Vec::new();
    for entry in config.servers {
        let name = entry.name;
        let found = entry.server.map_err(|error| error.to_string()).and_then(|server| {
            let ServerSettings { transport, trust_annotations, timeout: own, .. } = server;
            let calls = calls(own.unwrap_or(timeout), trust_annotations, &format!("{name}__"));
            let settings = BridgeSettings { name: name.clone(), calls, is_shared: true, patience: PATIENCE };
            prepared(&transport, settings, &format!("{}: mcpServers.{name}", path.display()))
        });
        match found {
            Ok(server) => servers.push(server),
            Err(problem) => problems.of_servers.push(problem),
        }
    }
    servers
}

fn calls(timeout: Duration, trust_annotations: bool, prefix: &str) -> CallSettings {
    let mut calls = CallSettings::default();
    calls.timeout = timeout;
    calls.trust_annotations = trust_annotations;
    prefix.clone_into(&mut calls.prefix);
    calls
}

/// Checks what can be checked of a server without starting it. `place` names it in the problem.
fn prepared(transport: &Transport, settings: BridgeSettings, place: &str) -> Result<Prepared, String> {
    if let Transport::Command(command) = transport {
        let folder = command.cwd.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_default();
        let path = command.env.get("PATH").map(Into::into).or_else(|| std::env::var_os("PATH"));
        if which::which_in(&command.program, path, folder).is_err() {
            return Err(format!(
                "{place}: the command `{}` does not exist or must not be executed; give its path, or install it",
                command.program
            ));
        }
    }
    let target = Target::try_from(transport).map_err(|failure| format!("{place}: {failure}"))?;
    Ok(Prepared { target, settings })
}
