//! Comments and documentation are plain technical English: few lines may use a phrase of [`PHRASES`].
//!
//! Each of the two tests prints its shares and the lines that it counted. To list those of all Rust files:
//! `cargo test -p resilient-tests --test repository language -- --nocapture rust | grep '\.rs:'`

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use resilient_tests::fixture::repository;
use resilient_tests::markdown::parse;

/// The maximum number of lines with a phrase, per thousand.
const LIMIT: usize = 3;

/// Whole words, in any case, outside of code in backticks. `*` is any one word.
const PHRASES: &[&str] = &[
    // Pronouns without a referent, in place of the caller, the client, the operator or the thread.
    "anybody",
    "anyone",
    "everybody",
    "everyone",
    "no one",
    "nobody",
    "somebody",
    "someone",
    "who asks",
    "whoever",
    // The passive of "tell", "ask" and "hear", which hides who does what.
    "told",
    "tell * of",
    "tells",
    "telling",
    "is asked",
    "are asked",
    "was asked",
    "were asked",
    "be asked",
    "being asked",
    "been asked",
    "heard",
    "hears",
    "listened to",
    "listens to",
    "speak of",
    "speaks of",
    // Postponed possessives: `a registry of its own` is "its own registry".
    "of her own",
    "of his own",
    "of its own",
    "of my own",
    "of one's own",
    "of our own",
    "of their own",
    "of your own",
    // Stage and household.
    "in its place",
    "in their place",
    "in the place of",
    "its turn",
    "stand in",
    "stands in",
    "take note",
    "takes note",
    "takes the place",
    // Old-fashioned adverbs and conjunctions.
    "anew",
    "as ever",
    "but for",
    "for ever",
    "none but",
    "nothing but",
];

/// Lines that are not counted: the end of the path, the phrase, the reason.
const EXCEPTIONS: &[(&str, &str, &str)] =
    &[("guide/errors.md", "was asked", "the sentence of the kind `not_found`, which clients read")];

/// A line of prose.
struct Line {
    path: String,
    number: usize,
    text: String,
}

/// Reads every file with this extension below a folder. Links are skipped: their targets are read where they are.
fn collect(folder: &Path, extension: &str, read: &mut impl FnMut(&str, &str)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, kind) = (entry.path(), entry.file_type().expect("a type"));
        let built = ["target", ".git", "node_modules", "wip"].iter().any(|name| entry.file_name() == *name);
        if kind.is_dir() && !built {
            collect(&path, extension, read);
        } else if kind.is_file() && path.extension().is_some_and(|found| found == extension) {
            let name = path.strip_prefix(repository()).unwrap_or(&path).display().to_string();
            read(&name, &fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}")));
        }
    }
}

/// Returns the comments of a Rust file without their code blocks, including those at the end of a line.
fn comments(source: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(source.lines().map(str::trim)) {
        let whole = line.strip_prefix("//").map(|text| text.trim_start_matches(['/', '!']).trim());
        let fence = whole.is_some_and(|text| text.starts_with("```"));
        fenced = whole.is_some() && (fenced ^ fence);
        let text = whole.or_else(|| line.split_once(" // ").map(|(_, text)| text));
        found.extend(text.filter(|_| !fenced && !fence).map(|text| (number, text)));
    }
    found
}

/// Returns the words of a line in lower case, without code and without the `'s` of a possessive.
fn words(line: &str) -> Vec<String> {
    let prose = line.split('`').step_by(2).collect::<Vec<_>>().join(" ` ");
    let words =
        prose.split(|c: char| !c.is_alphanumeric() && !['\'', '-', '`'].contains(&c)).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Returns the first phrase in a line.
fn phrase(line: &str) -> Option<&'static str> {
    let words = words(line);
    let fits = |word: &String, wanted: &str| {
        wanted == "*" || word == wanted || word.strip_suffix("'s").is_some_and(|word| word == wanted)
    };
    let used = |phrase: &str| {
        let wanted: Vec<_> = phrase.split(' ').collect();
        words.windows(wanted.len()).any(|found| found.iter().zip(&wanted).all(|(word, wanted)| fits(word, wanted)))
    };
    PHRASES.iter().copied().find(|phrase| used(phrase))
}

