//! The five steps of the README, applied to a new crate one after another: the commands, the code and the output.

use std::fs::{self, File};
use std::process::Stdio;

use resilient_tests::child::Server;
use resilient_tests::fixture::{Fixture, repository};
use resilient_tests::markdown::{Block, parse, section};
use resilient_tests::wire::{ERROR, meta, text};
use serde_json::{Value, json};

/// The starting point of a reader: a package with a server.
const MANIFEST: &str = r#"[package]
name = "reader"
version = "0.1.0"
edition = "2024"

[dependencies]
rmcp = { version = "3.11", features = ["transport-io"] }
serde = { version = "1", features = ["derive"] }
tokio = { version = "1", features = ["full"] }
"#;

/// The crate of a reader, at some step.
struct Reader {
    /// In the folder for temporary files, so that no parent is a workspace.
    package: Fixture,
    main: String,
}

impl Reader {
    fn write(&self, path: &str, text: &str) {
        self.package.write(path, text);
    }

    /// Runs a command of a console block, and returns its stdout.
    fn run(&self, line: &str) -> String {
        let (command, input) = line.split_once(" < ").unwrap_or((line, ""));
        let mut words: Vec<_> = command.split_whitespace().map(ToOwned::to_owned).collect();
        assert_eq!(words.remove(0), "cargo", "a line that this test cannot type: {line}");
        // The only substitution: the crate is on disk, not on crates.io.
        if let Some(runtime) = words.iter_mut().find(|word| *word == "resilient-runtime") {
            *runtime = format!("--path={}", repository().join("resilient-runtime").display());
        }
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let input = match input {
            "" => Stdio::null(),
            file => File::open(self.package.path(file)).expect("what is to be read").into(),
        };
        let output = self.package.cargo_with(&words, input);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Applies a block of a step.
    fn follow(&mut self, block: &Block<'_>) {
        match block.language() {
            "console" => block.text.lines().for_each(|line| drop(self.run(line))),
            "rust" => self.main = format!("{}\n{}", self.main, block.text),
            "diff" => block.text.split("@@\n").for_each(|change| self.change(change)),
            other => panic!("line {} of the section: what to do with `{other}`?", block.line),
        }
        self.write("src/main.rs", &self.main);
    }

    /// Replaces the lines with a `-` by those with a `+`.
    fn change(&mut self, change: &str) {
        let side = |other: char| {
            let lines = change.split_inclusive('\n').filter(|line| !line.starts_with(other));
            lines.map(|line| line.get(1..).unwrap_or_default()).collect::<String>()
        };
        let (before, after) = (side('+'), side('-'));
        assert_eq!(self.main.matches(&before).count(), 1, "once in the server as it is then:\n{before}");
        self.main = self.main.replace(&before, &after);
    }
}

#[tokio::test]
async fn a_server_gets_its_first_guarded_tool_by_the_five_steps_of_the_readme() {
    let readme = fs::read_to_string(repository().join("README.md")).expect("a README");
    let steps = section(&readme, "## Five steps");
    let headings: Vec<_> = steps.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let numbers: Vec<_> = headings.iter().map(|heading| heading.split(". ").next().unwrap_or_default()).collect();
    assert_eq!(numbers, ["1", "2", "3", "4", "5"], "{headings:?}");

    let (before, _) = steps.split_once("\n### ").expect("a step");
    let folder = std::env::temp_dir().join(format!("resilient-five-steps-{}", std::process::id()));
    let mut reader = Reader { package: Fixture::empty(folder), main: parse(before).0[0].text.to_owned() };
    reader.write("Cargo.toml", MANIFEST);
    reader.write("src/main.rs", &reader.main);

    for heading in &headings[..4] {
        let (blocks, _) = parse(section(steps, &format!("### {heading}")));
        assert!(!blocks.is_empty(), "{heading}");
        for block in &blocks {
            reader.follow(block);
        }
    }

    let (blocks, _) = parse(section(steps, &format!("### {}", headings[4])));
    let languages: Vec<_> = blocks.iter().map(Block::language).collect();
    assert_eq!(languages, ["jsonl", "console", "text"]);
    reader.write("calls.jsonl", blocks[0].text);
    let answers: Vec<Value> = reader.run(blocks[1].text.trim_end()).lines().map(json).collect();
    assert_eq!(blocks[2].text.lines().count(), 3, "one promise for each call");
    for (id, promised) in (1..).zip(blocks[2].text.lines()) {
        let answer = answers.iter().find(|answer| answer["id"] == id).unwrap_or_else(|| panic!("no {id}: {answers:?}"));
        let told = answer["result"]["content"][0]["text"].as_str().expect("a text");
        assert!(told.starts_with(promised), "the README says: {promised}\nit is: {told}");
    }
    assert_eq!(answers.len(), 4, "the greeting and three calls: {answers:?}");
    assert_eq!(answers.iter().find(|answer| answer["id"] == 3).map(attempts), Some(json!(3)));

    // A real client.
    let executable = reader.package.executable("reader");
    let server = Server::start(executable.to_str().expect("a path"), &[]).await.expect("it starts");
    let good = server.call("get_order", json!({"id": 7})).await.expect("an answer");
    assert_eq!((good.is_error, text(&good).as_str()), (Some(false), "order 7 is on its way"));
    let wrong = server.call("get_order", json!({"id": 8})).await.expect("an answer");
    assert_eq!(wrong.is_error, Some(true));
    assert_eq!(meta(&wrong, ERROR)["code"], "SHOP_NO_SUCH_ORDER");

    reader.package.remove();
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn attempts(answer: &Value) -> Value {
    answer["result"]["_meta"][ERROR]["attempts"].clone()
}
