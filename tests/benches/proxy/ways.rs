//! The rows: what stands between the client and the tool.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use resilient_bench::target;

use crate::process::{Front, Process};

/// A way from the client to the tool.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    /// The size of the proxy's executable in bytes.
    pub(crate) size: Option<u64>,
    transports: &'static str,
    front: Front,
    pub(crate) tool: &'static str,
    /// Receives the port to listen on.
    pub(crate) command: Box<dyn Fn(u16) -> io::Result<Command>>,
}

impl Way {
    pub(crate) fn title(&self) -> String {
        format!("{}, {}", self.name, self.transports)
    }

    /// Starts it. Files that it needs are in the folder.
    pub(crate) fn start(&self, folder: &Path) -> io::Result<Process> {
        let started = Process::start(&self.command, self.front, self.tool, &folder.join("stderr.log"));
        started.map_err(|error| io::Error::other(format!("{}: {error}", self.title())))
    }
}

/// Returns the rows without a proxy.
pub(crate) fn direct() -> io::Result<Vec<Way>> {
    let this = env::current_exe()?;
    let way = |transports, front, command| Way {
        name: "direct",
        version: String::new(),
        size: None,
        transports,
        front,
        tool: "echo",
        command,
    };
    let http = this.clone();
    Ok(vec![
        way("stdio", Front::Stdio, Box::new(move |_| Ok(with(&this, ["upstream"])))),
        way(
            "HTTP",
            Front::Http("/mcp"),
            Box::new(move |port| Ok(with(&http, ["upstream-http", port.to_string().as_str()]))),
        ),
    ])
}

/// Returns the rows of the proxy of this workspace, or an error that says how to build it.
pub(crate) fn ours() -> io::Result<Vec<Way>> {
    let this = env::current_exe()?;
    let default = || target().join("proxy").join("resilient-proxy");
    let proxy = env::var_os("RESILIENT_PROXY").map_or_else(default, PathBuf::from);
    let size = fs::metadata(&proxy).map_err(|error| {
        let build = "cargo build --profile proxy -p resilient-proxy";
        io::Error::other(format!("{}: {error}; build it with `{build}`, or set RESILIENT_PROXY", proxy.display()))
    })?;
    let way = |transports, front, command| Way {
        name: "resilient-proxy",
        version: env!("CARGO_PKG_VERSION").into(),
        size: Some(size.len()),
        transports,
        front,
        tool: "echo",
        command,
    };
    let (http, upstream) = (proxy.clone(), this.clone());
    Ok(vec![
        way(
            "stdio to stdio",
            Front::Stdio,
            Box::new(move |_| Ok(with(&proxy, [OsStr::new("--"), this.as_os_str(), OsStr::new("upstream")]))),
        ),
        way(
            "HTTP to stdio",
            Front::Http("/mcp"),
            Box::new(move |port| {
                let mut command = with(&http, ["--http", &format!("127.0.0.1:{port}"), "--"]);
                command.arg(&upstream).arg("upstream");
                Ok(command)
            }),
        ),
    ])
}

/// Returns the rows of other proxies, and for each that is not there the reason.
pub(crate) fn others(folder: &Path) -> io::Result<(Vec<Way>, Vec<&'static str>)> {
    let (mut ways, mut missing) = (Vec::new(), Vec::new());
    if let Some(program) = env::var_os("MCP_PROXY") {
        ways.push(mcp_proxy(program, folder)?);
    } else {
        missing.push("no row of mcp-proxy: set MCP_PROXY to the executable of `cargo install mcp-proxy`");
    }
    if let Some(python) = env::var_os("FASTMCP_PYTHON") {
        ways.push(fastmcp(python)?);
    } else {
        missing.push("no row of FastMCP: set FASTMCP_PYTHON to a Python that has `fastmcp`");
    }
    Ok((ways, missing))
}

fn mcp_proxy(program: OsString, folder: &Path) -> io::Result<Way> {
    let (this, config) = (env::current_exe()?, folder.join("mcp-proxy.toml"));
    let version = installed_version(Path::new(&program)).unwrap_or_else(|| "unknown".into());
    let size = Some(fs::metadata(&program)?.len());
    let command = move |port| {
        let text = format!(
            "[proxy]\nname = \"bench\"\n[proxy.listen]\nhost = \"127.0.0.1\"\nport = {port}\n\
             [[backends]]\nname = \"up\"\ntransport = \"stdio\"\ncommand = '{}'\nargs = [\"upstream\"]\n",
            this.display()
        );
        fs::write(&config, text)?;
        Ok(with(Path::new(&program), [OsStr::new("--config"), config.as_os_str()]))
    };
    Ok(Way {
        name: "mcp-proxy",
        version,
        size,
        transports: "HTTP to stdio",
        front: Front::Http("/"),
        tool: "up/echo",
        command: Box::new(command),
    })
}

/// Returns the version of `mcp-proxy` that cargo has installed into this folder: the executable does not print it.
fn installed_version(program: &Path) -> Option<String> {
    let installed = fs::read_to_string(program.parent()?.parent()?.join(".crates.toml")).ok()?;
    let line = installed.lines().find_map(|line| line.strip_prefix("\"mcp-proxy "))?;
    line.split(' ').next().map(str::to_owned)
}

fn fastmcp(python: OsString) -> io::Result<Way> {
    let this = env::current_exe()?;
    let printed = Command::new(&python).args(["-c", "import fastmcp; print(fastmcp.__version__)"]).output()?;
    let version = String::from_utf8_lossy(&printed.stdout).trim().to_owned();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/proxy/fastmcp_proxy.py");
    let command = move |_| Ok(with(Path::new(&python), [OsStr::new(script), this.as_os_str(), OsStr::new("upstream")]));
    Ok(Way {
        name: "FastMCP",
        version,
        size: None,
        transports: "stdio to stdio",
        front: Front::Stdio,
        tool: "echo",
        command: Box::new(command),
    })
}

fn with<A: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
