//! Small crates outside of the workspace that a test builds with cargo.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A folder with a workspace of crates that depend on the runtime.
#[derive(Debug)]
pub struct Fixture {
    folder: PathBuf,
}

/// An error of the compiler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The message.
    pub message: String,
    /// The source text of its span.
    pub at: String,
}

impl Fixture {
    /// A workspace with these crates, each with its `src/main.rs`. The names must be unique among all fixtures, which share
    /// one target folder.
    ///
    /// # Panics
    /// If the folder cannot be written.
    #[must_use]
    pub fn new(name: &str, crates: &[(&str, &str)]) -> Self {
        let fixture = Self::empty(target().join("fixtures").join(name));
        let members: Vec<_> = crates.iter().map(|(name, _)| format!("{name:?}")).collect();
        fixture.write("Cargo.toml", &format!("[workspace]\nresolver = \"3\"\nmembers = [{}]\n", members.join(", ")));
        let runtime = repository().join("resilient-runtime");
        for (name, main) in crates {
            fixture.write(
                &format!("{name}/Cargo.toml"),
                &format!(
                    "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
                     resilient-runtime = {{ path = \"{}\", default-features = false }}\n",
                    runtime.display()
                ),
            );
            fixture.write(&format!("{name}/src/main.rs"), main);
        }
        fixture
    }

    /// A folder that only has the lock file of the workspace.
    ///
    /// # Panics
    /// If the folder cannot be written.
    #[must_use]
    pub fn empty(folder: PathBuf) -> Self {
        let _ = fs::remove_dir_all(&folder);
        let fixture = Self { folder };
        // The versions that the workspace uses have been downloaded.
        let lock = fs::read_to_string(repository().join("Cargo.lock")).expect("a lock file");
        fixture.write("Cargo.lock", &lock);
        fixture
    }

    /// Writes a file of the fixture.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Runs cargo in the fixture, without network.
    ///
    /// # Panics
    /// If cargo cannot be run.
    #[must_use]
    pub fn cargo(&self, arguments: &[&str]) -> Output {
        self.cargo_with(arguments, Stdio::null())
    }

    /// Runs cargo in the fixture, without network and with this stdin.
    ///
    /// # Panics
    /// If cargo cannot be run.
    #[must_use]
    pub fn cargo_with(&self, arguments: &[&str], input: Stdio) -> Output {
        Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(&self.folder)
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TARGET_DIR", built())
            .env_remove("RUSTFLAGS")
            .stdin(input)
            .output()
            .expect("cargo runs")
    }

    /// The path of a file of the fixture.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Removes the fixture. The target folder stays.
    pub fn remove(self) {
        let _ = fs::remove_dir_all(self.folder);
    }

    /// An executable that was built.
    #[must_use]
    pub fn executable(&self, name: &str) -> PathBuf {
        built().join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// Checks all crates, and returns the errors and the names of the crates that were compiled.
    ///
    /// # Panics
    /// If cargo itself fails.
    #[must_use]
    pub fn check(&self) -> (Vec<Told>, Vec<String>) {
        let output = self.cargo(&["check", "--workspace", "--keep-going", "--message-format=json"]);
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let messages: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let finished = messages.iter().any(|message| message["reason"] == "build-finished");
        assert!(finished, "{}", String::from_utf8_lossy(&output.stderr));
        let errors = messages.iter().filter(|message| {
            // The last error of a crate, without a span, only counts the others.
            message["message"]["level"] == "error" && !message["message"]["spans"].as_array().is_none_or(Vec::is_empty)
        });
        let told = errors.map(|error| Told::read(&error["message"])).collect();
        let built = messages
            .iter()
            .filter(|message| message["reason"] == "compiler-artifact" && message["fresh"] == false)
            .filter_map(|message| message["target"]["name"].as_str().map(ToOwned::to_owned))
            .collect();
        (told, built)
    }

    /// A page of the fixture's documentation.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn documentation(&self, page: &str) -> String {
        let output = self.cargo(&["doc", "--no-deps", "--document-private-items"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(built().join("doc").join(page)).expect("a page")
    }
}

impl Told {
    fn read(message: &Value) -> Self {
        let mut span = &message["spans"][0];
        // An error of a macro of another crate, whose path is absolute, is where the macro is called.
        while Path::new(span["file_name"].as_str().unwrap_or_default()).is_absolute() && !span["expansion"].is_null() {
            span = &span["expansion"]["span"];
        }
        let line = span["text"][0]["text"].as_str().unwrap_or_default();
        let column = |which: &str| usize::try_from(span[which].as_u64().unwrap_or(1)).unwrap_or(1) - 1;
        let at: String = line.chars().take(column("column_end")).skip(column("column_start")).collect();
        Self { message: message["message"].as_str().unwrap_or_default().into(), at }
    }
}

/// The folder of the workspace.
///
/// # Panics
/// Never: this package is not at the root of the file system.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of the workspace")
}

/// The target folder of all fixtures, which share the dependencies.
fn built() -> PathBuf {
    target().join("fixtures/target")
}

/// The folder that this build writes to.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}
