//! Small crates outside of the workspace, built by a cargo of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A workspace of crates that depend on the runtime, in a folder of its own.
#[derive(Debug)]
pub struct Fixture {
    folder: PathBuf,
}

/// What the compiler said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The message.
    pub message: String,
    /// The text that it points at.
    pub at: String,
}

impl Fixture {
    /// A workspace with these crates, each with its `src/main.rs`. No other fixture may have crates
    /// of these names: what is built is kept in one place.
    ///
    /// # Panics
    /// Where the folder cannot be written.
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

    /// An empty folder, but for the lock file of the workspace.
    ///
    /// # Panics
    /// Where the folder cannot be written.
    #[must_use]
    pub fn empty(folder: PathBuf) -> Self {
        let _ = fs::remove_dir_all(&folder);
        let fixture = Self { folder };
        // The versions that the workspace was tested with, which are there already.
        let lock = fs::read_to_string(repository().join("Cargo.lock")).expect("a lock file");
        fixture.write("Cargo.lock", &lock);
        fixture
    }

    /// Writes a file of the fixture.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Runs cargo in the fixture, without the net.
    ///
    /// # Panics
    /// Where cargo cannot be run.
    #[must_use]
    pub fn cargo(&self, arguments: &[&str]) -> Output {
        self.cargo_with(arguments, Stdio::null())
    }

    /// The same with something to read.
    ///
    /// # Panics
    /// Where cargo cannot be run.
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

    /// Where a file of the fixture is.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Removes the fixture, but not what was built.
    pub fn remove(self) {
        let _ = fs::remove_dir_all(self.folder);
    }

    /// An executable that was built.
    #[must_use]
    pub fn executable(&self, name: &str) -> PathBuf {
        built().join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// Checks everything, and says what the compiler told and which crates it had to look at.
    ///
    /// # Panics
    /// Where cargo itself fails.
    #[must_use]
    pub fn check(&self) -> (Vec<Told>, Vec<String>) {
        let output = self.cargo(&["check", "--workspace", "--keep-going", "--message-format=json"]);
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let messages: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let finished = messages.iter().any(|message| message["reason"] == "build-finished");
        assert!(finished, "{}", String::from_utf8_lossy(&output.stderr));
        let errors = messages.iter().filter(|message| {
            // The last one only says that there were others.
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

    /// A file of the fixture's documentation.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn documentation(&self, page: &str) -> String {
        let output = self.cargo(&["doc", "--no-deps", "--document-private-items"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(built().join("doc").join(page)).expect("a page")
    }
}

impl Told {
    fn read(message: &Value) -> Self {
        let span = &message["spans"][0];
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

/// Where all fixtures are built, so that what they depend on is built once.
fn built() -> PathBuf {
    target().join("fixtures/target")
}

/// The folder that this build writes to.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}
