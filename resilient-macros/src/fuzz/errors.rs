//! Generates types below `#[derive(McpError)]`.

use proc_macro2::Delimiter;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;
use quote::quote;

use super::tokens::{Tokens, entry, in_group, joined, list, maybe, mostly, one_of, some_of, soup, soups, tokens};

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
    "not-found",
    "-33001i32",
    "\"MAKE\"x",
    "\"low\"",
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

/// Entries that are valid on a variant, at least alone.
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

pub(super) fn mcp() -> BoxedStrategy<Tokens> {
    let list = prop_oneof![12 => list(entry(MCP_KEYS, MCP_VALUES), 4), 1 => soups(5)];
    prop_oneof![
        12 => list.prop_map(|list| Tokens(quote!(#[mcp(#list)]))),
        1 => one_of(&["#[mcp]", "#[mcp = 1]", "#[mcp[kind = internal]]", "#[mcp{}]", "#[a::mcp(kind)]"]),
    ]
    .boxed()
}

pub(super) fn display() -> BoxedStrategy<Tokens> {
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

/// A variant or the inside of a struct: its attributes and its fields.
pub(super) fn case() -> BoxedStrategy<(Tokens, Tokens)> {
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

pub(super) fn errors() -> BoxedStrategy<Tokens> {
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
