//! What is logged: `RUST_LOG`, or `LOG_LEVEL`.

use std::env;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Without `RUST_LOG` and `LOG_LEVEL`. At `info`, rmcp logs every notification.
const DEFAULT: &str = "info,rmcp=warn";

/// What is logged, and what is wrong with what was asked for.
pub(super) fn from_env() -> (EnvFilter, Option<String>) {
    // What is no text is nothing that a filter understands, and is told as such.
    let value = |name| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    read(value("RUST_LOG"), value("LOG_LEVEL"))
}

fn read(rust_log: Option<String>, log_level: Option<String>) -> (EnvFilter, Option<String>) {
    let asked = [("RUST_LOG", rust_log), ("LOG_LEVEL", log_level)];
    let asked =
        asked.into_iter().find_map(|(name, value)| Some((name, value.filter(|value| !value.trim().is_empty())?)));
    let Some((name, value)) = asked else { return (EnvFilter::new(DEFAULT), None) };
    let value = value.trim();
    let refused = |why: String| {
        (EnvFilter::new(DEFAULT), Some(format!("`{name}` is not understood: {why}; `{DEFAULT}` holds instead")))
    };
    if value.eq_ignore_ascii_case("warning") {
        return (EnvFilter::new("warn"), None);
    }
    // A word alone is taken for a part of the program, of which alone everything would be logged.
    let is_word = !value.contains(['=', ',', ':', '[']);
    if is_word && value.parse::<LevelFilter>().is_err() && (name == "LOG_LEVEL" || !is_crate_name(value)) {
        return refused(format!("`{value}` is no level; expected one of off, error, warn, info, debug, trace"));
    }
    match EnvFilter::builder().parse(value) {
        Ok(filter) => (filter, None),
        Err(why) => refused(why.to_string()),
    }
}

/// Whether a word looks like the name of a crate of more than one word, and not like a level with a slip.
fn is_crate_name(word: &str) -> bool {
    word.contains('_') || word.contains('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_not_understood_is_told_and_replaced() {
        let told = |rust_log: Option<&str>, log_level: Option<&str>| {
            let (filter, wrong) = read(rust_log.map(Into::into), log_level.map(Into::into));
            (filter.to_string(), wrong.unwrap_or_default())
        };
        let default = EnvFilter::new(DEFAULT).to_string();
        for (rust_log, log_level, expected) in [
            (Some("info,x=verylow"), None, "`RUST_LOG` is not understood"),
            (Some("inof"), None, "`RUST_LOG` is not understood: `inof` is no level"),
            (None, Some("verbose"), "`LOG_LEVEL` is not understood: `verbose` is no level"),
            (None, Some("my_server"), "`LOG_LEVEL` is not understood: `my_server` is no level"),
            (Some("\u{fffd}"), None, "`RUST_LOG` is not understood"),
        ] {
            let (filter, wrong) = told(rust_log, log_level);
            assert!(wrong.starts_with(expected), "{wrong}");
            assert_eq!(filter, default);
        }
        for (rust_log, log_level, expected) in [
            (Some(" "), Some("debug"), "debug"),
            (None, Some("WARNING"), "warn"),
            (Some("my_server"), None, "my_server=trace"),
            (Some("my_server=debug"), Some("nonsense"), "my_server=debug"),
            (None, None, &*default),
        ] {
            assert_eq!(told(rust_log, log_level), (expected.to_owned(), String::new()));
        }
    }
}
