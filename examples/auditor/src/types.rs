//! The arguments and results of the tools.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{patterns, syntax};
use crate::schema::plain_numbers;

/// The maximum size of a source text in bytes.
pub(super) const LARGEST_SOURCE: usize = 512 << 10;

/// The maximum number of listed findings of one source text. All of them are counted.
const LISTED: usize = 50;

/// Arguments of `audit_project`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = plain_numbers)]
pub struct AuditProject {
    /// The project's directory, relative to the auditor's root; `.` is the root itself.
    pub path: String,
    /// Functions with more lines than this are findings.
    #[serde(default = "default_max_lines")]
    pub max_lines: u32,
    /// How many files are listed at most, 1 to 100, those with the most findings first. All of them count in the total.
    #[serde(default = "default_files")]
    #[schemars(range(min = 1, max = 100))]
    pub files: u32,
}

/// Arguments of `analyze_code`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = plain_numbers)]
pub struct AnalyzeCode {
    /// The text of one Rust file.
    pub code: String,
    /// Functions with more lines than this are findings.
    #[serde(default = "default_max_lines")]
    pub max_lines: u32,
}

/// The findings of a project.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
pub struct Audit {
    /// How it was found.
    pub method: Method,
    /// How many files were audited.
    pub files_audited: usize,
    /// How many Rust files were left out: too large, not UTF-8, or not readable.
    pub files_skipped: usize,
    /// Whether the project was too large, so that files after the last audited one were not looked at.
    pub truncated: bool,
    /// All files together.
    pub total: Counts,
    /// The files with the most findings.
    pub files: Vec<FileReport>,
}

/// The findings of a piece of code.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Analysis {
    /// How it was found.
    pub method: Method,
    /// The findings.
    #[serde(flatten)]
    pub report: Report,
}

/// The findings of one file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FileReport {
    /// The file, relative to the project.
    pub path: String,
    /// The findings.
    #[serde(flatten)]
    pub report: Report,
}

/// The findings of one source text.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Report {
    /// All of it.
    #[serde(flatten)]
    pub counts: Counts,
    /// The first 50 findings.
    pub findings: Vec<Finding>,
}

/// How much there is.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
pub struct Counts {
    /// Lines.
    pub lines: usize,
    /// Functions and methods with a body.
    pub functions: usize,
    /// How many findings each rule has.
    pub rules: BTreeMap<Rule, usize>,
}

/// A questionable place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
pub struct Finding {
    /// The line, from 1.
    pub line: usize,
    /// What it is.
    pub rule: Rule,
    /// The name of the function or item, where the rule is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
}

/// The rule of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A block in which the compiler checks less.
    UnsafeBlock,
    /// A function that its caller has to use with care.
    UnsafeFunction,
    /// `.unwrap()`
    Unwrap,
    /// `.expect(..)`
    Expect,
    /// `panic!`, or `unreachable!`
    Panic,
    /// `todo!`, or `unimplemented!`
    Todo,
    /// A function with more lines than the limit.
    LongFunction,
    /// Something `pub` without documentation.
    Undocumented,
}

/// How something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// With a parser: test code is left out, and every rule is heeded.
    Syntax,
    /// Line by line, without understanding them: texts and tests count too, and nothing is known of long or
    /// undocumented functions.
    Patterns,
}

/// Why the parser rejects a source text.
#[derive(Debug, thiserror::Error)]
#[error("{line}:{column}: {reason}")]
pub struct Unreadable {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The message of the parser.
    pub reason: String,
}

impl Method {
    /// Analyzes a source text with this method.
    pub(super) fn read(self, source: &str, max_lines: u32) -> Result<Report, Unreadable> {
        match self {
            Self::Syntax => syntax::read(source, max_lines as usize),
            Self::Patterns => Ok(patterns::scan(source)),
        }
    }
}

impl Report {
    /// Adds a finding.
    pub(super) fn add(&mut self, line: usize, rule: Rule, item: Option<String>) {
        *self.counts.rules.entry(rule).or_default() += 1;
        if self.findings.len() < LISTED {
            self.findings.push(Finding { line, rule, item });
        }
    }
}

impl Counts {
    /// Adds other counts.
    pub(super) fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.functions += other.functions;
        for (rule, count) in &other.rules {
            *self.rules.entry(*rule).or_default() += count;
        }
    }

    /// The number of findings.
    pub(super) fn findings(&self) -> usize {
        self.rules.values().sum()
    }
}

const fn default_max_lines() -> u32 {
    60
}

const fn default_files() -> u32 {
    20
}
