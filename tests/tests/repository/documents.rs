//! The Markdown pages: their code is compiled, the names in them exist, and their links work where the page is read.

use std::fs;
use std::path::{Path, PathBuf};

use resilient_tests::fixture::repository;
use resilient_tests::markdown::{Block, codes, parse, section};

/// Languages of blocks that are not Rust, and that are only checked for their syntax, if at all.
const OTHERS: [&str; 8] = ["console", "json", "jsonl", "promql", "python", "text", "toml", "yaml"];

/// Text that only Rust code contains.
const RUST: [&str; 6] = ["#[", "fn ", "let ", "impl ", "use ", "::new("];

/// A page: its name in messages, and its text.
struct Page {
    name: String,
    text: String,
}

impl Page {
    fn read(path: &Path) -> Self {
        let name = path.strip_prefix(repository()).unwrap_or(path).display().to_string();
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name, text }
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.name)
    }
}

/// The pages at the root, those of `deploy` and of the examples, and those that the documentation includes.
fn pages() -> Vec<Page> {
    let mut paths = vec![];
    for folder in [
        "deploy",
        "examples",
        "resilient-client",
        "resilient-macros/src",
        "resilient-policy/src",
        "resilient-proxy",
        "resilient-redis/src",
        "resilient-runtime/src",
    ] {
        collect(&repository().join(folder), "md", &mut paths);
    }
    assert!(paths.len() > 5, "{paths:?}");
    let root = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|page| repository().join(page));
    root.iter().chain(&paths).map(|path| Page::read(path)).collect()
}

/// Every file of this extension under a folder.
fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|of| of == extension) {
            found.push(path);
        }
    }
}

fn read(path: &str) -> String {
    Page::read(&repository().join(path)).text
}

/// Returns the names of all files under a folder, without the extension.
fn names(folder: &str, extension: &str) -> Vec<String> {
    let entries = fs::read_dir(repository().join(folder)).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let fitting = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    fitting.map(|path| path.file_stem().expect("a name").display().to_string()).collect()
}

/// Every package of the workspace.
fn packages() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let members = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).expect("members");
    members
        .split('"')
        .skip(1)
        .step_by(2)
        .map(|member| {
            let manifest = repository().join(member).join("Cargo.toml");
            let text = fs::read_to_string(manifest).expect("a manifest");
            let name = text.split("name = \"").nth(1).and_then(|rest| rest.split('"').next());
            name.expect("a name").to_owned()
        })
        .collect()
}

/// The executables of the examples.
fn programs() -> Vec<String> {
    let mut manifests = Vec::new();
    collect(&repository().join("examples"), "toml", &mut manifests);
    let manifests = manifests.iter().map(|path| Page::read(path).text);
    let programs = manifests.flat_map(|text| {
        let targets = text.split("[[bin]]\nname = \"").skip(1).filter_map(|rest| rest.split('"').next());
        targets.map(ToOwned::to_owned).collect::<Vec<_>>()
    });
    programs.collect()
}

