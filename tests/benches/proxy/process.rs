//! A server or proxy as a child process: how it starts, and what it uses.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use resilient_bench::client::Client;

/// How a client reaches the process.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Front {
    Stdio,
    /// The path of the endpoint.
    Http(&'static str),
}

/// A running process with a client.
pub(crate) struct Process {
    child: Child,
    pub(crate) client: Client,
    /// From the start of the process until it answered `initialize`.
    pub(crate) ready: Duration,
    /// What it wrote to stderr.
    log: PathBuf,
}

/// What all threads of a process used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// How often a thread began to wait.
    pub(crate) waits: u64,
}

/// Kills the process that it is the only owner of, unless the start succeeds.
struct Starting(Option<Child>);

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.as_mut().map(end);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

impl Process {
    /// Starts a process and a session with it. `command` receives the port to listen on.
    pub(crate) fn start(
        command: impl Fn(u16) -> io::Result<Command>,
        front: Front,
        tool: &'static str,
        log: &Path,
    ) -> io::Result<Self> {
        let (port, stdout) = match front {
            Front::Stdio => (0, Stdio::piped()),
            Front::Http(_) => (TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port(), Stdio::null()),
        };
        let mut command = command(port)?;
        command.stdin(Stdio::piped()).stdout(stdout).stderr(File::create(log)?);
        let begun = Instant::now();
        let mut starting = Starting(Some(command.spawn()?));
        let child = starting.0.as_mut().ok_or_else(|| io::Error::other("no child"))?;
        let client = match front {
            Front::Stdio => {
                let pipes = child.stdin.take().zip(child.stdout.take());
                let (stdin, stdout) = pipes.ok_or_else(|| io::Error::other("a pipe is missing"))?;
                Client::over_pipes(stdin, stdout, tool)
            }
            Front::Http(path) => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                wait_until_it_listens(child, address).and_then(|()| Client::over_http(address, path, tool))
            }
        };
        let ready = begun.elapsed();
        let client = client.and_then(|mut client| client.list_tools().map(|()| client));
        let client = client.map_err(|error| with_log(&error, log))?;
        let child = starting.0.take().ok_or_else(|| io::Error::other("no child"))?;
        Ok(Self { child, client, ready, log: log.to_owned() })
    }

    /// Adds the end of what the process wrote to stderr.
    pub(crate) fn explain(&self, error: &io::Error) -> io::Error {
        with_log(error, &self.log)
    }

    /// Returns what the process used so far, without its children.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        let mut usage = Usage::default();
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let task = task?.path();
            // A thread may end in the meantime.
            let (Ok(schedule), Ok(status)) =
                (fs::read_to_string(task.join("schedstat")), fs::read_to_string(task.join("status")))
            else {
                continue;
            };
            let nanos = schedule.split(' ').next().and_then(|nanos| nanos.parse().ok());
            usage.cpu += Duration::from_nanos(nanos.unwrap_or_default());
            usage.waits += field(&status, "voluntary_ctxt_switches:").unwrap_or_default();
        }
        Ok(usage)
    }

    /// Returns the resident memory in KiB.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        field(&status, "VmRSS:").ok_or_else(|| io::Error::other("no VmRSS"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Returns the number of a line of `/proc/PID/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn wait_until_it_listens(child: &mut Child, address: SocketAddr) -> io::Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!("the process ended: {status}")));
        }
        if begun.elapsed() > Duration::from_secs(30) {
            return Err(io::Error::other(format!("nothing listens on {address}")));
        }
        thread::sleep(Duration::from_micros(500));
    }
    Ok(())
}

fn with_log(error: &io::Error, log: &Path) -> io::Error {
    let written = fs::read(log).unwrap_or_default();
    let written = String::from_utf8_lossy(&written[written.len().saturating_sub(2_000)..]).into_owned();
    io::Error::other(format!("{error}\n{written}"))
}
