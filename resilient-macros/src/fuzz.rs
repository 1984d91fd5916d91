//! Whatever is written, no macro panics, and what it answers is items or a message.

use std::fmt;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use quote::{ToTokens, quote};

use crate::{mcp_error, resilient};

/// Tokens that are shown as a person would write them.
#[derive(Clone)]
struct Tokens(TokenStream);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl ToTokens for Tokens {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.0.clone());
    }
}

fn tokens(text: &str) -> Tokens {
    Tokens(text.parse().unwrap_or_else(|why| panic!("`{text}`: {why}")))
}

fn one_of(texts: &'static [&'static str]) -> BoxedStrategy<Tokens> {
    select(texts).prop_map(tokens).boxed()
}

fn joined(parts: impl IntoIterator<Item = Tokens>) -> Tokens {
    Tokens(parts.into_iter().map(|part| part.0).collect())
}

fn in_group(delimiter: Delimiter, inner: Tokens) -> Tokens {
    Tokens(TokenTree::Group(Group::new(delimiter, inner.0)).into())
}

/// What is right, most of the time: many small parts have to be right for the whole to be.
fn mostly(right: &'static [&'static str], wrong: &'static [&'static str]) -> BoxedStrategy<Tokens> {
    prop_oneof![15 => one_of(right), 1 => one_of(wrong)].boxed()
}

/// Some of them, each once.
fn some_of(texts: &'static [&'static str], most: usize) -> BoxedStrategy<Tokens> {
    let some = subsequence(texts, 0..=most).prop_shuffle();
    some.prop_map(|texts| joined(texts.into_iter().flat_map(|text| [tokens(text), tokens(",")]))).boxed()
}

/// Half of the time nothing.
fn maybe(strategy: impl Strategy<Value = Tokens> + 'static) -> BoxedStrategy<Tokens> {
    prop_oneof![Just(Tokens(TokenStream::new())), strategy].boxed()
}

const WORDS: &[&str] = &[
    "retry",
    "timeout",
    "none",
    "cached",
    "value",
    "caller",
    "self",
    "Self",
    "super",
    "crate",
    "fn",
    "impl",
    "struct",
    "enum",
    "union",
    "mod",
    "trait",
    "async",
    "const",
    "unsafe",
    "extern",
    "pub",
    "move",
    "mut",
    "ref",
    "dyn",
    "for",
    "where",
    "type",
    "kind",
    "not_found",
    "status",
    "mcp",
    "tool",
    "r#fn",
    "r#type",
    "_",
    "größe",
    "'a",
    "'static",
    "0",
    "7",
    "-1",
    "1.5",
    "1e400",
    "99999999999999999999999999",
    "0x_F",
    "3u8",
    "0.0f32",
    "\"\"",
    "\"30s\"",
    "\"a b\"",
    "\"{\"",
    "r#\"{}\"#",
    "b\"b\"",
    "c\"c\"",
    "b'b'",
    "'c'",
    "true",
    "=",
    ",",
    ";",
    ":",
    "::",
    "->",
    "=>",
    "#",
    "!",
    "&",
    "*",
    "<",
    ">",
    "..",
    "..=",
    "|",
    "?",
    "@",
    "$",
    "~",
    "-",
    "+",
];

/// Anything that is made of tokens.
fn soup() -> BoxedStrategy<Tokens> {
    let leaf = prop_oneof![
        9 => one_of(WORDS),
        1 => ".{0,8}".prop_map(|text| Tokens(proc_macro2::Literal::string(&text).to_token_stream())),
    ];
    let delimiter = select(&[Delimiter::Parenthesis, Delimiter::Bracket, Delimiter::Brace, Delimiter::None][..]);
    leaf.prop_recursive(3, 24, 6, move |inner| {
        (delimiter.clone(), vec(inner, 0..6)).prop_map(|(delimiter, inner)| in_group(delimiter, joined(inner)))
    })
    .boxed()
}

fn soups(most: usize) -> BoxedStrategy<Tokens> {
    vec(soup(), 0..most).prop_map(joined).boxed()
}

