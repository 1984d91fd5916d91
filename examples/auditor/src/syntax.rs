//! The full analysis, with a parser.

use proc_macro2::{Span, TokenStream};
use syn::{
    Attribute, Block, Expr, File, ImplItemFn, Item, Macro, Safety, Signature, Token, TraitItemFn, Visibility,
    punctuated::Punctuated,
    spanned::Spanned,
    visit::{self, Visit},
};

use super::{
    nesting,
    types::{Report, Rule, Unreadable},
};

/// The maximum nesting of macros that are analyzed. Each level is parsed again, which takes time.
const MACROS_WITHIN_EACH_OTHER: usize = 3;

/// Analyzes a source text without its test code.
///
/// It must run on a thread with a stack of [`nesting::STACK`].
pub(super) fn read(source: &str, max_lines: usize) -> Result<Report, Unreadable> {
    let file = parse(source).map_err(|error| {
        let start = error.span().start();
        Unreadable { line: start.line, column: start.column + 1, reason: error.to_string() }
    })?;
    let mut reader = Reader { report: Report::default(), max_lines, macros: 0 };
    reader.report.counts.lines = source.lines().count();
    reader.visit_file(&file);
    reader.report.findings.sort_by_key(|finding| finding.line);
    Ok(reader.report)
}

fn parse(source: &str) -> syn::Result<File> {
    let tokens: TokenStream = without_shebang(source).parse().map_err(|error: proc_macro2::LexError| {
        syn::Error::new(error.span(), "this is no token of Rust, or a bracket without its other half")
    })?;
    match nesting::too_deep(&tokens) {
        Some(span) => Err(syn::Error::new(span, "the code is nested too deep")),
        None => syn::parse2(tokens),
    }
}

/// Removes a first line such as `#!/usr/bin/env cargo`, but keeps the line numbers.
fn without_shebang(source: &str) -> &str {
    let is_shebang = source.starts_with("#!") && !source.starts_with("#![");
    if is_shebang { source.find('\n').map_or("", |end| &source[end..]) } else { source }
}

struct Reader {
    report: Report,
    max_lines: usize,
    /// The current nesting of macros.
    macros: usize,
}

impl Reader {
    fn add(&mut self, span: Span, rule: Rule, item: Option<String>) {
        self.report.add(span.start().line, rule, item);
    }

    fn function(&mut self, signature: &Signature, body: &Block) {
        self.report.counts.functions += 1;
        let name = || Some(signature.ident.to_string());
        let span = signature.span();
        let lines = body.brace_token.span.close().end().line + 1 - span.start().line;
        if lines > self.max_lines {
            self.add(span, Rule::LongFunction, name());
        }
        if matches!(signature.safety, Safety::Unsafe(_)) {
            self.add(span, Rule::UnsafeFunction, name());
        }
    }

