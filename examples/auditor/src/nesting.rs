//! Rejects code that is nested too deep, because the parser and the visitors of its tree are recursive.

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree, token_stream};

/// The maximum nesting.
const DEEPEST: usize = 1_000;

/// A sufficient stack size: in a debug build one level takes up to 40 KiB. The tests below fail if that grows.
pub(super) const STACK: usize = DEEPEST * (96 << 10);

/// Returns the first position that is nested too deep.
///
/// Not only brackets nest: so do `!!!!x`, `a + b + c`, `A<A<A<B>>>` and `if {} else if {} else {}`. So the depth is,
/// for each open bracket, the number of tokens since an item or expression certainly ended. This overestimates the
/// depth.
pub(super) fn too_deep(tokens: &TokenStream) -> Option<Span> {
    let mut open = vec![Level::new(0, tokens.clone())];
    while let Some(level) = open.last_mut() {
        let Some(token) = level.tokens.next() else {
            open.pop();
            continue;
        };
        let depth = level.pass(&token);
        if depth > DEEPEST {
            return Some(token.span());
        }
        if let TokenTree::Group(group) = &token {
            open.push(Level::new(depth, group.stream()));
        }
    }
    None
}

/// The tokens between two brackets.
struct Level {
    tokens: token_stream::IntoIter,
    /// The depth of the bracket itself.
    outer: usize,
    /// The number of tokens since something ended.
    run: usize,
    /// The number of open `<` among them: a comma inside of these ends nothing.
    angles: usize,
    /// Whether one of them was a `|`: a comma may separate the parameters of a closure.
    bar: bool,
    before: Before,
}

/// The kind of the previous token.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Block,
    Hash,
    Minus,
    Equals,
    Other,
}

impl Level {
    fn new(outer: usize, tokens: TokenStream) -> Self {
        Self { tokens: tokens.into_iter(), outer, run: 0, angles: 0, bar: false, before: Before::Other }
    }

    /// Counts a token and returns its depth.
    fn pass(&mut self, token: &TokenTree) -> usize {
        let before = std::mem::replace(&mut self.before, Before::Other);
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => self.before = Before::Block,
            // An attribute or a line of documentation. They do not nest.
            TokenTree::Group(_) if before == Before::Hash => return self.outer + self.run + 1,
            // After a block a word begins something new, with two exceptions.
            TokenTree::Ident(word) if before == Before::Block && word != "else" && word != "as" => self.end(),
            TokenTree::Punct(sign) => match (sign.as_char(), before) {
                ('#', _) | ('!', Before::Hash) => {
                    if before == Before::Block {
                        self.end();
                    }
                    self.before = Before::Hash;
                    return self.outer + self.run;
                }
                // The second half of `=>`: a pattern ends.
                (';', _) | ('>', Before::Equals) => self.end(),
                (',', _) if self.angles == 0 && !self.bar => self.end(),
                // `->` closes nothing.
                ('>', Before::Minus) => {}
                ('>', _) => self.angles = self.angles.saturating_sub(1),
                ('<', _) => self.angles += 1,
                ('|', _) => self.bar = true,
                ('-', _) if sign.spacing() == Spacing::Joint => self.before = Before::Minus,
                ('=', _) if sign.spacing() == Spacing::Joint => self.before = Before::Equals,
                _ => {}
            },
            _ => {}
        }
        self.run += 1;
        self.outer + self.run
    }

    fn end(&mut self) {
        (self.run, self.angles, self.bar) = (0, 0, false);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::syntax;

    /// Ways to nest: the text repeated on the left, the inner text, and the text repeated on the right.
    const SHAPES: [(&str, &str, &str); 23] = [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("{", "1", "}"),
        ("f(", "1", ")"),
        ("!", "true", ""),
        ("&mut ", "1", ""),
        ("return ", "1", ""),
        ("|a, b| ", "1", ""),
        ("move || ", "1", ""),
        ("1 + ", "1", ""),
        ("a = ", "1", ""),
        ("match {} {} + ", "1", ""),
        ("if a {} else ", "{}", ""),
        ("a", "", ".b()"),
        ("a", "", "?"),
        ("S::<u8, ", "u8", ">::X"),
        ("(", "u8", ")"),
        ("&", "u8", ""),
        ("A<u8, ", "u8", ">"),
        ("fn() -> ", "u8", ""),
        ("dyn A<B = ", "u8", ">"),
        ("#[a ", "", "] b"),
        ("#[a] !", "true", ""),
    ];

    /// The nested text, as a value and as a type.
    fn nested((left, within, right): (&str, &str, &str), times: usize) -> [String; 2] {
        let nested = format!("{}{within}{}", left.repeat(times), right.repeat(times));
        [format!("fn f() {{ let x = {nested}; }}"), format!("type T = {nested};")]
    }

    fn is_too_deep(code: &str) -> bool {
        too_deep(&code.parse().unwrap()).is_some()
    }

    #[test]
    fn what_is_parsed_leaves_half_of_the_stack_free() {
        for shape in SHAPES {
            let times: Vec<_> = (1..=DEEPEST).collect();
            let times = times.partition_point(|&times| !nested(shape, times).iter().any(|code| is_too_deep(code)));
            assert!(times > 50, "{shape:?} is refused {times} deep");
            for code in nested(shape, times) {
                // Only the absence of a stack overflow matters: one of the two is invalid Rust.
                let reader = thread::Builder::new().stack_size(STACK / 2).spawn(move || drop(syntax::read(&code, 60)));
                reader.unwrap().join().unwrap();
            }
        }
    }

    #[test]
    fn a_hundred_thousand_levels_of_anything_are_refused() {
        for shape in SHAPES {
            assert!(nested(shape, 100_000).iter().all(|code| is_too_deep(code)), "{shape:?}");
        }
    }

    #[test]
    fn long_code_is_not_deep_code() {
        for item in [
            "const X: [(i8, &str); 2] = [(-1, \"a\"), (2, \"b\")];",
            "pub struct S { a: Vec<u8>, b: Option<Box<[u8]>> }",
            "impl A for S { fn a(&self) -> u8 { match self.a { 1 | 2 if 3 < 4 => 1, _ => 2 } } }",
            "/// A.\n#![a] #[test] fn a() { if x < y && z { a(|b, c| b + c); } else { b() } while a {} for a in b {} }",
        ] {
            assert!(!is_too_deep(&item.repeat(3_000)), "{item}");
        }
        assert!(!is_too_deep(&"/// Says a lot.\n".repeat(3_000)));
        let arms = "A | B => x < y, C(_) => |a| b,".repeat(3_000);
        assert!(!is_too_deep(&format!("fn f() {{ match x {{ {arms} }} }}")));
        let rows = "(-1, \"a\", &B),".repeat(3_000);
        assert!(!is_too_deep(&format!("const T: &[T] = &[{rows}];")));
    }
}
