//! `resilient.toml` beside the crate's `Cargo.toml`: finding and reading it, and the tokens that
//! make cargo watch it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use proc_macro2::TokenStream;
use quote::quote;
use resilient_policy::File;

/// The file's name, as messages write it.
pub(crate) const NAME: &str = "resilient.toml";

/// What the crate's file says, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Project {
    /// Nothing where there is no file, or one that cannot be read.
    pub(crate) file: Option<File>,
    /// What is wrong with it, as a person is told.
    problems: Vec<String>,
    text: Option<String>,
}

impl Project {
    /// The project of the crate that is being compiled.
    pub(crate) fn current() -> Arc<Self> {
        static KNOWN: Mutex<Option<(PathBuf, Arc<Project>)>> = Mutex::new(None);
        // Without cargo there is no crate whose folder could be asked for.
        let Some(folder) = std::env::var_os("CARGO_MANIFEST_DIR") else { return Arc::default() };
        let path = PathBuf::from(folder).join(NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            // Told like any other mistake in it.
            Err(error) => {
                let problems = vec![format!("{NAME} cannot be read: {error}")];
                return Arc::new(Self { problems, ..Self::default() });
            }
        };
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        // The editor's process lives on while the file changes.
        if let Some((of, project)) = &*known
            && *of == path
            && project.text == text
        {
            return Arc::clone(project);
        }
        let project = Arc::new(text.map_or_else(Self::default, Self::read));
        *known = Some((path, Arc::clone(&project)));
        project
    }

    /// The project with this file.
    pub(crate) fn read(text: String) -> Self {
        let (file, mut found) = File::parse(NAME, &text);
        // The rules are asked of what could be read; otherwise they would tell the same mistake twice.
        if found.is_empty() {
            found = file.check();
        }
        let problems: Vec<_> = found.iter().map(ToString::to_string).collect();
        Self { file: problems.is_empty().then_some(file), problems, text: Some(text) }
    }

    /// Whether there is a file, right or wrong.
    pub(crate) fn exists(&self) -> bool {
        self.text.is_some()
    }

    /// What is wrong with the file, for one of the items that read it: the first that asks. It is
    /// told again when that very item is expanded again, as an editor does.
    pub(crate) fn problems_for(&self, item: &TokenStream) -> &[String] {
        static TOLD: Mutex<Option<(u64, u64)>> = Mutex::new(None);
        if self.problems.is_empty() {
            return &[];
        }
        let (file, item) = (hash(&self.problems), hash(&item.to_string()));
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        match *told {
            Some((of, teller)) if of == file && teller != item => &[],
            _ => {
                *told = Some((file, item));
                &self.problems
            }
        }
    }

    /// An item that makes cargo build the crate again when the file changes.
    pub(crate) fn watched(&self) -> Option<TokenStream> {
        self.exists().then(|| {
            quote! {
                const _: &[::core::primitive::u8] =
                    ::core::include_bytes!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/resilient.toml"));
            }
        })
    }
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