/// Prints the share of each folder and every line that counts, and fails above the limit.
#[expect(clippy::print_stdout, reason = "the harness shows it with `--nocapture`")]
fn check(lines: &[Line]) {
    let mut folders: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut offending = Vec::new();
    for Line { path, number, text } in lines {
        let excused = |phrase: &str| EXCEPTIONS.iter().any(|(file, known, _)| path.ends_with(file) && *known == phrase);
        let used = phrase(text).filter(|phrase| !excused(phrase));
        let (all, counted) = folders.entry(path.split_once('/').map_or(".", |(folder, _)| folder)).or_default();
        *all += 1;
        *counted += usize::from(used.is_some());
        offending.extend(used.map(|phrase| format!("{path}:{number}: [{phrase}] {text}")));
    }
    for (folder, (all, counted)) in folders {
        println!("{folder}: {counted} of {all} lines, {}", percent(counted, all));
    }
    let (all, counted) = (lines.len(), offending.len());
    assert!(all > 100, "{all} lines");
    let report = offending.join("\n");
    println!("in all: {counted} of {all} lines, {}\n{report}", percent(counted, all));
    assert!(
        counted * 1000 <= all * LIMIT,
        "{} of the lines use a phrase of the list, {} are allowed:\n{report}",
        percent(counted, all),
        percent(LIMIT, 1000)
    );
}

/// Formats a percentage with two decimals.
fn percent(part: usize, all: usize) -> String {
    let hundredths = part * 10_000 / all.max(1);
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

#[test]
fn comments_in_rust_files_are_plain_english() {
    let mut lines = Vec::new();
    collect(repository(), "rs", &mut |path, source| {
        let found = comments(source).into_iter().filter(|(_, text)| !text.is_empty());
        lines.extend(found.map(|(number, text)| Line { path: path.to_owned(), number, text: text.to_owned() }));
    });
    check(&lines);
}

#[test]
fn markdown_is_plain_english() {
    let mut lines = Vec::new();
    collect(repository(), "md", &mut |path, page| {
        let found = parse(page).1.into_iter().filter(|(_, text)| !text.is_empty());
        lines.extend(found.map(|(number, text)| Line { path: path.to_owned(), number, text: text.to_owned() }));
    });
    check(&lines);
}

#[test]
fn every_exception_is_needed_and_has_a_reason() {
    for (file, phrase, reason) in EXCEPTIONS {
        assert!(PHRASES.contains(phrase), "{phrase}");
        assert!(!reason.is_empty(), "{file}: {phrase}");
        let mut needed = false;
        for extension in ["rs", "md"] {
            collect(repository(), extension, &mut |path, text| {
                let prose = if extension == "rs" { comments(text) } else { parse(text).1 };
                needed |= path.ends_with(file) && prose.iter().any(|(_, line)| self::phrase(line) == Some(*phrase));
            });
        }
        assert!(needed, "{file} no longer uses `{phrase}`");
    }
}

#[test]
fn phrases_are_found_as_whole_words_outside_of_code() {
    assert_eq!(phrase("A call that Nobody's client waits for"), Some("nobody"));
    assert_eq!(phrase("It tells them of it"), Some("tells"));
    assert_eq!(phrase("tell it of a change"), Some("tell * of"));
    assert_eq!(phrase("a lock, of its own."), Some("of its own"));
    assert_eq!(phrase("`Somebody::else` is of `its` own kind, and the metal is not retold"), None);
}

#[test]
fn comments_are_found_without_their_code() {
    let source =
        "/// One.\n/// ```\n/// let told = 1;\n/// ```\n//! Two.\nlet a = 1; // three\nlet b = \"http://x\";\n";
    assert_eq!(comments(source), [(1, "One."), (5, "Two."), (6, "three")]);
}