    fn documentation(&mut self, visibility: &Visibility, attributes: &[Attribute], name: &syn::Ident) {
        let documented = attributes.iter().any(|attribute| attribute.path().is_ident("doc"));
        if matches!(visibility, Visibility::Public(_)) && !documented {
            self.add(name.span(), Rule::Undocumented, Some(name.to_string()));
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let (visibility, attributes, name) = match item {
            Item::Const(it) => (&it.vis, &it.attrs, &it.ident),
            Item::Enum(it) => (&it.vis, &it.attrs, &it.ident),
            Item::Fn(it) => (&it.vis, &it.attrs, &it.sig.ident),
            // The documentation of `mod x;` is in another file.
            Item::Mod(it) if it.content.is_some() => (&it.vis, &it.attrs, &it.ident),
            Item::Static(it) => (&it.vis, &it.attrs, &it.ident),
            Item::Struct(it) => (&it.vis, &it.attrs, &it.ident),
            Item::Trait(it) => (&it.vis, &it.attrs, &it.ident),
            Item::Type(it) => (&it.vis, &it.attrs, &it.ident),
            Item::Union(it) => (&it.vis, &it.attrs, &it.ident),
            _ => return visit::visit_item(self, item),
        };
        if attributes.iter().any(is_test) {
            return;
        }
        self.documentation(visibility, attributes, name);
        if let Item::Fn(function) = item {
            self.function(&function.sig, &function.block);
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, method: &'ast ImplItemFn) {
        self.documentation(&method.vis, &method.attrs, &method.sig.ident);
        self.function(&method.sig, &method.block);
        visit::visit_impl_item_fn(self, method);
    }

    fn visit_trait_item_fn(&mut self, method: &'ast TraitItemFn) {
        if let Some(body) = &method.default {
            self.function(&method.sig, body);
        }
        visit::visit_trait_item_fn(self, method);
    }

    fn visit_expr(&mut self, expression: &'ast Expr) {
        match expression {
            Expr::Unsafe(block) => self.add(block.span(), Rule::UnsafeBlock, None),
            Expr::MethodCall(call) if call.method == "unwrap" && call.args.is_empty() => {
                self.add(call.method.span(), Rule::Unwrap, None);
            }
            Expr::MethodCall(call) if call.method == "expect" && call.args.len() == 1 => {
                self.add(call.method.span(), Rule::Expect, None);
            }
            _ => {}
        }
        visit::visit_expr(self, expression);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if let Some(name) = call.path.segments.last() {
            match name.ident.to_string().as_str() {
                "panic" | "unreachable" => self.add(name.span(), Rule::Panic, None),
                "todo" | "unimplemented" => self.add(name.span(), Rule::Todo, None),
                _ => {}
            }
        }
        // Macros whose arguments look like those of a function are analyzed: `assert_eq!`, `format!`.
        if self.macros < MACROS_WITHIN_EACH_OTHER
            && let Ok(arguments) = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated)
        {
            self.macros += 1;
            arguments.iter().for_each(|argument| self.visit_expr(argument));
            self.macros -= 1;
        }
    }
}

/// `#[test]`, `#[tokio::test]` or `#[cfg(test)]`.
fn is_test(attribute: &Attribute) -> bool {
    let is_named = attribute.path().segments.last().is_some_and(|name| name.ident == "test");
    let is_condition = || {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    };
    is_named || is_condition()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: &str) -> Vec<(usize, Rule)> {
        let report = read(code, 3).unwrap();
        report.findings.into_iter().map(|finding| (finding.line, finding.rule)).collect()
    }

    #[test]
    fn every_rule_names_its_line() {
        let code = "#!/usr/bin/env cargo\n\
            pub fn a() {\n  b().unwrap();\n  c(d().expect(\"e\"));\n}\n\
            unsafe fn f() { panic!() }\n\
            /// Says so.\npub struct G;\n\
            impl G { pub fn h() { unsafe { i() } todo!() } }\n";
        let expected = [
            (2, Rule::Undocumented),
            (2, Rule::LongFunction),
            (3, Rule::Unwrap),
            (4, Rule::Expect),
            (6, Rule::UnsafeFunction),
            (6, Rule::Panic),
            (9, Rule::Undocumented),
            (9, Rule::UnsafeBlock),
            (9, Rule::Todo),
        ];
        assert_eq!(found(code), expected);
    }

    #[test]
    fn texts_comments_and_tests_are_no_findings() {
        let code = "fn a() { \"b.unwrap()\"; } // c.unwrap() panic!()\n\
            #[cfg(test)] mod tests { fn d() { e().unwrap(); } }\n\
            #[tokio::test] async fn f() { g().unwrap(); }\n\
            fn h() { i.unwrap_or(1); j.expect(); }";
        assert_eq!(found(code), []);
        assert_eq!(read(code, 60).unwrap().counts.functions, 2);
    }

    #[test]
    fn arguments_of_macros_are_looked_into() {
        assert_eq!(found("fn a() { assert!(b(c.unwrap()) == format!(\"{}\", d.unwrap()), \"e\"); }").len(), 2);
        let deep = format!("fn a() {{ {} b.unwrap() {}; }}", "m!(".repeat(300), ")".repeat(300));
        assert_eq!(found(&deep), []);
    }

    #[test]
    fn what_cannot_be_parsed_is_told_with_its_place() {
        let told = |code: &str| read(code, 60).unwrap_err().to_string();
        assert_eq!(told("fn a() {}\nfn b( {"), "2:7: this is no token of Rust, or a bracket without its other half");
        assert_eq!(told("fn a() {\n  let x = ;\n}"), "2:11: expected an expression");
        assert_eq!(
            told(&format!("{}{}", "(".repeat(100_000), ")".repeat(100_000))),
            "1:1001: the code is nested too deep"
        );
    }
}
