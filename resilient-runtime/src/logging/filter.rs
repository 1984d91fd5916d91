//! The log filter, read from `RUST_LOG` or `LOG_LEVEL`.

use std::env;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The default filter. At `info`, rmcp logs every notification.
const DEFAULT: &str = "info,rmcp=warn";

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Names of levels in other logging systems.
const OTHER_LEVELS: [&str; 16] = [
    "alert",
    "all",
    "crit",
    "critical",
    "emerg",
    "emergency",
    "err",
    "fatal",
    "fine",
    "information",
    "none",
    "notice",
    "on",
    "severe",
    "silent",
    "verbose",
];

/// Reads the filter from the environment. Also returns a warning if the value is not valid.
pub(super) fn from_env() -> (EnvFilter, Option<String>) {
    // A value that is not UTF-8 is not a valid filter either, and gets the same warning.
    let value = |name| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    read(value("RUST_LOG"), value("LOG_LEVEL"))
}

fn read(rust_log: Option<String>, log_level: Option<String>) -> (EnvFilter, Option<String>) {
    let requested = [("RUST_LOG", rust_log), ("LOG_LEVEL", log_level)];
    let requested =
        requested.into_iter().find_map(|(name, value)| Some((name, value.filter(|value| !value.trim().is_empty())?)));
    let Some((name, value)) = requested else { return (EnvFilter::new(DEFAULT), None) };
    let value = value.trim();
    let refused = |why: String| {
        (EnvFilter::new(DEFAULT), Some(format!("`{name}` is not understood: {why}; `{DEFAULT}` holds instead")))
    };
    if value.eq_ignore_ascii_case("warning") {
        return (EnvFilter::new("warn"), None);
    }
    // `EnvFilter` takes a single word as a crate name and would log everything of that crate and nothing else.
    let is_word = !value.contains(['=', ',', ':', '[']);
    if is_word && value.parse::<LevelFilter>().is_err() && (name == "LOG_LEVEL" || !is_crate(value)) {
        let or_crate = if is_crate_name(value) { format!(", or `{value}=trace` for a crate") } else { String::new() };
        return refused(format!("`{value}` is no level; expected one of {}{or_crate}", LEVELS.join(", ")));
    }
    match EnvFilter::builder().parse(value) {
        Ok(filter) => (filter, None),
        Err(why) => refused(why.to_string()),
    }
}

/// Whether a word is a crate name, and neither a misspelled level nor a level of another logging system.
fn is_crate(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let is_slip = LEVELS.iter().any(|level| strsim::osa_distance(&lower, level) <= 1);
    is_crate_name(word) && !is_slip && !OTHER_LEVELS.contains(&&*lower)
}

fn is_crate_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_not_understood_is_reported_and_replaced() {
        let reported = |rust_log: Option<&str>, log_level: Option<&str>| {
            let (filter, wrong) = read(rust_log.map(Into::into), log_level.map(Into::into));
            (filter.to_string(), wrong.unwrap_or_default())
        };
        let default = EnvFilter::new(DEFAULT).to_string();
        for (rust_log, log_level, expected) in [
            (Some("info,x=verylow"), None, "`RUST_LOG` is not understood"),
            (Some("inof"), None, "`RUST_LOG` is not understood: `inof` is no level"),
            (Some("debgu"), None, "`RUST_LOG` is not understood: `debgu` is no level"),
            (Some("Warnn"), None, "`RUST_LOG` is not understood: `Warnn` is no level"),
            (Some("eror"), None, "`RUST_LOG` is not understood: `eror` is no level"),
            (Some("Verbose"), None, "`RUST_LOG` is not understood: `Verbose` is no level"),
            (Some("all"), None, "`RUST_LOG` is not understood: `all` is no level"),
            (Some("7"), None, "`RUST_LOG` is not understood: `7` is no level"),
            (None, Some("verbose"), "`LOG_LEVEL` is not understood: `verbose` is no level"),
            (None, Some("my_server"), "`LOG_LEVEL` is not understood: `my_server` is no level"),
            (Some("\u{fffd}"), None, "`RUST_LOG` is not understood"),
        ] {
            let (filter, wrong) = reported(rust_log, log_level);
            assert!(wrong.starts_with(expected), "{wrong}");
            assert_eq!(filter, default);
        }
        for (rust_log, log_level, expected) in [
            (Some(" "), Some("debug"), "debug"),
            (None, Some("WARNING"), "warn"),
            (Some("my_server"), None, "my_server=trace"),
            (Some("hyper"), None, "hyper=trace"),
            (Some("rmcp"), None, "rmcp=trace"),
            (Some("myserver"), None, "myserver=trace"),
            (Some("my_server=debug"), Some("nonsense"), "my_server=debug"),
            (None, None, &*default),
        ] {
            assert_eq!(reported(rust_log, log_level), (expected.to_owned(), String::new()));
        }
    }
}
