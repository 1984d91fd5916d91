//! The default name of a server, from its command or its URL.

use resilient_client::{Command, host_of};

/// The characters of a name.
const LONGEST: usize = 64;
/// Endings of files that say nothing about the server.
const ENDINGS: &[&str] = &[".js", ".mjs", ".cjs", ".ts", ".py", ".rb", ".sh", ".git", ".exe", ".cmd", ".bat", ".jar"];

/// A program that starts another one, which the server is named after.
struct Launcher {
    programs: &'static [&'static str],
    subcommands: &'static [&'static str],
    /// Options without a value.
    flags: &'static [&'static str],
    /// Options whose value is not the server.
    with_value: &'static [&'static str],
    /// Options whose value is the server.
    package: &'static [&'static str],
}

const LAUNCHERS: &[Launcher] = &[
    Launcher {
        programs: &["npx", "npm", "pnpx", "pnpm", "yarn", "bunx", "bun"],
        subcommands: &["exec", "dlx", "x", "run"],
        flags: &["-y", "--yes", "-q", "--quiet", "--silent", "--bun"],
        with_value: &[],
        package: &["-p", "--package"],
    },
    Launcher {
        programs: &["uvx", "uv", "pipx"],
        subcommands: &["tool", "run"],
        flags: &["-q", "--quiet", "--isolated", "--offline"],
        with_value: &["--with", "--python", "-p", "--directory", "--project", "--index", "--index-url"],
        package: &["--from"],
    },
    Launcher {
        programs: &["python", "python3", "py", "node", "deno", "ruby", "tsx"],
        subcommands: &["run"],
        flags: &["-u", "-I", "-B", "-A", "--no-warnings", "--enable-source-maps"],
        with_value: &[],
        package: &["-m"],
    },
    Launcher {
        programs: &["docker", "podman"],
        subcommands: &["container", "run"],
        flags: &["-i", "-t", "-it", "-ti", "--interactive", "--tty", "--rm", "--init"],
        with_value: &[
            "-e",
            "--env",
            "--env-file",
            "-v",
            "--volume",
            "--mount",
            "--name",
            "--network",
            "--net",
            "-p",
            "--publish",
            "-w",
            "--workdir",
            "-u",
            "--user",
            "--platform",
            "--pull",
            "-m",
            "--memory",
            "--cpus",
        ],
        package: &[],
    },
];

/// Returns the name of the package that a launcher starts, or the name of the program.
///
/// An option that is not known ends the search: its value may be a secret, and the name is shown.
pub(super) fn of_command(command: &Command) -> String {
    let program = plain(&command.program).unwrap_or_else(|| "server".into());
    LAUNCHERS
        .iter()
        .find(|launcher| launcher.programs.contains(&program.as_str()))
        .and_then(|launcher| launcher.package_in(&command.args))
        .and_then(plain)
        .unwrap_or(program)
}

/// Returns the host of a URL.
pub(super) fn of_url(url: &str) -> String {
    let host: String = host_of(url).trim_matches(['[', ']']).replace(':', "-").to_ascii_lowercase();
    plain(&host).unwrap_or_else(|| "server".into())
}

impl Launcher {
    fn package_in<'c>(&self, arguments: &'c [String]) -> Option<&'c str> {
        let mut arguments = arguments.iter().map(String::as_str).peekable();
        while arguments.next_if(|argument| self.subcommands.contains(argument)).is_some() {}
        while let Some(argument) = arguments.next() {
            match argument {
                argument if self.package.contains(&argument) => return arguments.next(),
                argument if self.with_value.contains(&argument) => drop(arguments.next()),
                argument if self.flags.contains(&argument) || self.subcommands.contains(&argument) => {}
                argument if argument.starts_with('-') => match argument.split_once('=') {
                    Some((option, package)) if self.package.contains(&option) => return Some(package),
                    Some(_) => {}
                    None => return None,
                },
                argument => return Some(argument),
            }
        }
        None
    }
}

/// Returns the last part of a path, a package or an image, without its version and the ending of a file.
fn plain(text: &str) -> Option<String> {
    // The host of a URL may have credentials.
    let path = text.split_once("://").map_or(Some(text), |(_, rest)| rest.split_once('/').map(|(_, path)| path))?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let last = path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let end = last.find(|c| !is_allowed(c)).unwrap_or(last.len()).min(LONGEST);
    let name = last.get(..end).unwrap_or_default();
    let name = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_after_its_package_or_its_program() {
        for (command, expected) in [
            ("npx -y @modelcontextprotocol/server-everything@1.2 stdio", "server-everything"),
            ("npx -p @scope/pkg bin", "pkg"),
            ("npx --package=@scope/pkg bin", "pkg"),
            ("pnpm dlx tavily-mcp", "tavily-mcp"),
            ("/usr/bin/uvx mcp-server-git==1.0 --repository x", "mcp-server-git"),
            ("uvx --from git+https://t0ken@example.com/a/wiki.git@main run-wiki", "wiki"),
            ("uvx --from git+https://t0ken@example.com run-wiki", "uvx"),
            ("uv --directory /srv run server.py", "server"),
            ("python3 -u -m my_server", "my_server"),
            ("node --no-warnings build/index.js", "index"),
            ("docker run -i --rm -e API_KEY=s3cret ghcr.io/github/github-mcp-server:v1", "github-mcp-server"),
            ("docker run --secret s3cret image", "docker"),
            ("npx", "npx"),
            ("npx @scope", "npx"),
            ("/opt/tools/search-server.exe --key s3cret", "search-server"),
            ("C:\\tools\\search.cmd", "search"),
            ("\u{fc}", "server"),
        ] {
            let mut words = command.split(' ');
            let command = Command::new(words.next().expect("a program")).args(words);
            assert_eq!(of_command(&command), expected, "{command:?}");
        }
    }

    #[test]
    fn a_remote_server_is_named_after_its_host() {
        assert_eq!(of_url("https://me:s3cret@MCP.example.com:443/mcp?key=s3cret"), "mcp.example.com");
        assert_eq!(of_url("http://[::1]:80/"), "--1");
        assert_eq!(of_url("http://127.0.0.1:80/"), "127.0.0.1");
    }
}
