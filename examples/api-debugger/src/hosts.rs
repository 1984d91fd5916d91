//! The allowed hosts: `API_DEBUGGER_HOSTS`.

use std::{env, net::IpAddr};

use reqwest::Url;

use super::{address::is_public, demo, error::ApiError};

const VARIABLE: &str = "API_DEBUGGER_HOSTS";

/// An allow list.
#[derive(Debug)]
pub(super) struct Hosts(Vec<Entry>);

/// A host as in a URL, and its port. Without a port the default ports of `http` and `https` are allowed.
#[derive(Debug, PartialEq, Eq)]
struct Entry(String, Option<u16>);

impl Hosts {
    /// Reads the variable. In the demo the list contains the embedded upstream, and the variable is optional.
    pub(super) fn from_env(demo: bool) -> Result<Self, HostsError> {
        let mut hosts = match env::var(VARIABLE) {
            Ok(list) => Self::parse(&list)?,
            Err(env::VarError::NotPresent) => Self(Vec::new()),
            Err(env::VarError::NotUnicode(list)) => return Err(HostsError::Entry(list.to_string_lossy().into_owned())),
        };
        if demo {
            hosts.0.extend(demo::HOSTS.map(|host| Entry(host.to_owned(), None)));
        }
        if hosts.0.is_empty() { Err(HostsError::Empty) } else { Ok(hosts) }
    }

    fn parse(list: &str) -> Result<Self, HostsError> {
        let said = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        said.map(Entry::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Checks the URL as far as possible without resolving its name.
    pub(super) fn check(&self, url: &Url) -> Result<(), ApiError> {
        let host = url.host_str().unwrap_or_default();
        // First, because no operator can allow these.
        if literal(host).is_some_and(|address| !is_public(address)) {
            return Err(ApiError::NotPublic { host: authority(url) });
        }
        let listed = self.0.iter().any(|Entry(name, port)| {
            name == host && if port.is_some() { *port == url.port_or_known_default() } else { url.port().is_none() }
        });
        if listed { Ok(()) } else { Err(ApiError::NotAllowed { host: authority(url) }) }
    }
}

impl Entry {
    fn parse(entry: &str) -> Result<Self, HostsError> {
        let refused = || HostsError::Entry(entry.to_owned());
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().map_err(|_| refused())?)),
            _ => (entry, None),
        };
        // Normalised as in a URL: lower case, international names in ASCII, addresses in their usual form.
        let url = Url::parse(&format!("http://{host}/")).map_err(|_| refused())?;
        let name = url.host_str().unwrap_or_default();
        // The text was only a host.
        if name.contains('*') || url.as_str() != format!("http://{name}/") {
            return Err(refused());
        }
        if literal(name).is_some_and(|address| !is_public(address)) {
            return Err(HostsError::NotPublic(entry.to_owned()));
        }
        Ok(Self(name.to_owned(), port))
    }
}

/// The IP address in a URL, if its host is not a name. The URL parser has normalised decimal, octal and hexadecimal
/// forms.
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

/// The public part of a URL: its host, and its port unless it is the default.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Why the settings are invalid.
#[derive(Debug, thiserror::Error)]
pub(super) enum HostsError {
    #[error(
        "{VARIABLE} is not set, so there is no host that this server may ask. Name some, separated by commas, for example \
         `{VARIABLE}=api.example.com,staging.example.com:8443`; `--demo` needs none"
    )]
    Empty,
    #[error("{VARIABLE} holds `{0}`, expected a host such as `api.example.com` or `api.example.com:8443`")]
    Entry(String),
    #[error("{VARIABLE} holds `{0}`, which is not on the public internet; this server sends nothing there")]
    NotPublic(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, url: &str) -> Result<(), ApiError> {
        Hosts::parse(list).unwrap().check(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_listed_host_may_be_asked_at_its_usual_ports_or_at_the_one_that_is_listed() {
        let list = " Api.Example.com, bücher.example, other.example:8443,1.1.1.1,";
        for url in [
            "http://api.example.com/x?y",
            "https://API.example.com",
            "https://api.example.com:443/",
            "https://bücher.example/",
            "https://other.example:8443/",
            "http://other.example:8443/",
            "http://1.1.1.1/",
        ] {
            check(list, url).unwrap();
        }
        for url in [
            "http://api.example.com:8080/",
            "http://api.example.com:443/",
            "http://api.example.com./",
            "http://www.api.example.com/",
            "http://example.com/",
            "https://other.example/",
            "http://1.1.1.2/",
        ] {
            assert!(matches!(check(list, url), Err(ApiError::NotAllowed { .. })), "{url}");
        }
    }

    #[test]
    fn an_address_inside_is_refused_in_every_spelling() {
        for url in [
            "http://169.254.169.254/",
            "http://127.0.0.1",
            "http://[::ffff:127.0.0.1]/",
            "http://[::1]:8080/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://0/",
            "http://127.0.0.1./",
            "http://１２７.0.0.1/",
        ] {
            assert!(matches!(check("api.example.com", url), Err(ApiError::NotPublic { .. })), "{url}");
        }
    }

    #[test]
    fn an_entry_is_a_host_and_nothing_else() {
        for entry in [
            "https://api.example.com",
            "api.example.com/v1",
            "ann:pw@api.example.com",
            "*.example.com",
            "*",
            "api example.com",
            "api.example.com:",
            "api.example.com:99999",
            "api.example.com?x",
        ] {
            let error = Hosts::parse(entry).unwrap_err().to_string();
            assert!(error.contains(&format!("`{entry}`")) && error.contains("expected a host"), "{error}");
        }
        for entry in ["127.0.0.1", "10.0.0.1:8080", "[::1]", "[fd00:ec2::254]:80", "2130706433"] {
            assert!(matches!(Hosts::parse(entry), Err(HostsError::NotPublic(_))), "{entry}");
        }
    }
}
