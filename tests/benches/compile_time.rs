//! The cost of annotating a function for the compiler: crates with 0, 100 and 500 functions, plain, with
//! `#[tracing::instrument]` and with `#[resilient]`, checked and built from scratch and after an edit of one literal,
//! and the lines of LLVM IR per function.
//!
//! `cargo bench -p resilient-bench --bench compile_time` prints milliseconds per function, in comparison with the crate
//! without functions, and writes `target/compile_time.json`. Dependencies are built before the measurement.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

use resilient_bench::target;
use serde_json::{Map, json};

const KINDS: [(&str, &str); 3] = [
    ("plain", ""),
    ("instrument", "#[tracing::instrument(skip_all, err)]"),
    ("resilient", "#[resilient_runtime::resilient(retry = 3, breaker = \"api\", timeout = \"30s\", read_only)]"),
];
const COUNTS: [usize; 2] = [100, 500];
const ROUNDS: usize = 3;
const STEPS: [&str; 4] = ["check", "check after an edit", "build", "build after an edit"];

fn main() {
    let folder = target().join("compile-time");
    let crates = write_crates(&folder);
    // Builds the dependencies for both commands.
    for command in ["check", "build"] {
        cargo(&folder, &[command, "--package", "none"]);
    }
    let mut measured = Map::new();
    for (name, _, _) in &crates {
        let seconds = STEPS.map(|_| Vec::new());
        let seconds = (0..ROUNDS).fold(seconds, |mut seconds, _| {
            for (all, one) in seconds.iter_mut().zip(round(&folder, name)) {
                all.push(one);
            }
            seconds
        });
        let medians = seconds.map(|mut all| {
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        });
        eprintln!("{name}: {medians:.2?} s");
        let lines = llvm_lines(&folder, name);
        measured.insert(name.clone(), json!({ "seconds": medians, "llvm_lines": lines }));
    }
    let of = |name: &str, step: usize| measured[name]["seconds"][step].as_f64().unwrap_or(f64::NAN);
    let lines_of = |name: &str| measured[name]["llvm_lines"].as_f64().unwrap_or(f64::NAN);
    println!(
        "{:<16}{:>12}{:>22}{:>12}{:>22}{:>12}",
        "ms a function", STEPS[0], STEPS[1], STEPS[2], STEPS[3], "LLVM lines"
    );
    let mut rows = Vec::new();
    for (name, _, count) in crates.iter().filter(|(_, _, count)| *count > 0) {
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        let each = |of_it: f64, of_none: f64| (of_it - of_none) / *count as f64;
        let ms: Vec<f64> = (0..STEPS.len()).map(|step| each(of(name, step), of("none", step)) * 1e3).collect();
        let lines = each(lines_of(name), lines_of("none"));
        println!("{name:<16}{:>12.2}{:>22.2}{:>12.2}{:>22.2}{lines:>12.0}", ms[0], ms[1], ms[2], ms[3]);
        rows.push(json!({ "crate": name, "ms_a_function": ms, "llvm_lines_a_function": lines }));
    }
    let file = target().join("compile_time.json");
    let all = json!({ "steps": STEPS, "functions": rows, "crates": measured });
    fs::write(&file, format!("{all:#}\n")).expect("the results can be written");
    println!("\nwritten to {}", file.display());
}

