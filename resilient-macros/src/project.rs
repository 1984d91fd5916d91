//! Finds and reads `resilient.toml` beside the crate's `Cargo.toml`, and generates the tokens that make cargo watch it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proc_macro2::TokenStream;
use quote::quote;
use resilient_policy::{File, Table};

use crate::latest::Latest;

/// The name of the file in messages.
pub(crate) const NAME: &str = "resilient.toml";

/// The file of the crate, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Project {
    /// The contents. Empty if there is no file, or an invalid one.
    pub(crate) file: Option<File>,
    /// The mistakes, as messages.
    problems: Vec<String>,
    /// Whether the mistakes have been reported.
    reported: AtomicBool,
    source: Source,
}

/// The state of the file on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Source {
    #[default]
    Nothing,
    Text(String),
    /// The file cannot be read, for this reason.
    Unreadable(String),
}

impl Project {
    /// Returns the project of the compiled crate.
    pub(crate) fn current() -> Arc<Self> {
        static LATEST: Latest<(PathBuf, Source), Project> = Latest::new();
        // Without cargo there is no folder of the crate.
        let Some(folder) = std::env::var_os("CARGO_MANIFEST_DIR") else { return Arc::default() };
        let path = PathBuf::from(folder).join(NAME);
        let source = match std::fs::read_to_string(&path) {
            Ok(text) => Source::Text(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Source::Nothing,
            Err(error) => Source::Unreadable(error.to_string()),
        };
        LATEST.get((path, source), |(_, source)| Self::of(source.clone()))
    }

    /// Reads the project from the contents of the file.
    #[cfg(test)]
    pub(crate) fn read(text: String) -> Self {
        Self::of(Source::Text(text))
    }

    fn of(source: Source) -> Self {
        let (file, problems) = match &source {
            Source::Nothing => (None, Vec::new()),
            // An unreadable file is reported like any other mistake.
            Source::Unreadable(why) => (None, vec![format!("`{NAME}` cannot be read: {why}")]),
            Source::Text(text) => {
                let (file, mut found) = File::parse(NAME, text);
                // Check the rules only if all values could be read; otherwise a mistake would be reported twice.
                if found.is_empty() {
                    found = file.check(true);
                }
                let problems: Vec<_> = found.iter().map(ToString::to_string).collect();
                (problems.is_empty().then_some(file), problems)
            }
        };
        Self { file, problems, reported: AtomicBool::new(false), source }
    }

    /// Returns the project as the methods of a handler see it: of the defaults, which are for tools and functions, they
    /// have the timeout alone.
    pub(crate) fn of_handler(&self) -> Self {
        let file = self.file.clone().map(|file| {
            let default = Table { timeout: file.default.timeout, ..Table::default() };
            File { default, ..file }
        });
        let (problems, source) = (self.problems.clone(), self.source.clone());
        Self { file, problems, reported: AtomicBool::new(true), source }
    }

    /// Returns whether there is a file, valid or not.
    pub(crate) fn exists(&self) -> bool {
        self.source != Source::Nothing
    }

    /// Returns whether there is an invalid file, whose contents are unknown.
    pub(crate) fn is_wrong(&self) -> bool {
        !self.problems.is_empty()
    }

    /// Returns the mistakes, the first time it is called. The file belongs to the crate, not to one item.
    pub(crate) fn problems_once(&self) -> &[String] {
        if self.is_wrong() && !self.reported.swap(true, Ordering::Relaxed) { &self.problems } else { &[] }
    }

    /// Returns the text of the file for run time, if the file has levels, features or switches.
    pub(crate) fn switches(&self) -> TokenStream {
        if self.file.as_ref().is_none_or(|file| file.gate.is_empty()) {
            return quote!(::core::option::Option::None);
        }
        quote! {
            ::core::option::Option::Some(
                ::core::include_str!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/resilient.toml"))
            )
        }
    }

    /// Returns an item that makes cargo build the crate again when the file changes.
    pub(crate) fn watched(&self) -> Option<TokenStream> {
        matches!(self.source, Source::Text(_)).then(|| {
            quote! {
                const _: &[::core::primitive::u8] =
                    ::core::include_bytes!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/resilient.toml"));
            }
        })
    }
}