/// Entries with a comma between any two, mostly.
fn list(entry: impl Strategy<Value = Tokens> + 'static, most: usize) -> BoxedStrategy<Tokens> {
    let comma = prop_oneof![12 => Just(tokens(",")), 1 => Just(tokens("")), 1 => Just(tokens(",,"))];
    let all = vec((entry, comma), 0..=most);
    (all, any::<bool>())
        .prop_map(|(entries, trailing)| {
            let last = entries.len().saturating_sub(1);
            joined(entries.into_iter().enumerate().flat_map(|(index, (entry, comma))| {
                [entry, if index == last && !trailing { tokens("") } else { comma }]
            }))
        })
        .boxed()
}

/// `key`, `key = value` or `key(..)`, and now and then none of these.
fn entry(keys: &'static [&'static str], values: &'static [&'static str]) -> BoxedStrategy<Tokens> {
    let value = prop_oneof![6 => one_of(values), 1 => soup()];
    let in_none = value.clone().prop_map(|value| in_group(Delimiter::None, value));
    let value = prop_oneof![8 => value, 1 => in_none].boxed();
    let pair = (one_of(keys), value.clone()).prop_map(|(key, value)| Tokens(quote!(#key = #value)));
    let inner = prop_oneof![6 => pair.clone(), 2 => value, 2 => one_of(keys)];
    let nested = (one_of(keys), list(inner, 4)).prop_map(|(key, list)| Tokens(quote!(#key(#list))));
    prop_oneof![10 => pair, 6 => nested, 4 => one_of(keys), 1 => soup()].boxed()
}

const KEYS: &[&str] = &[
    "retry",
    "timeout",
    "attempt_timeout",
    "breaker",
    "bulkhead",
    "rate_limit",
    "fallback",
    "cache",
    "read_only",
    "idempotent",
    "retry_unsafe",
    "name",
    "skip",
    "crate",
    "max",
    "base",
    "factor",
    "cap",
    "jitter",
    "on",
    "budget",
    "failures",
    "rate",
    "window",
    "min_calls",
    "slow",
    "slow_rate",
    "open",
    "probes",
    "successes",
    "key",
    "queue",
    "wait",
    "burst",
    "max_age",
    "scope",
    "feature",
    "writes",
    "retri",
    "r#retry",
    "a::b",
    "::timeout",
    "__inherited",
];

const VALUES: &[&str] = &[
    "3",
    "1",
    "0",
    "11",
    "-1",
    "1.5",
    "1e400",
    "99999999999999999999999999",
    "3u8",
    "\"30s\"",
    "\"1ms\"",
    "\"0s\"",
    "\"-1s\"",
    "\"1.5h\"",
    "\"99999999999999999999s\"",
    "\"\"",
    "\"20%\"",
    "\"NaN%\"",
    "\"-1%\"",
    "\"100/1s\"",
    "\"0/1s\"",
    "\"/\"",
    "\"make\"",
    "\"a b\"",
    "none",
    "cached",
    "caller",
    "shared",
    "equal",
    "full",
    "off",
    "timeout",
    "not_found",
    "path::to::f",
    "::absolute::path",
    "crate::path",
    "Self::f",
    "<T as U>::f",
    "f::<u8>",
    "[cached, f]",
    "[]",
    "[value(1), cached]",
    "value(1 + 1)",
    "value()",
    "value(1, 2)",
    "f(1)",
    "(a, b)",
    "&self.zone",
    "|x| x",
    "{ 1 }",
    "id.0[1]",
    "x as u8",
    "r#fn",
    "true",
    "'c'",
    "b\"b\"",
    "format!(\"{}\", 1)",
    "if a { b } else { c }",
];

/// Entries that are right, alone at least.
const RIGHT: &[&str] = &[
    "retry = 2",
    "timeout = \"30s\"",
    "attempt_timeout = \"5s\"",
    "breaker = \"make\"",
    "bulkhead = 20",
    "rate_limit = \"100/1s\"",
    "fallback = [cached, path::to::f, value(1 + 1)]",
    "cache(max_age = \"1m\", max = 7, scope = shared, key = id)",
    "read_only",
    "name = \"mine\"",
    "crate = ::renamed",
];

/// The same keys in other words.
const RIGHT_TOO: &[&str] = &[
    "retry(max = 1, base = \"1s\", factor = 1.5, cap = \"9s\", jitter = full, on(timeout, connection), budget = none)",
    "timeout = none",
    "breaker(name = \"other\", rate = 0.5, window = \"60s\", slow = \"2s\", key = more)",
    "bulkhead(max = 5, queue = 5, wait = \"1s\", key = (id, more))",
    "rate_limit(rate = \"1/1s\", burst = 2, key = caller)",
    "fallback = Self::f",
    "cache(max = 7)",
    "idempotent",
    "retry_unsafe = \"why not\"",
    "skip",
    "__inherited(retry = 1, timeout = \"9s\")",
];

fn attribute() -> BoxedStrategy<Tokens> {
    let also = (some_of(RIGHT, 3), entry(KEYS, VALUES)).prop_map(|(right, also)| joined([right, also]));
    prop_oneof![
        6 => some_of(RIGHT, 4),
        3 => some_of(RIGHT_TOO, 3),
        4 => also,
        4 => list(entry(KEYS, VALUES), 5),
        1 => soups(6),
    ]
    .boxed()
}

fn function() -> BoxedStrategy<Tokens> {
    let attr = prop_oneof![
        12 => one_of(&[
            "#[tool]", "#[rmcp::tool]", "#[tool(annotations(read_only_hint = true))]", "#[tool(name = \"x\", annotations(idempotent_hint = true))]",
            "#[prompt]", "#[doc = \"z\"]", "#[cfg(all())]", "#[allow(unused)]",
        ]),
        2 => one_of(&[
            "#[tool(annotations(destructive_hint))]", "#[tool(annotations)]", "#[tool = 1]", "#[prompt(name = \"y\")]", "#[resilient]",
            "#[resilient = 1]", "#[resilient(skip)]", "#[resilient(timeout = \"1s\",)]",
        ]),
        2 => attribute().prop_map(|list| Tokens(quote!(#[resilient(#list)]))),
        1 => soups(4).prop_map(|list| Tokens(quote!(#[tool(#list)]))),
    ];
    let attrs = vec(attr, 0..3).prop_map(joined);
    let before = mostly(
        &["async", "pub async", "pub(in a::b) async", "async unsafe"],
        &[
            "",
            "pub",
            "const",
            "unsafe",
            "const async",
            "extern \"C\"",
            "async unsafe extern",
            "default async",
            "crate async",
            "pub pub",
            "async async",
        ],
    );
    let name = mostly(&["f", "r#match", "_f", "__resilient_f_site", "größe"], &["self", "fn", "7"]);
    let generics = maybe(mostly(&["<T>", "<'a, T: 'a + Copy, const N: usize>", "<>"], &["<T = u8>", "<", "<T,,>"]));
    let receiver = maybe(mostly(
        &["&self,", "&'a self,", "self: &Self,"],
        &["&mut self,", "self,", "mut self,", "self: Arc<Self>,", "self: &mut Self,"],
    ));
    let right = some_of(
        &[
            "id: u64",
            "mut count: u64",
            "_: u8",
            "_id: u8",
            "r#type: u8",
            "__argument_0: u8",
            "(a, b): (u8, u8)",
            "x: &'a str",
            "ref y: u8",
            "Parameters(Req { c, .. }): Parameters<Req>",
            "z @ 1..=3: u8",
            "&e: &u8",
            "f: impl Fn(u8) -> u8",
            "g: Vec<impl Copy>",
            "h: fn(u8)",
            "#[cfg(any())] gone: Gone",
            "#[allow(unused)] more: u8",
            "d: &(dyn T + Sync)",
            "[s, ..]: [u8; N]",
        ],
        4,
    );
    let wrong = prop_oneof![
        4 => one_of(&["x: &mut u8", "a | b: u8", "x: dyn T", "x: _", "x: !", "x", "x: u8 = 1", "...", "Self", "&self", "x:", ": u8"]),
        1 => soup(),
    ];
    let parameters =
        (receiver, right, prop_oneof![9 => Just(tokens("")), 1 => wrong]).prop_map(|(a, b, c)| joined([a, b, c]));
    let output = prop_oneof![
        12 => one_of(&[
            "-> Result<u64, E>", "-> Result<Json<T>, E>", "-> rmcp::model::CallToolResult", "-> CallToolResponse", "-> io::Result<()>",
            "-> Result<Cow<'a, str>, E<T>>", "-> <T as U>::Result", "-> Result<impl Copy, E>",
        ]),
        3 => one_of(&[
            "-> InputRequiredResult", "-> impl Future<Output = u8>", "-> Pin<Box<dyn Future<Output = u8>>>", "-> ()", "-> !", "-> String",
            "-> &'a str", "-> (Result<u8, E>)", "-> [u8; { 1 }]", "-> _", "", "->", "-> -> u8",
        ]),
        1 => soups(3).prop_map(|output| Tokens(quote!(-> #output))),
    ];
    let clause =
        maybe(mostly(&["where T: Copy", "where", "where Self: Sized, for<'b> &'b T: Into<u8>,"], &["where where"]));
    let body = prop_oneof![
        12 => one_of(&["{ Ok(1) }", "{}", "{ return; }", "{ #![allow(unused)] 1 }"]),
        2 => one_of(&["{ self.; let x = ; }", "{ $x }", ";", "", "= 1;", "{ } { }"]),
        2 => soups(5).prop_map(|body| in_group(Delimiter::Brace, body)),
        1 => one_of(&["{ 1 }"]).prop_map(|body| in_group(Delimiter::None, body)),
        1 => soup(),
    ];
    let signature = (before, name, generics, parameters, output, clause);
    (attrs, signature, body)
        .prop_map(|(attrs, (before, name, generics, parameters, output, clause), body)| {
            Tokens(quote!(#attrs #before fn #name #generics (#parameters) #output #clause #body))
        })
        .boxed()
}

fn block() -> BoxedStrategy<Tokens> {
    let router = prop_oneof![
        12 => one_of(&[
            "#[tool_router]", "#[rmcp::tool_router]", "#[tool_router(server_handler)]", "#[tool_router(router = r#use, vis = \"pub\")]",
            "#[tool_router(allow_empty, x(y))] #[allow(unused)]", "#[doc = \"x\"] #[tool_router(server_handler = false)] #[prompt_router]",
        ]),
        2 => one_of(&[
            "#[tool_router(router = \"a b\")]", "#[tool_router(router)]", "#[tool_router(vis = 3, server_handler = maybe)]", "#[tool_router = 1]",
            "#[tool_handler]", "#[prompt_router]", "",
        ]),
        1 => soups(4).prop_map(|list| Tokens(quote!(#[tool_router(#list)]))),
    ];
    let handler = prop_oneof![
        12 => one_of(&[
            "#[tool_handler]", "#[tool_handler(router = self.router)]", "#[tool_handler(router = Self::a() + Self::b(), name = \"x\")]",
            "#[prompt_handler] #[rmcp::tool_handler(router = A)]",
        ]),
        2 => one_of(&["#[tool_handler(router)]", "#[tool_handler = 1]", "#[tool_handler(router =)]", "#[tool_router]", ""]),
        1 => soups(4).prop_map(|list| Tokens(quote!(#[tool_handler(#list)]))),
    ];
    let own = mostly(
        &["impl S", "impl<T> S<T> where T: Copy", "impl<'a, const N: usize> S<'a, N>", "unsafe impl S", "impl dyn T"],
        &["impl", "impl S where where", "impl<", "impl S for", "default impl S"],
    );
    let of_trait = mostly(
        &["impl ServerHandler for S", "impl<T> rmcp::ServerHandler for S<T> where T: Copy"],
        &["impl !Send for S", "impl for", "impl const T for S", "default impl T for S", "unsafe impl T for"],
    );
    let header = prop_oneof![3 => (router, own), 1 => (handler, of_trait)];
    let member = prop_oneof![
        9 => function(),
        2 => one_of(&["const X: u8 = 1;", "type T = u8;", "x!{}", "x!();", "fn helper(&self) {}"]),
        1 => one_of(&[";", "pub", "#[a]", "#![a]", "fn f()"]),
        1 => soups(4),
    ];
    let behind = prop_oneof![15 => Just(tokens("")), 1 => soup()];
    (header, vec(member, 0..4).prop_map(joined), behind)
        .prop_map(|((attrs, header), members, behind)| Tokens(quote!(#attrs #header { #members } #behind)))
        .boxed()
}

fn other() -> BoxedStrategy<Tokens> {
    let other = one_of(&[
        "struct S;",
        "enum E {}",
        "mod m {}",
        "mod m;",
        "trait T { async fn f(&self); }",
        "use a::b;",
        "static X: u8 = 1;",
        "const X: u8 = 1;",
        "macro_rules! m { () => {} }",
        "x!{}",
        "extern \"C\" {}",
        "extern crate a;",
        "type T = u8;",
        "let x = 1;",
        "async {}",
        "async move {}",
        "#[a]",
        "#",
        "pub",
        "",
    ]);
    prop_oneof![1 => other, 1 => soups(8)].boxed()
}

const MCP_KEYS: &[&str] = &[
    "prefix",
    "crate",
    "kind",
    "code",
    "message",
    "public",
    "private",
    "hint",
    "retryable",
    "trips_breaker",
    "fallback",
    "severity",
    "protocol",
    "transparent",
    "status",
    "classify",
    "retry_after",
    "detail",
    "secret",
    "knd",
    "r#kind",
];

const MCP_VALUES: &[&str] = &[
    "not_found",
    "internal",
    "cancelled",
    "rate_limited",
    "NotFound",
    "banana",
    "\"not_found\"",
    "\"MAKE\"",
    "\"make_\"",
    "\"5X\"",
    "\"see {id}\"",
    "\"see {0:?} {1:>5}\"",
    "\"{\"",
    "\"}}\"",
    "\"{}\"",
    "\"{id:w$}\"",
    "\"{größe}\"",
    "\"{0.1}\"",
    "\"{r#type}\"",
    "true",
    "false",
    "low",
    "critical",
    "-33001",
    "-32002",
    "-32602",
    "7",
    "- 7",
    "99999999999999",
    "-2147483648",
    "1.5",
    "::path",
    "relative",
    "crate::x",
    "\"\"",
    "r#fn",
    "'a'",
    "(1)",
    "{ kind }",
    "concat!(\"a\", \"b\")",
];

/// Entries that are right above a variant, alone at least.
const MCP_RIGHT: &[&str] = &[
    "code = \"MINE\"",
    "hint = \"see the list\"",
    "message = \"gone\"",
    "retryable = false",
    "trips_breaker = true",
    "fallback = true",
    "severity = low",
    "protocol = -33001",
];

fn mcp() -> BoxedStrategy<Tokens> {
    let list = prop_oneof![12 => list(entry(MCP_KEYS, MCP_VALUES), 4), 1 => soups(5)];
    prop_oneof![
        12 => list.prop_map(|list| Tokens(quote!(#[mcp(#list)]))),
        1 => one_of(&["#[mcp]", "#[mcp = 1]", "#[mcp[kind = internal]]", "#[mcp{}]", "#[a::mcp(kind)]"]),
    ]
    .boxed()
}

fn display() -> BoxedStrategy<Tokens> {
    prop_oneof![
        12 => one_of(&[
            "#[error(\"x\")]", "#[error(\"{0}\")]", "#[error(\"{id}\")]", "#[error(\"{}\", .0.x())]", "#[error(\"{x}\", x = self.id)]", "",
        ]),
        3 => one_of(&[
            "#[error(\"{source}\")]", "#[error(transparent)]", "#[error(\"{:?}\", id)]", "#[error(\"{\")]", "#[error(fmt = f)]", "#[error]",
            "#[error = 1]",
        ]),
        1 => soups(4).prop_map(|format| Tokens(quote!(#[error(#format)]))),
    ]
    .boxed()
}

/// A variant, or what is inside a struct: its attributes and its fields.
fn case() -> BoxedStrategy<(Tokens, Tokens)> {
    let kind = one_of(&["kind = not_found,", "kind = internal,", "kind = conflict,", "kind = rate_limited,"]);
    let said = (kind, some_of(MCP_RIGHT, 3)).prop_map(|(kind, others)| Tokens(quote!(#[mcp(#kind #others)])));
    let ty = || {
        mostly(
            &[
                "u8",
                "String",
                "Option<Duration>",
                "io::Error",
                "&'a T",
                "Vec<(T, [u8; N])>",
                "Box<dyn Error>",
                "fn(T) -> T",
                "T::X",
                "<T as U>::X",
                "(dyn Fn(T) + 'a)",
            ],
            &["!", "_", "impl X", "m!()", "", ":"],
        )
    };
    let extra = || {
        maybe(one_of(&[
            "#[source]",
            "#[mcp(detail)]",
            "#[mcp(secret)]",
            "#[mcp(retry_after)]",
            "#[cfg(all())]",
            "#[backtrace]",
        ]))
    };
    let right = prop_oneof![
        2 => Just(tokens("")),
        3 => (extra(), ty(), extra(), ty()).prop_map(|(a, b, c, d)| Tokens(quote!({ #a id: #b, #c r#type: #d, }))),
        3 => (extra(), ty(), extra(), ty()).prop_map(|(a, b, c, d)| Tokens(quote!((#a #b, #c #d)))),
    ];
    let by_field =
        (one_of(&["status", "classify"]), ty()).prop_map(|(key, ty)| (tokens(""), Tokens(quote!((#[mcp(#key)] #ty)))));
    let transparent = ty().prop_map(|ty| (tokens("#[mcp(transparent)]"), Tokens(quote!({ source: #ty }))));
    let name = one_of(&["id", "source", "r#type", "größe", "__field0", "self_", "backtrace"]);
    let named =
        (maybe(mcp()), extra(), name, ty()).prop_map(|(mcp, extra, name, ty)| Tokens(quote!(#mcp #extra #name: #ty)));
    let unnamed = (maybe(mcp()), extra(), ty()).prop_map(|(mcp, extra, ty)| Tokens(quote!(#mcp #extra #ty)));
    let any = prop_oneof![
        4 => list(named, 3).prop_map(|fields| in_group(Delimiter::Brace, fields)),
        4 => list(unnamed, 3).prop_map(|fields| in_group(Delimiter::Parenthesis, fields)),
        1 => soup(),
    ];
    let any = (vec(mcp(), 0..3).prop_map(joined), any);
    let case = prop_oneof![6 => (said, right), 2 => by_field, 2 => transparent, 2 => any];
    (display(), case).prop_map(|(display, (attrs, fields))| (joined([display, attrs]), fields)).boxed()
}

fn errors() -> BoxedStrategy<Tokens> {
    let discriminant = mostly(&[""], &["= 1", "= { 2 }"]);
    let variants = subsequence(&["A", "NotFound", "HTTPError", "r#async", "_X", "E2E", "Größe", "__"][..], 0..=4);
    let variants = variants.prop_flat_map(move |names| {
        let each: Vec<_> = names.into_iter().map(|name| (Just(tokens(name)), case(), discriminant.clone())).collect();
        each.prop_map(|each| {
            joined(each.into_iter().map(|(name, (attrs, fields), value)| Tokens(quote!(#attrs #name #fields #value,))))
        })
    });
    let generics = mostly(
        &["", "<T>", "<'a, T: Debug + 'a, const N: usize = 4>", "<>", "<T: ?Sized>", "<T = u8>"],
        &["<", "<T,,>"],
    );
    let clause = mostly(&["", "", "where T: Copy", "where"], &["where where"]);
    let container = mostly(
        &["", "#[mcp(prefix = \"MAKE\")]", "#[mcp(crate = ::renamed)]", "#[error(\"x\")]"],
        &["#[mcp(prefix)]", "#[mcp]"],
    );
    let kind = prop_oneof![
        6 => variants.prop_map(|variants| (tokens(""), tokens("enum"), in_group(Delimiter::Brace, variants))),
        4 => case().prop_map(|(attrs, fields)| (attrs, tokens("struct"), fields)),
        1 => case().prop_map(|(attrs, fields)| (attrs, tokens("union"), fields)),
    ];
    (container, generics, clause, kind, mostly(&["", ";"], &["x"]))
        .prop_map(|(container, generics, clause, (attrs, kind, body), end)| {
            Tokens(quote!(#container #attrs pub #kind Errors #generics #clause #body #end))
        })
        .boxed()
}

fn is_a_message(expanded: TokenStream) -> bool {
    expanded.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "compile_error",
        TokenTree::Group(group) => is_a_message(group.stream()),
        _ => false,
    })
}

/// Checks what the attribute answers, and what it answers on the tools that a block left to it.
fn check_attribute(attribute: &TokenStream, item: &TokenStream) -> Result<(), TestCaseError> {
    let expanded = resilient::expand(attribute.clone(), item);
    if is_a_message(expanded.clone()) {
        let (expanded, item) = (expanded.to_string(), item.to_string());
        // A tool of a block has been taken apart and put together before, which may drop a comma.
        let is_inherited = attribute.to_string().contains("__inherited");
        prop_assert!(is_inherited || expanded.starts_with(&item), "the item is gone: {expanded}");
        return Ok(());
    }
    let file = match syn::parse2::<syn::File>(expanded.clone()) {
        Ok(file) => file,
        // What nobody has parsed is as wrong as it was.
        Err(_) if syn::parse2::<syn::File>(item.clone()).is_err() => return Ok(()),
        Err(why) => return Err(TestCaseError::fail(format!("{why}: {expanded}"))),
    };
    for item in file.items {
        let syn::Item::Impl(block) = item else { continue };
        for member in block.items {
            let syn::ImplItem::Fn(mut function) = member else { continue };
            let Some(at) = function.attrs.iter().position(|attr| attr.path().is_ident("resilient")) else { continue };
            let own = function.attrs.remove(at);
            if let syn::Meta::List(list) = own.meta {
                check_attribute(&list.tokens, &function.into_token_stream())?;
            }
        }
    }
    Ok(())
}

fn check_derive(input: &TokenStream) -> Result<(), TestCaseError> {
    let expanded = mcp_error::derive(input.clone());
    if !is_a_message(expanded.clone())
        && let Err(why) = syn::parse2::<syn::File>(expanded.clone())
    {
        return Err(TestCaseError::fail(format!("{why}: {expanded}")));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn any_keys_on_any_function_give_items_or_a_message(attribute in attribute(), item in function()) {
        check_attribute(&attribute.0, &item.0)?;
    }

    #[test]
    fn any_keys_on_a_function_that_is_right_give_items_or_a_message(attribute in attribute()) {
        let item = quote!(
            #[tool]
            async fn f(&self, Parameters(Asked { id, .. }): Parameters<Asked>, more: &str) -> Result<u64, E> {
                Ok(1)
            }
        );
        check_attribute(&attribute.0, &item)?;
    }

    #[test]
    fn any_keys_on_any_block_give_items_or_a_message(attribute in attribute(), item in block()) {
        check_attribute(&attribute.0, &item.0)?;
    }

    #[test]
    fn any_tokens_on_any_tokens_give_items_or_a_message(attribute in soups(8), item in other()) {
        check_attribute(&attribute.0, &item.0)?;
    }

    #[test]
    fn any_keys_of_the_derive_give_items_or_a_message(item in errors()) {
        check_derive(&item.0)?;
    }

    #[test]
    fn any_tokens_in_the_derive_give_items_or_a_message(item in prop_oneof![other(), block(), soups(12)]) {
        check_derive(&item.0)?;
    }
}