/// Writes the crates and returns their names, attributes and numbers of functions.
fn write_crates(folder: &Path) -> Vec<(String, &'static str, usize)> {
    let of_kinds = KINDS
        .into_iter()
        .flat_map(|(kind, attribute)| COUNTS.map(|count| (format!("{kind}{count}"), attribute, count)));
    let crates: Vec<_> = std::iter::once(("none".to_owned(), "", 0)).chain(of_kinds).collect();
    let runtime = concat!(env!("CARGO_MANIFEST_DIR"), "/../../resilient-runtime");
    let members: Vec<_> = crates.iter().map(|(name, ..)| format!("{name:?}")).collect();
    let workspace = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}]\n\n[workspace.dependencies]\n\
         resilient-runtime = {{ path = {runtime:?}, features = [\"rmcp\"] }}\n\
         thiserror = \"2\"\ntokio = {{ version = \"1\", features = [\"time\"] }}\ntracing = \"0.1\"\n",
        members.join(", ")
    );
    write(&folder.join("Cargo.toml"), &workspace);
    // The versions of this workspace, so that nothing has to be resolved.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    write(&folder.join("Cargo.lock"), &fs::read_to_string(lock).expect("the lock file"));
    for (name, attribute, count) in &crates {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
             resilient-runtime.workspace = true\nthiserror.workspace = true\ntokio.workspace = true\n\
             tracing.workspace = true\n"
        );
        write(&folder.join(name).join("Cargo.toml"), &manifest);
        write(&source(folder, name), &functions(attribute, *count));
    }
    crates
}

fn functions(attribute: &str, count: usize) -> String {
    let mut text = String::from(
        "use resilient_runtime::{McpError, ResilienceError};\n\
         #[derive(Debug, thiserror::Error, McpError)]\n\
         pub enum Error {\n    #[error(\"down\")]\n    #[mcp(kind = unavailable)]\n    Down,\n    \
         #[error(transparent)]\n    #[mcp(transparent)]\n    Resilience(#[from] ResilienceError),\n}\n\
         pub struct Api;\nimpl Api {\n    pub async fn get(&self, id: u64, name: &str) -> Result<String, Error> {\n        \
         tokio::time::sleep(std::time::Duration::from_millis(1)).await;\n        Ok(format!(\"{name} {id} 0\"))\n    }\n}\n",
    );
    for n in 0..count {
        let _ = writeln!(
            text,
            "{attribute}\npub async fn tool_{n}(api: &Api, id: u64, name: String) -> Result<String, Error> {{\n    \
             if id == {n} {{\n        return Err(Error::Down);\n    }}\n    let found = api.get(id, &name).await?;\n    \
             Ok(format!(\"{{found}} {n}\"))\n}}"
        );
    }
    text
}

/// Measures the seconds of each step once.
fn round(folder: &Path, name: &str) -> [f64; 4] {
    cargo(folder, &["clean", "--package", name]);
    let source = source(folder, name);
    let edit = |from: &str, to: &str| {
        let text = fs::read_to_string(&source).expect("a source");
        write(&source, &text.replacen(from, to, 1));
    };
    let timed = |command: &str| {
        let started = Instant::now();
        cargo(folder, &[command, "--package", name]);
        started.elapsed().as_secs_f64()
    };
    let check = timed("check");
    edit("{id} 0\"", "{id} 1\"");
    let check_after = timed("check");
    let build = timed("build");
    edit("{id} 1\"", "{id} 0\"");
    let build_after = timed("build");
    [check, check_after, build, build_after]
}

/// Counts the lines of functions in the LLVM IR of the crate, without optimization.
fn llvm_lines(folder: &Path, name: &str) -> usize {
    cargo(folder, &["rustc", "--package", name, "--", "--emit=llvm-ir", "-Ccodegen-units=1"]);
    let built = folder.join("target/debug/deps");
    let files = fs::read_dir(built).expect("what was built").filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| {
            let is_its = path.file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with(&format!("{name}-")));
            is_its && path.extension().is_some_and(|extension| extension == "ll")
        })
        .collect();
    files.sort_by_key(|path| fs::metadata(path).and_then(|known| known.modified()).ok());
    let text = fs::read_to_string(files.pop().expect("LLVM's text")).expect("it can be read");
    let mut is_inside = false;
    let is_one = |line: &&str| {
        is_inside = line.starts_with("define ") || (is_inside && *line != "}");
        is_inside && line.starts_with("  ") && !line.starts_with("   ")
    };
    text.lines().filter(is_one).count()
}

fn source(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).join("src/lib.rs")
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap_or(path)).expect("a folder");
    fs::write(path, text).expect("a file");
}

fn cargo(folder: &Path, arguments: &[&str]) {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
