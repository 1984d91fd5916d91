//! `resilient.toml` beside the crate's `Cargo.toml`: finding and reading it, and the tokens that
//! make cargo watch it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use proc_macro2::TokenStream;
use quote::quote;
use resilient_policy::File;

/// The file's name, as messages write it.
pub(crate) const NAME: &str = "resilient.toml";

/// What the crate's file says, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Project {
    /// Nothing where there is no file, or one that is wrong.
    pub(crate) file: Option<File>,
    /// What is wrong with it, as messages.
    problems: Vec<String>,
    /// Whether the problems have been reported.
    told: AtomicBool,
    source: Source,
}

/// What is on the disk.
#[derive(Debug, Default, PartialEq, Eq)]
enum Source {
    #[default]
    Nothing,
    Text(String),
    /// Something that cannot be read, and why.
    Unreadable(String),
}

impl Project {
    /// The project of the crate that is being compiled.
    pub(crate) fn current() -> Arc<Self> {
        static KNOWN: Mutex<Option<(PathBuf, Arc<Project>)>> = Mutex::new(None);
        // Without cargo there is no crate whose folder could be asked for.
        let Some(folder) = std::env::var_os("CARGO_MANIFEST_DIR") else { return Arc::default() };
        let path = PathBuf::from(folder).join(NAME);
        let source = match std::fs::read_to_string(&path) {
            Ok(text) => Source::Text(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Source::Nothing,
            Err(error) => Source::Unreadable(error.to_string()),
        };
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        // The editor's process lives on while the file changes.
        if let Some((of, project)) = &*known
            && *of == path
            && project.source == source
        {
            return Arc::clone(project);
        }
        let project = Arc::new(Self::of(source));
        *known = Some((path, Arc::clone(&project)));
        project
    }

    /// The project with this file.
    #[cfg(test)]
    pub(crate) fn read(text: String) -> Self {
        Self::of(Source::Text(text))
    }

    fn of(source: Source) -> Self {
        let (file, problems) = match &source {
            Source::Nothing => (None, Vec::new()),
            // Reported like any other mistake in it.
            Source::Unreadable(why) => (None, vec![format!("`{NAME}` cannot be read: {why}")]),
            Source::Text(text) => {
                let (file, mut found) = File::parse(NAME, text);
                // The rules are asked of what could be read; else they would tell the same mistake twice.
                if found.is_empty() {
                    found = file.check(true);
                }
                let problems: Vec<_> = found.iter().map(ToString::to_string).collect();
                (problems.is_empty().then_some(file), problems)
            }
        };
        Self { file, problems, told: AtomicBool::new(false), source }
    }

    /// Whether there is a file, right or wrong.
    pub(crate) fn exists(&self) -> bool {
        self.source != Source::Nothing
    }

    /// Whether there is a file of which nothing can be said, as it is wrong.
    pub(crate) fn is_wrong(&self) -> bool {
        !self.problems.is_empty()
    }

    /// What is wrong with the file, for the first item that asks: the file is the whole crate's.
    pub(crate) fn problems_once(&self) -> &[String] {
        if self.is_wrong() && !self.told.swap(true, Ordering::Relaxed) { &self.problems } else { &[] }
    }

    /// An item that makes cargo build the crate again when the file changes.
    pub(crate) fn watched(&self) -> Option<TokenStream> {
        matches!(self.source, Source::Text(_)).then(|| {
            quote! {
                const _: &[::core::primitive::u8] =
                    ::core::include_bytes!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/resilient.toml"));
            }
        })
    }
}