#[test]
fn every_block_is_rust_that_is_compiled_or_says_what_else_it_is() {
    let mut wrong = Vec::new();
    let steps = Page::read(&repository().join("README.md"));
    let (followed, _) = parse(section(&steps.text, "## Five steps"));
    for page in pages() {
        for block in parse(&page.text).0 {
            let at = page.at(block.line);
            match block.language() {
                "" => wrong.push(format!("{at}: the block has no language")),
                "rust" if block.info.contains("ignore") => wrong.push(format!("{at}: nobody compiles it")),
                // `five_steps.rs` builds a crate from these blocks.
                "diff" if !followed.iter().any(|step| step.text == block.text) => {
                    wrong.push(format!("{at}: a change that nobody makes"));
                }
                "text" if RUST.iter().any(|word| block.text.contains(word)) => {
                    wrong.push(format!("{at}: this is Rust; call it so, and it is compiled"));
                }
                "rust" | "diff" => {}
                other if OTHERS.contains(&other) => {}
                other => wrong.push(format!("{at}: `{other}` is none of {OTHERS:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn toml_and_json_are_what_they_say() {
    let mut seen = 0;
    for page in pages() {
        for Block { info, line, text } in parse(&page.text).0 {
            let problem = match info {
                "toml" => toml::de::DeTable::parse(text).err().map(|error| error.to_string()),
                // The members of an object, without its braces.
                "json" if !text.starts_with('{') => json(&format!("{{{text}}}")),
                "json" => json(text),
                "jsonl" => text.lines().find_map(json),
                _ => continue,
            };
            assert_eq!(problem, None, "{}", page.at(line));
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}

fn json(text: &str) -> Option<String> {
    serde_json::from_str::<serde_json::Value>(text).err().map(|error| error.to_string())
}

#[test]
fn commands_name_programs_and_packages_that_are_there() {
    let packages = packages();
    let programs = programs();
    let mut benches = names("tests/benches", "rs");
    benches.extend(names("tests/instructions", "rs"));
    let mut seen = 0;
    for page in pages() {
        for block in parse(&page.text).0.iter().filter(|block| block.language() == "console") {
            for line in block.text.lines().filter(|line| line.contains("cargo ")) {
                let words: Vec<_> = line.split_whitespace().collect();
                for pair in words.windows(2) {
                    let known = match pair[0] {
                        "-p" | "--package" => packages.iter().any(|name| name == pair[1]),
                        "--bin" => programs.iter().any(|name| name == pair[1]),
                        "--bench" => {
                            let folder = repository().join("tests/benches").join(pair[1]);
                            benches.iter().any(|name| name == pair[1]) || folder.join("main.rs").is_file()
                        }
                        "--test" => {
                            let engines = words.contains(&"resilient-engines");
                            let tests = repository().join(if engines { "tests/engines/tests" } else { "tests/tests" });
                            tests.join(pair[1]).join("main.rs").is_file()
                                || tests.join(format!("{}.rs", pair[1])).is_file()
                        }
                        _ => continue,
                    };
                    assert!(known, "{}: no `{}` in `{line}`", page.at(block.line), pair[1]);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn every_server_has_a_row_in_the_readme() {
    let readme = Page::read(&repository().join("README.md"));
    let (_, lines) = parse(section(&readme.text, "## Examples"));
    for program in programs() {
        let row = lines.iter().any(|(_, line)| line.starts_with(&format!("| `{program}` |")));
        assert!(row, "a row for `{program}` under Examples");
    }
}

#[test]
fn the_readme_is_read_where_no_other_file_is() {
    let readme = Page::read(&repository().join("README.md"));
    for (number, line) in parse(&readme.text).1 {
        for link in line.split("](").skip(1) {
            let target = link.split(')').next().unwrap_or_default();
            let works = target.starts_with("https://") || target.starts_with('#');
            assert!(works, "{}: `{target}` leads nowhere on crates.io", readme.at(number));
        }
    }
}

#[test]
fn pages_of_the_guide_that_are_named_are_there() {
    let guides = ["resilient-runtime/src/guide", "resilient-redis/src/guide"];
    let guide: Vec<_> = guides.iter().flat_map(|folder| names(folder, "md")).collect();
    for page in pages() {
        for (number, line) in parse(&page.text).1 {
            for named in line.split("guide::").skip(1) {
                let named: String = named.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                assert!(guide.contains(&named), "{}: no page `{named}`", page.at(number));
            }
        }
    }
}

#[test]
fn every_page_of_the_guide_is_compiled_with_it() {
    let index = read("resilient-runtime/src/guide/mod.rs");
    for name in names("resilient-runtime/src/guide", "md") {
        assert!(index.contains(&format!("include_str!(\"{name}.md\")")), "{name}.md is a page that nobody includes");
    }
}

#[test]
fn links_to_a_heading_find_one() {
    let crate_docs = |page: &Page| {
        let package = page.name.split('/').next().unwrap_or_default();
        let source = read(&format!("{package}/src/lib.rs"));
        let lines = source.lines().filter_map(|line| line.strip_prefix("//! "));
        lines.fold(String::new(), |text, line| text + line + "\n")
    };
    let mut seen = 0;
    for page in pages() {
        for (number, line) in parse(&page.text).1 {
            for link in line.split("](").skip(1) {
                let target = link.split(')').next().unwrap_or_default();
                let Some((place, anchor)) = target.split_once('#').filter(|_| !target.contains("://")) else {
                    continue;
                };
                let there = match place {
                    "" => anchors(&page.text),
                    "crate" => anchors(&crate_docs(&page)),
                    other => anchors(&read(&format!(
                        "resilient-runtime/src/guide/{}.md",
                        other.trim_start_matches("super::")
                    ))),
                };
                assert!(
                    there.iter().any(|known| known == anchor),
                    "{}: `{target}` is none of {there:?}",
                    page.at(number)
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 5, "{seen}");
}

/// Returns the anchors that rustdoc generates for the headings of a page.
fn anchors(page: &str) -> Vec<String> {
    let headings = parse(page).1.into_iter().filter_map(|(_, line)| line.strip_prefix('#'));
    headings
        .map(|heading| {
            let kept = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            kept.chars().filter(|c| c.is_alphanumeric() || ['-', '_'].contains(c)).collect()
        })
        .collect()
}

#[test]
fn every_feature_of_the_runtime_has_a_row_in_its_documentation() {
    let manifest = read("resilient-runtime/Cargo.toml");
    let manifest = toml::de::DeTable::parse(&manifest).expect("a manifest").into_inner();
    let features = manifest["features"].get_ref().as_table().expect("features");
    let rows = read("resilient-runtime/src/lib.rs");
    let is_default = |name: &str| {
        let usual = features["default"].get_ref().as_array().expect("a list");
        usual.iter().any(|feature| feature.get_ref().as_str() == Some(name))
    };
    for name in features.keys().map(|key| key.get_ref().as_ref()).filter(|name| *name != "default") {
        let row = format!("//! | `{name}` | {}", if is_default(name) { "yes |" } else { "|" });
        assert!(rows.contains(&row), "no row `{row}` in lib.rs");
    }
}

#[test]
fn every_event_of_the_log_has_a_row_in_the_guide() {
    let rows = read("resilient-runtime/src/guide/observing.md");
    let mut sources = Vec::new();
    collect(&repository().join("resilient-runtime/src"), "rs", &mut sources);
    let mut seen = 0;
    for source in sources.iter().map(|path| Page::read(path)) {
        for (number, line) in (1..).zip(source.text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for event in line.split("event = \"").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(rows.contains(&format!("`{event}`")), "{}: no row for `{event}`", source.at(number));
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn files_that_a_contributor_is_sent_to_are_there() {
    let page = Page::read(&repository().join("CONTRIBUTING.md"));
    let mut seen = 0;
    let mut missing = Vec::new();
    for (number, line) in parse(&page.text).1 {
        for code in codes(line).filter(|code| code.contains('/') && !code.contains([' ', '*', '<', '"'])) {
            if !repository().join(code).exists() {
                missing.push(format!("{}: no `{code}`", page.at(number)));
            }
            seen += 1;
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(seen > 20, "{seen}");
}
