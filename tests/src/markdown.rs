//! The parts of Markdown pages that tests read: sections, fenced blocks, and the lines between them.

use std::ops::Range;

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block<'a> {
    /// The info string of the opening fence: `rust,no_run`.
    pub info: &'a str,
    /// The number of the line that opens it, from 1.
    pub line: usize,
    /// The content, with the newline of its last line.
    pub text: &'a str,
}

impl<'a> Block<'a> {
    /// The first word of its info: the language.
    #[must_use]
    pub fn language(&self) -> &'a str {
        self.info.split(',').next().unwrap_or_default().trim()
    }
}

/// All fenced blocks of a page, and its other lines with their numbers.
///
/// # Panics
/// If a fence is not closed.
#[must_use]
pub fn parse(page: &str) -> (Vec<Block<'_>>, Vec<(usize, &str)>) {
    let mut blocks = Vec::new();
    let mut prose = Vec::new();
    let mut open: Option<(&str, usize, Range<usize>)> = None;
    let mut at = 0;
    for (number, line) in (1..).zip(page.split_inclusive('\n')) {
        let next = at + line.len();
        let fence = line.trim_start().strip_prefix("```");
        open = match (open.take(), fence) {
            (None, Some(info)) => Some((info.trim(), number, next..next)),
            (None, None) => {
                prose.push((number, line.trim_end()));
                None
            }
            (Some((info, line, text)), Some(_)) => {
                blocks.push(Block { info, line, text: &page[text.start..at] });
                None
            }
            (open, None) => open,
        };
        at = next;
    }
    assert!(open.is_none(), "the block that begins in line {} has no end", open.map_or(0, |(_, line, _)| line));
    (blocks, prose)
}

/// The text under a heading, up to the next heading of the same level or above.
///
/// # Panics
/// If there is no such heading.
#[must_use]
pub fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let level = heading.chars().take_while(|c| *c == '#').count();
    let start = page.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no `{heading}`")) + heading.len() + 2;
    let mut end = start;
    let mut fenced = false;
    for line in page[start..].split_inclusive('\n') {
        let hashes = line.chars().take_while(|c| *c == '#').count();
        if !fenced && (1..=level).contains(&hashes) && line[hashes..].starts_with(' ') {
            break;
        }
        fenced ^= line.starts_with("```");
        end += line.len();
    }
    &page[start..end]
}

/// The texts between backticks in a line.
pub fn codes(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}
